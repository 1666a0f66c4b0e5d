"""`kelly install`: add plugin packages to the running environment, thin over its pip or uv."""

from __future__ import annotations

from typing import Annotated

import typer

from kelly_core.cli.packages import Passing, carry_out, require_names

CLASS = Passing


def command(
    ctx: typer.Context,
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="NAME", help="Short names, requirements, paths or addresses."),
    ] = None,
    *,
    exact: Annotated[
        bool, typer.Option("--exact", help="Take NAME as it is, not as short for kelly-NAME.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the installer's command; run nothing.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print what came as JSON.")] = False,
) -> None:
    """Install packages into the environment that Kelly runs in, and show what they bring.

    NAME is short for kelly-NAME; what stands after -- goes to pip, or to uv where there is no pip. Each
    plugin is tried as by kelly doctor, and the exit code is 1 when one is broken.

    \b
    Examples:
      kelly install emotion export           the packages kelly-emotion and kelly-export
      kelly install ./kelly-key-finder       a folder or a wheel
      kelly install --exact tuner            a package that isn't called kelly-...
      kelly install emotion -- --pre         with an option of pip
    """  # noqa: D301 - \b is the character that keeps these lines apart
    from kelly_core.installer import named_in, requirement_of

    wanted = [requirement_of(name, exact=exact) for name in require_names("install", names, ctx)]
    named = {name for name in map(named_in, wanted) if name}
    carry_out("install", wanted, ctx, named=named, dry_run=dry_run, as_json=as_json)
