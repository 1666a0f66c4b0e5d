"""What each error code means, usual causes and next steps: `explanations/`, which docs/ shows as a page."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from importlib import resources
from typing import Any

from kelly_core.errors import UserError


@dataclass(frozen=True, slots=True)
class Explanation:
    """About one code.

    Attributes:
        code: `"data.label"`, or that of a whole class of errors, `"data"`.
        means: What has happened.
        causes: The usual ones; empty where `means` says it all.
        next: What to do, the likeliest step first.
    """

    code: str
    means: str
    causes: tuple[str, ...]
    next: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """In plain values."""
        return asdict(self)


@cache
def explanations() -> Mapping[str, Explanation]:
    """Every code, kind by kind."""
    found: dict[str, Explanation] = {}
    for file in sorted(resources.files("kelly_core.explanations").iterdir(), key=lambda file: file.name):
        if file.name.endswith(".toml"):
            for code, about in tomllib.loads(file.read_text(encoding="utf-8")).items():
                causes, steps = about.pop("causes", ()), about.pop("next")
                found[code] = Explanation(code, causes=tuple(causes), next=tuple(steps), **about)
    return found


def explain(code: str) -> Explanation:
    """What is known about a code.

    Raises:
        UserError: Nothing; the hint has the nearest code, or that of the kind.

    >>> explain("data.label").means
    "The data has labels that stand for none of the model's classes."
    """
    known = explanations()
    if code in known:
        return known[code]
    kind = code.partition(".")[0]
    near = difflib.get_close_matches(code, known, n=1, cutoff=0.8)
    if near:
        hint = f"did you mean {near[0]!r}?"
    elif kind in known:
        hint = f"a plugin may have codes of its own; `kelly explain {kind}` is about the kind"
    else:
        hint = "`kelly explain` lists every code"
    raise UserError(f"no error has the code {code!r}", where="CODE", hint=hint)
