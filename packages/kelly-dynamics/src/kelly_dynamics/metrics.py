"""Figures per performance, and their means. NumPy only: the bootstrap calls them by the thousand."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from kelly_dynamics.targets import OUTPUTS

FIGURES = (
    "velocity_mae", "velocity_r", "timing_mae_ms", "timing_r", "articulation_mae", "articulation_rmse",
    "articulation_r", "expression_mae", "notes",
)  # fmt: skip
"""Columns of `score_performance`."""


def score_performance(
    said: NDArray[np.float32], true: NDArray[np.float32], weight: NDArray[np.float32]
) -> NDArray[np.float64]:
    """Errors of one performance.

    Args:
        said: (notes, 4), outputs in their units.
        true: (notes, 4), what was played.
        weight: (notes, 4), 0 where there is no truth.

    Returns:
        (9,) as in `FIGURES`: mean absolute errors (velocity; ms; octaves; share), Pearson's r within the
        performance, 0 where what was said is constant.
    """
    found: dict[str, float] = {"notes": float(len(true))}
    for at, name in enumerate(OUTPUTS):
        good = weight[:, at] > 0
        a, b = said[good, at].astype(np.float64), true[good, at].astype(np.float64)
        error = np.abs(a - b)
        found[f"{name}_mae"] = float(error.mean()) if len(error) else np.nan
        found[f"{name}_rmse"] = float(np.sqrt((error**2).mean())) if len(error) else np.nan
        found[f"{name}_r"] = correlation(a, b)
    found["timing_mae_ms"] = 1000 * found["timing_mae"]
    return np.array([found[name] for name in FIGURES])


def correlation(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Pearson's r; 0 where either is constant."""
    if len(a) < 2 or a.std() < 1e-6 or b.std() < 1e-6:
        return 0.0
    return float(np.corrcoef(a, b)[0, 1])


def means(figures: NDArray[np.float64]) -> Mapping[str, float]:
    """Means over performances, each counting the same: (performances, 9) -> a figure by name."""
    mean = np.nanmean(figures, axis=0)
    return {name: float(mean[at]) for at, name in enumerate(FIGURES) if name != "notes"}
