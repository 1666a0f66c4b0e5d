"""`kelly doctor`: shows what works on this machine and what to do about the rest."""

from __future__ import annotations

import os
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from kelly_core.cli import console

if TYPE_CHECKING:
    from kelly_core.health import Check

MARKS = {"ok": ("✓", "green"), "absent": ("-", "dim"), "broken": ("✗", "red")}
LIMIT_VARIABLE = "KELLY_PROBE_SECONDS"


def command(
    time_limit: Annotated[
        float | None,
        typer.Option(
            min=0.1,
            help=f"Seconds each plugin may take to load [default: {LIMIT_VARIABLE}, else 5].",
            show_default=False,
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check Python, libraries, devices, plugins, exporters, data and registry.

    Each plugin is loaded in a process of its own, so that one that hangs or crashes is found out. The exit
    code is 1 when something is broken, and 0 when optional things are merely absent.

    \b
    Examples:
      kelly doctor
      kelly doctor --json
      kelly doctor --time-limit 20
    """  # noqa: D301 - \b is the character that keeps these lines apart
    from kelly_core.health import examine

    checks: list[Check] = []
    section = ""
    for check in examine(console.workspace(), time_limit or probe_limit()):
        checks.append(check)
        if not as_json:
            if check.section != section:
                section = check.section
                console.say(console.paint(section, "bold"))
            _print(check)
    broken = [check for check in checks if check.verdict == "broken"]
    if as_json:
        console.print_json({"ok": not broken, "checks": [asdict(check) for check in checks]})
    else:
        console.say(f"{len(broken)} broken: {', '.join(c.name for c in broken)}" if broken else "all is well")
    if broken:
        raise typer.Exit(1)


def probe_limit() -> float:
    """Longest time a plugin's code may take, in seconds: `KELLY_PROBE_SECONDS`, else 5.

    Raises:
        UserError: The variable holds no number above 0.
    """
    from kelly_core.errors import UserError
    from kelly_core.isolation import DEFAULT_LIMIT_S

    text = os.environ.get(LIMIT_VARIABLE) or str(DEFAULT_LIMIT_S)
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        hint = "give a number of seconds above 0, or unset it"
        raise UserError(f"{text!r} is no time limit", where=LIMIT_VARIABLE, hint=hint)
    return seconds


def _print(check: Check) -> None:
    mark, colour = MARKS[check.verdict]
    console.say(f"  {console.paint(mark, colour)} {check.name}  {check.message}")
    if check.hint:
        console.say(f"      -> {check.hint}")
    for line in check.traceback.rstrip().splitlines():
        console.say(f"      {console.paint(line, 'dim')}")
