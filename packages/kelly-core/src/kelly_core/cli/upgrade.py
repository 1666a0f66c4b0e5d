"""`kelly upgrade`: bring Kelly's packages in the running environment up to date."""

from __future__ import annotations

from typing import Annotated

import typer

from kelly_core.cli import console
from kelly_core.cli.packages import Passing, carry_out
from kelly_core.errors import UserError

CLASS = Passing


def command(
    ctx: typer.Context,
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="NAME", help="Installed packages, kelly- may be left out (default: all)."),
    ] = None,
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the installer's command; run nothing.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print what changed as JSON.")] = False,
) -> None:
    """Upgrade Kelly's packages and the plugins for it to the newest versions that go together.

    Packages that came from a folder, a file or a repository are left alone: an index would replace them by
    something else.

    \b
    Examples:
      kelly upgrade                            everything that Kelly is made of
      kelly upgrade emotion
      kelly upgrade --dry-run
    """  # noqa: D301 - \b is the character that keeps these lines apart
    from kelly_core.installed import find_installed, read_installed

    packages = read_installed()
    chosen = [find_installed(packages, name) for name in names or ()]
    for package in chosen:
        if package.source:
            raise UserError(
                f"{package.name} was installed from {package.source}, not from an index",
                where="NAME",
                hint="`kelly install` it from there again",
            )
    if not names:
        chosen = sorted((one for one in packages.values() if one.is_kellys), key=lambda one: one.name)
        for package in chosen:
            if package.source:
                console.note(f"{package.name} is left alone: it was installed from {package.source}")
    wanted = list(dict.fromkeys(package.name for package in chosen if not package.source))
    if not wanted:
        if as_json:
            console.print_json({"command": [], "dry_run": dry_run, "packages": [], "broken": []})
        else:
            console.say("nothing to upgrade")
        return
    carry_out("upgrade", wanted, ctx, named=wanted, dry_run=dry_run, as_json=as_json)
