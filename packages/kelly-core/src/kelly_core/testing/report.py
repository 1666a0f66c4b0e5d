"""What checking a plugin gives: one result per plugin and rule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

Verdict = Literal["pass", "fail", "skip"]


@dataclass(frozen=True, slots=True)
class Result:
    """One rule tried on one plugin.

    Attributes:
        plugin: `kind name`.
        rule: The rule's name.
        verdict: `"skip"` where the rule doesn't apply or couldn't be tried.
        detail: What was found, how the rule is broken, or why it was left out.
        why, mend: Of the rule, for a failure.
        seconds: How long it took.
    """

    plugin: str
    rule: str
    verdict: Verdict
    detail: str = ""
    why: str = ""
    mend: str = ""
    seconds: float = 0.0

    def __str__(self) -> str:
        line = f"{self.verdict}  {self.plugin}: {self.rule}"
        line += f": {self.detail}" if self.detail else ""
        return f"{line}\n      why: {self.why}\n      -> {self.mend}" if self.verdict == "fail" else line


@dataclass(frozen=True, slots=True)
class Report:
    """All results of one check."""

    name: str
    results: Sequence[Result]

    @property
    def failures(self) -> list[Result]:
        """Broken rules."""
        return [result for result in self.results if result.verdict == "fail"]

    @property
    def passed(self) -> bool:
        """Whether something was checked and no rule is broken."""
        return any(result.verdict == "pass" for result in self.results) and not self.failures

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "name": self.name,
            "passed": self.passed,
            "results": [asdict(result) for result in self.results],
        }

    def __str__(self) -> str:
        return "\n".join(map(str, self.failures or self.results))
