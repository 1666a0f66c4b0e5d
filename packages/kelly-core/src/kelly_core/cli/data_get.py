"""`kelly data get`: a public dataset from its official archive into the data root."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kelly_core.cli import console
from kelly_core.cli.complete import complete_dataset


def get(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="The dataset plugin.", autocompletion=complete_dataset)
    ],
    archive: Annotated[
        Path | None, typer.Option("--from", metavar="ARCHIVE", help="Use this file instead of downloading.")
    ] = None,
    to: Annotated[
        Path | None, typer.Option(help="Folder to unpack into (default: the model's, in the data root).")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Download a public dataset and unpack it where training looks; its licence is yours to keep.

    A download that stopped goes on where it was. Size and SHA-256 are checked before anything is unpacked.

    \b
    Examples:
      kelly data get groove-midi
      kelly data get groove-midi --from ~/Downloads/groove-v1.0.0-midionly.zip
    """  # noqa: D301 - \b is the character that keeps these lines apart
    from kelly_core.data.fetch import check, fetch
    from kelly_core.data.unpack import unpack
    from kelly_core.errors import UserError

    host, place = console.host(), console.workspace()
    spec = host.dataset(name)
    if spec.archive is None:
        hint = "it is made on the spot: --data demo" if spec.builtin else "give its folder: --data PATH"
        raise UserError(f"dataset {name!r} has no archive to download", where="kelly data get", hint=hint)
    if archive is not None and not archive.is_file():
        raise UserError(
            "there is no such file",
            where=str(archive),
            hint="check the path after --from",
            code="usage.no-file",
        )
    root = place.data_root()
    target = to or root / "raw" / host.model(spec.models[0]).data_folder
    with console.progress() as bar:
        if archive is None:
            archive = fetch(spec.archive, root / "downloads", bar)
        digest = check(archive, spec.archive)
        made = unpack(archive, target, bar)
    if as_json:
        made_there = [str(target / one) for one in made]
        console.print_json({"dataset": name, "sha256": digest, "made": made_there, "licence": spec.licence})
        return
    if not spec.archive.sha256:
        console.note(f"no checksum is known for {archive.name}; its SHA-256 is {digest}")
    console.say(f"{name}: {', '.join(made)} -> {target}")
    console.say(f"licence: {spec.licence or 'see its pages'}")
    console.say(f"train with: kelly train {spec.models[0]} --data {target}")
