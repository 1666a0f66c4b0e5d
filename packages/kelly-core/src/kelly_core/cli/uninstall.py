"""`kelly uninstall`: remove plugin packages from the running environment."""

from __future__ import annotations

from typing import Annotated

import typer

from kelly_core.catalog import HOST_DISTRIBUTION
from kelly_core.cli.packages import Passing, carry_out, require_names
from kelly_core.errors import UserError

CLASS = Passing


def command(
    ctx: typer.Context,
    names: Annotated[
        list[str] | None, typer.Argument(metavar="NAME", help="Installed packages, kelly- may be left out.")
    ] = None,
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the installer's command; run nothing.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print what went as JSON.")] = False,
) -> None:
    """Remove packages of plugins, and show what went with them. Trained models and data stay.

    \b
    Examples:
      kelly uninstall groove                   the package kelly-groove
      kelly uninstall kelly-groove --dry-run
    """  # noqa: D301 - \b is the character that keeps these lines apart
    from kelly_core.installed import find_installed, read_installed

    packages = read_installed()
    given = require_names("uninstall", names, ctx)
    wanted = list(dict.fromkeys(find_installed(packages, name).name for name in given))
    if HOST_DISTRIBUTION in wanted:
        raise UserError(
            f"{HOST_DISTRIBUTION} is what runs this command, and can't remove itself",
            where="NAME",
            hint=f"`pip uninstall {HOST_DISTRIBUTION}`, or delete the environment",
        )
    carry_out("uninstall", wanted, ctx, named=wanted, dry_run=dry_run, as_json=as_json)
