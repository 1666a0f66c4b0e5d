"""What a rule is, and the table of all rules."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from kelly_core.catalog import Kind

if TYPE_CHECKING:
    from kelly_core.testing.subject import Subject

Check = Callable[["Subject"], str | None]
Cost = Literal["cheap", "trains"]


class BrokenRuleError(Exception):
    """A plugin breaks a rule; the text says how."""


class NotApplicableError(Exception):
    """A rule doesn't concern this plugin, or can't be tried here; the text says why."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule.

    Attributes:
        name: Its function's name with hyphens.
        kinds: Which plugins it concerns.
        says: What it demands: the first line of the function's docstring.
        why: Why it exists.
        mend: What to do about a failure.
        cost: `"trains"` where it trains the model or reads all of its demo data, else `"cheap"`.
        about_training: Whether it concerns only models that Kelly trains: those of cost `"trains"`, and others
            that look at how training is set up.
        check: `check(subject)`: what was found, for people; raises where the rule is broken or doesn't apply.
    """

    name: str
    kinds: tuple[Kind, ...]
    says: str
    why: str
    mend: str
    cost: Cost
    about_training: bool
    check: Check


RULES: dict[str, Rule] = {}
"""All rules by name."""


def rule(
    *kinds: Kind, why: str, mend: str, cost: Cost = "cheap", about_training: bool = False
) -> Callable[[Check], Check]:
    """Enter a function in `RULES`."""

    def enter(check: Check) -> Check:
        name = check.__name__.replace("_", "-")
        says = inspect.cleandoc(check.__doc__ or "").partition("\n")[0]
        RULES[name] = Rule(name, kinds, says, why, mend, cost, about_training or cost == "trains", check)
        return check

    return enter
