"""Reports of several artefacts as a matrix: a row for each, a column for each way of calling it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from kelly_core.verify.cases import COLUMNS

if TYPE_CHECKING:
    from kelly_core.verify.parity import ParityReport, ParityRow


@dataclass(frozen=True, slots=True)
class Cell:
    """One artefact called in one way.

    Attributes:
        verdict: `"pass"`, `"fail"`, `"not run here"`, or `"-"` where the model can't be called that way.
        max_abs, max_rel: Largest absolute and relative difference; None where nothing was compared.
        top1: Smallest share of decisions that agree; None where outputs aren't ranked.
        cases: Number of cases.
    """

    verdict: str
    max_abs: float | None = None
    max_rel: float | None = None
    top1: float | None = None
    cases: int = 0

    def __str__(self) -> str:
        """`pass 1.2e-06 / 3.0e-07, top 100 %`, absolute before relative."""
        if not self.cases:
            return self.verdict
        sizes = " / ".join("-" if size is None else f"{size:.0e}" for size in (self.max_abs, self.max_rel))
        top = "" if self.top1 is None else f" top {self.top1:.0%}"
        return f"{self.verdict} {sizes}{top}"

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {name: getattr(self, name) for name in self.__slots__}


def cells_of(report: ParityReport) -> dict[str, Cell]:
    """The row of an artefact: column -> cell, the worst of the column's cases."""
    return {column: _cell([row for row in report.rows if row.column == column], report) for column in COLUMNS}


def matrix(reports: Sequence[ParityReport]) -> list[dict[str, Any]]:
    """Plain values for JSON, one row per artefact."""
    return [
        {
            "artifact": report.artifact,
            "verdict": report.verdict,
            "not_run": report.not_run,
            "lossy": report.lossy,
            "cells": {column: cell.as_dict() for column, cell in cells_of(report).items()},
        }
        for report in reports
    ]


def _cell(rows: Sequence[ParityRow], report: ParityReport) -> Cell:
    if not rows:
        return Cell("not run here" if report.not_run else "-")
    ranked = [row.top1 for row in rows if row.top1 is not None]
    return Cell(
        "pass" if all(row.passed for row in rows) else "fail",
        _largest([row.max_abs for row in rows]),
        _largest([row.max_rel for row in rows]),
        min(ranked, default=None),
        len({row.case for row in rows}),
    )


def _largest(values: Sequence[float]) -> float | None:
    largest = max(values)
    return largest if np.isfinite(largest) else None
