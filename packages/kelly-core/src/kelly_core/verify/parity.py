"""Parity: whether two runners compute the same; names first, then shapes, then the largest difference."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kelly_core.errors import ParityError
from kelly_core.export import Arrays, Runner
from kelly_core.verify.cases import WHOLE, Case

TOLERANCE = 1e-4
"""Largest allowed absolute difference. float32 carries about seven digits, so that an output whose values
exceed 10 is allowed 1e-5 of its largest value instead."""


@dataclass(frozen=True, slots=True)
class ParityRow:
    """One output of one case.

    Attributes:
        case: Name of the inputs.
        output: Name of the output.
        reference_shape, candidate_shape: What each side gave; None where it gave nothing by this name.
        max_abs: Largest absolute difference; infinite where it can't be taken.
        max_rel: The same divided by the largest absolute reference value.
        top1: Share of the decisions that agree; None where outputs aren't ranked.
        passed: The verdict.
        reason: Why not, in words; empty when passed.
        column: Of the matrix.
    """

    case: str
    output: str
    reference_shape: tuple[int, ...] | None
    candidate_shape: tuple[int, ...] | None
    max_abs: float
    max_rel: float
    top1: float | None
    passed: bool
    reason: str = ""
    column: str = WHOLE

    @property
    def same_top(self) -> bool | None:
        """Whether both sides rank the same class first everywhere; None where outputs aren't ranked."""
        return None if self.top1 is None else self.top1 == 1.0


