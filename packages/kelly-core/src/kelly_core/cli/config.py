"""`kelly config`: a model's settings as commented YAML or JSON Schema, resolved or checked."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kelly_core.cli import console
from kelly_core.cli.complete import complete_model

if TYPE_CHECKING:
    from kelly_core.config import TrainConfig
    from kelly_core.config.resolve import Resolved
    from kelly_core.specs import ModelSpec


def command(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="Name of the model.", autocompletion=complete_model)
    ],
    *,
    schema: Annotated[bool, typer.Option("--schema", help="Print the JSON Schema instead.")] = False,
    resolved: Annotated[
        bool,
        typer.Option("--resolved", help="Print what training would use: workspace file, --file and --set."),
    ] = False,
    file: Annotated[
        Path | None, typer.Option("--file", "-f", help="A configuration file; implies --resolved.")
    ] = None,
    sets: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="One value, e.g. optimizer.name=sgd; repeatable."),
    ] = None,
    check: Annotated[
        Path | None, typer.Option("--check", metavar="FILE", help="Only say whether this file is right.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print plain JSON instead of YAML.")] = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write there instead of printing.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Let --output replace a file.")] = False,
    schema_link: Annotated[
        str | None,
        typer.Option(metavar="PATH", help="Begin with the line by which editors find this JSON Schema."),
    ] = None,
) -> None:
    """Print a model's whole configuration as commented YAML.

    \b
    Examples:
      kelly config emotion                  every key, meaning, unit, range
      kelly config emotion -o mine.yaml     start a file of your own
      kelly config emotion --check mine.yaml
      kelly config emotion --file mine.yaml --set epochs=20
      kelly config emotion --schema -o emotion.schema.json
    """  # noqa: D301 - \b is the character that keeps these lines apart
    from kelly_core.config.render import json_schema, render_yaml

    _one_purpose(
        {"--schema": schema, "--check": check},
        {"--resolved": resolved, "--file": file, "--set": sets, "--schema-link": schema_link},
    )
    spec = console.host().model(model)
    spec.require_trainable("kelly config")
    config_class = spec.config_class()
    if check is not None:
        _check(config_class, spec, check, as_json=json)
        return
    if schema:
        _deliver(_json_text(json_schema(config_class)), output, force=force)
        return
    config = _resolve(config_class, spec, file, sets, only_default=not (resolved or file or sets)).config
    if json:
        from kelly_core.config.resolve import dump

        _deliver(_json_text(dump(config)), output, force=force)
        return
    _deliver(render_yaml(config, schema_link=schema_link), output, force=force)


def _one_purpose(instead: dict[str, Any], values: dict[str, Any]) -> None:
    """Refuse options that the command would have to ignore."""
    from kelly_core.errors import UserError

    purposes = [name for name, given in instead.items() if given]
    ignored = [name for name, given in values.items() if given]
    if len(purposes) + bool(purposes and ignored) > 1:
        both = " and ".join([*purposes, *ignored][:2])
        raise UserError(f"{both} can't be used together", hint="see `kelly config --help`")


def _resolve(
    config_class: type[TrainConfig],
    spec: ModelSpec,
    file: Path | None,
    sets: list[str] | None,
    *,
    only_default: bool,
) -> Resolved[Any]:
    from kelly_core.config.resolve import resolve, workspace_file

    if only_default:
        return resolve(config_class)
    own = workspace_file(console.workspace().configs, (spec.name, spec.model_id, *spec.aliases))
    return resolve(config_class, workspace_file=own, config_file=file, sets=sets or ())


def _check(config_class: type[TrainConfig], spec: ModelSpec, file: Path, *, as_json: bool) -> None:
    from dataclasses import asdict

    from kelly_core.config.render import yaml_value
    from kelly_core.config.resolve import describe_changes, resolve

    changes = describe_changes(resolve(config_class, config_file=file))
    if as_json:
        rows = [asdict(change) for change in changes]
        console.print_json({"file": str(file), "model": spec.name, "valid": True, "changes": rows})
        return
    if not changes:
        console.say(f"{file}: valid for {spec.name!r}; every value is the default")
        return
    count = f"{len(changes)} value{'s' if len(changes) > 1 else ''}"
    console.say(f"{file}: valid for {spec.name!r}; changes {count}")
    console.table(
        ("key", "value", "default", "from"),
        [(c.key, yaml_value(c.value), yaml_value(c.default), c.origin) for c in changes],
    )


def _deliver(text: str, output: Path | None, *, force: bool) -> None:
    """Print the text, or write it where `--output` says without replacing anything unasked."""
    if output is None:
        console.say(text.rstrip("\n"))
        return
    from kelly_core import atomic
    from kelly_core.errors import UserError

    if output.is_dir():
        raise UserError(
            "this is a folder", where=str(output), hint="give a file name to --output", code="usage.output"
        )
    if output.exists() and not force:
        raise UserError(
            "the file exists already",
            where=str(output),
            hint="choose another name, or add --force to replace it",
            code="usage.output",
        )
    try:
        atomic.write_text(output, text)
    except OSError as error:
        raise UserError(
            f"the file can't be written: {error.strerror or error}",
            where=str(output),
            hint="check the folder's permissions and the free space",
            code="usage.output",
        ) from error
    console.note(f"wrote {output}")


def _json_text(value: dict[str, Any]) -> str:
    import json

    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
