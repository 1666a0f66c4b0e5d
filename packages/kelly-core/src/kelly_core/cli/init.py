"""`kelly init`: make a workspace folder with the configuration of each installed model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kelly_core.cli import console

FOLDERS = ("configs", "checkpoints", "logs/training", "models", "docs/model_cards")
README = """\
# A Kelly workspace

| folder | what lies there |
|---|---|
| `configs/` | one YAML file per model, every key explained and switched off until you edit it |
| `checkpoints/` | weights of each run: `best.pt`, `last.pt`, `epoch_N.pt` |
| `logs/training/` | one folder per run: metrics, settings, samples |
| `models/` | exported models, their contracts and `registry.json` |
| `docs/model_cards/` | one page per trained model |
| `data/` | the data root, or a link to it: `kelly data init --help` |

Start here:

```
kelly doctor
kelly train emotion --data demo
```
"""


def command(
    folder: Annotated[
        Path | None, typer.Argument(metavar="DIR", help="Folder to make; default: the workspace.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was made as JSON.")] = False,
) -> None:
    """Make a workspace: folders, a README and the configuration of each installed model.

    What is there already stays as it is, so running it again adds only what is missing.

    \b
    Examples:
      kelly init
      kelly init ~/music-models
    """  # noqa: D301 - \b is the character that keeps these lines apart
    from kelly_core.workspace import Workspace

    place = Workspace.locate(folder) if folder else console.workspace()
    try:
        made = _make(place.root)
    except OSError as error:
        from kelly_core.errors import UserError

        raise UserError(
            f"the workspace can't be made: {error.strerror or error}",
            where=str(place.root),
            hint="check path and permissions",
            code="usage.output",
        ) from None
    if as_json:
        console.print_json({"workspace": str(place.root), "made": made})
        return
    for name in made:
        console.say(f"made {name}")
    console.say(f"workspace ready: {place.root}" if made else f"nothing to do: {place.root} is complete")


def _make(root: Path) -> list[str]:
    made = []
    for name in FOLDERS:
        if not (root / name).is_dir():
            (root / name).mkdir(parents=True)
            made.append(f"{name}/")
    from kelly_core import atomic

    files = {"README.md": README, **_configs(root)}
    for name, text in files.items():
        if not (root / name).exists():
            atomic.write_text(root / name, text)
            made.append(name)
    return made


def _configs(root: Path) -> dict[str, str]:
    """`configs/<model>.yaml` of each model that works and has no file yet; a broken one gives a warning."""
    from kelly_core.config.render import render_template
    from kelly_core.config.resolve import resolve, workspace_file
    from kelly_core.specs import ModelSpec

    texts = {}
    for spec in console.host().specs("model", ModelSpec):
        if spec.pretrained or workspace_file(root / "configs", (spec.name, spec.model_id, *spec.aliases)):
            continue
        try:
            config = resolve(spec.config_class()).config
        except Exception as error:  # noqa: BLE001 - somebody's package; the workspace doesn't depend on it
            console.warn(f"no configuration for {spec.name!r}: {error}")
            continue
        texts[f"configs/{spec.name}.yaml"] = render_template(config)
    return texts