@dataclass(frozen=True)
class ParityReport:
    """The comparison of an artefact with what it should compute.

    Attributes:
        artifact: The file, or what the candidate is.
        reference: What it was compared with.
        rows: One per case and output.
        problems: What else is wrong: a checksum, a file that does not open.
        not_run: Why the file can't be run on this machine; empty where it was.
        facts: What was found out without running it.
        lossy: Largest difference that the format may make, as a share of the largest value; 0 for a format
            that computes what the model computes.
    """

    artifact: str
    reference: str
    rows: Sequence[ParityRow]
    problems: Sequence[str] = ()
    not_run: str = ""
    facts: Sequence[str] = ()
    lossy: float = 0.0

    @property
    def passed(self) -> bool:
        """Whether something was compared and nothing is wrong."""
        return bool(self.rows) and not self.failed

    @property
    def failed(self) -> bool:
        """Whether something is wrong, or nothing was compared although the file could be run."""
        if self.problems or not all(row.passed for row in self.rows):
            return True
        return not self.rows and not self.not_run

    @property
    def verdict(self) -> str:
        """`"pass"`, `"fail"` or `"not run here"`."""
        return "fail" if self.failed else "pass" if self.rows else "not run here"

    @property
    def max_abs(self) -> float:
        """Largest difference over all rows."""
        return max((row.max_abs for row in self.rows), default=float("nan"))

    def failures(self) -> list[str]:
        """What is wrong, one line each, the worst kind first."""
        wrong = [
            f"case {row.case!r}, output {row.output!r}: {row.reason}" for row in self.rows if not row.passed
        ]
        nothing = [] if self.rows or self.problems or self.not_run else ["nothing was compared"]
        return [*self.problems, *wrong, *nothing]

    def require(self) -> ParityReport:
        """Return itself if nothing is wrong.

        Raises:
            ParityError: With the first failure: case, output and difference.
        """
        if not self.failed:
            return self
        first, *rest = self.failures()
        more = f" (and {len(rest)} more)" if rest else ""
        raise ParityError(
            f"it does not compute what the {self.reference} does: {first}{more}",
            where=self.artifact,
            hint="export the model again; if that fails too, this format can't carry the network",
        )

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON; differences that are not finite become None."""
        return {
            "artifact": self.artifact,
            "reference": self.reference,
            "passed": self.passed,
            "verdict": self.verdict,
            "not_run": self.not_run,
            "max_abs": _finite(self.max_abs),
            "lossy": self.lossy,
            "problems": list(self.problems),
            "facts": list(self.facts),
            "rows": [
                {
                    "case": row.case,
                    "column": row.column,
                    "output": row.output,
                    "reference_shape": _listed(row.reference_shape),
                    "candidate_shape": _listed(row.candidate_shape),
                    "max_abs": _finite(row.max_abs),
                    "max_rel": _finite(row.max_rel),
                    "top1": row.top1,
                    "same_top": row.same_top,
                    "passed": row.passed,
                    "reason": row.reason,
                }
                for row in self.rows
            ],
        }


def check_parity(
    reference: Runner,
    candidate: Runner,
    cases: Mapping[str, Case | Arrays],
    tolerance: float = TOLERANCE,
    *,
    lossy: float = 0.0,
    ranked: Collection[str] = (),
    artifact: str = "candidate",
    against: str = "trained model",
) -> ParityReport:
    """Run both on every case and compare.

    Args:
        reference: What is right.
        candidate: What is tested.
        cases: What to run, by name; plain inputs are one call.
        tolerance: Largest allowed absolute difference, see `TOLERANCE`.
        lossy: Largest allowed difference of a lossy format, see `ParityReport`; it may rank classes otherwise.
        ranked: Outputs whose last axis holds the scores of classes; the best class has to agree.
        artifact: Name of the candidate in the report.
        against: Name of the reference in the report.
    """
    rows: list[ParityRow] = []
    for name, one in cases.items():
        case = one if isinstance(one, Case) else Case(WHOLE, [one])
        expected = case.expected(reference)
        try:
            given = case.run(candidate)
        except Exception as error:  # noqa: BLE001 - any failure of a foreign runtime is a finding
            reason = f"the runtime failed: {(str(error).strip().splitlines() or [type(error).__name__])[0]}"
            rows += [_failed(name, output, expected[output], None, reason, case.column) for output in expected]
            continue
        rows += compare(name, expected, given, tolerance, ranked, lossy=lossy, column=case.column)
    return ParityReport(artifact, against, rows, lossy=lossy)


def compare(
    case: str,
    expected: Arrays,
    given: Arrays,
    tolerance: float = TOLERANCE,
    ranked: Collection[str] = (),
    *,
    lossy: float = 0.0,
    column: str = WHOLE,
) -> list[ParityRow]:
    """Rows for the outputs of one case: names, then shapes, then differences."""
    rows = [
        _failed(case, name, None, given[name], "the reference has no such output", column)
        for name in given
        if name not in expected
    ]
    for name, right in expected.items():
        if name not in given:
            rows.append(_failed(case, name, right, None, f"it is missing; there are {sorted(given)}", column))
        elif right.shape != given[name].shape:
            reason = f"its shape is {given[name].shape}, expected {right.shape}"
            rows.append(_failed(case, name, right, given[name], reason, column))
        else:
            row = _compared(case, name, right, given[name], tolerance, lossy, name in ranked)
            rows.append(replace(row, column=column))
    return rows


def _compared(
    case: str,
    name: str,
    right: NDArray[Any],
    other: NDArray[Any],
    tolerance: float,
    lossy: float,
    ranked: bool,
) -> ParityRow:
    right, other = right.astype(np.float64), other.astype(np.float64)
    if not (np.isfinite(right).all() and np.isfinite(other).all()):
        side = "it" if np.isfinite(right).all() else "the reference"
        return _failed(case, name, right, other, f"{side} holds NaN or infinity")
    difference = float(np.abs(right - other).max(initial=0.0))
    scale = float(np.abs(right).max(initial=0.0))
    limit = lossy * max(1.0, scale) if lossy else tolerance * max(1.0, scale / 10.0)
    top1 = _agreement(right, other, limit) if ranked else None
    reason = ""
    if difference > limit:
        reason = f"it differs by {difference:.3g}, allowed is {limit:.3g}"
    elif top1 is not None and top1 < 1.0 and not lossy:
        reason = "it ranks another class first"
    relative = difference / scale if scale else (0.0 if difference == 0.0 else float("inf"))
    return ParityRow(case, name, right.shape, other.shape, difference, relative, top1, not reason, reason)


def _agreement(right: NDArray[Any], other: NDArray[Any], limit: float) -> float:
    """Share of rows where the same class leads; ties within a hundredth of the limit may change places."""
    chosen = np.take_along_axis(right, other.argmax(axis=-1)[..., None], axis=-1)[..., 0]
    return float((chosen >= right.max(axis=-1) - limit / 100.0).mean())


def _failed(
    case: str,
    name: str,
    right: NDArray[Any] | None,
    other: NDArray[Any] | None,
    reason: str,
    column: str = WHOLE,
) -> ParityRow:
    shapes = (None if right is None else right.shape, None if other is None else other.shape)
    return ParityRow(case, name, *shapes, float("inf"), float("inf"), None, False, reason, column)


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None


def _listed(shape: tuple[int, ...] | None) -> list[int] | None:
    return None if shape is None else list(shape)
