"""`kelly explain`: what an error's code means, and what to do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from kelly_core.cli import console


def command(
    code: Annotated[
        str | None,
        typer.Argument(metavar="[CODE]", help="The code after `error`, as in data.label (default: list all)."),
    ] = None,
    *,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say what an error means, its usual causes, and what to do.

    \b
    Examples:
      kelly explain data.label
      kelly explain                 every code
    """  # noqa: D301 - \b is the character that keeps these lines apart
    from kelly_core.explain import explain, explanations

    if code is None:
        known = explanations().values()
        if json:
            console.print_json([one.as_dict() for one in known])
        else:
            console.columns(("code", "means"), [(one.code, one.means) for one in known])
        return
    found = explain(code.strip().removeprefix("error").strip("[]:"))
    if json:
        console.print_json(found.as_dict())
        return
    console.say(f"{console.paint(found.code, 'bold')}: {found.means}")
    _list("usual causes", found.causes)
    _list("what to do", found.next)


def _list(heading: str, lines: Sequence[str]) -> None:
    if lines:
        console.say(f"\n{heading}:")
    for line in lines:
        console.say(f"  - {line}")
