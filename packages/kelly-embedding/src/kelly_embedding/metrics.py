"""What is measured of each clip, and of a set of them. NumPy only: the bootstrap calls it by the thousand.

A clip's row is its mean absolute error in dB, its mean squared error in dB^2, then a score for each class,
if a classifier was asked. A predictor that restores nothing has NaN errors, one that classifies nothing no
scores.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kelly_core.evaluate.classification import classification_metrics

Rows = NDArray[np.float64]
ERRORS = 2
"""Columns before the scores."""


class Errors:
    """Sums the errors of windows clip by clip.

    Args:
        clips: Number of clips.
    """

    def __init__(self, clips: int) -> None:
        self._sums, self._counts = np.zeros((clips, ERRORS)), np.zeros(clips)

    def add(self, owners: NDArray[np.int64], truth: NDArray[np.float32], restored: NDArray[np.float32]) -> None:
        """Take in windows.

        Args:
            owners: (windows,) the clip of each.
            truth: (windows, ...), dB.
            restored: The same shape, dB.
        """
        difference = np.abs(restored - truth, dtype=np.float64).reshape(len(truth), -1)
        np.add.at(self._sums, owners, np.stack([difference.mean(1), (difference**2).mean(1)], axis=1))
        np.add.at(self._counts, owners, 1)

    def rows(self) -> Rows:
        """(clips, 2): mean absolute and mean squared error."""
        return self._sums / self._counts[:, None]


def reconstruction_metrics(rows: Rows, targets: NDArray[np.int64]) -> dict[str, float]:
    """Errors, and figures of the classifier that was asked.

    Args:
        rows: (clips, 2 + classes), as above.
        targets: (clips,) classes; -1 is no class of the training side.

    Returns:
        `mae_db`: mean absolute error over clips; `rmse_db`: root of the mean squared error; `uar` and
        `accuracy` over the clips that have a class. Each only where it can be said.
    """
    found = {}
    if not np.isnan(rows[:, 0]).any():
        found = {"mae_db": float(rows[:, 0].mean()), "rmse_db": float(np.sqrt(rows[:, 1].mean()))}
    known = targets >= 0
    if rows.shape[1] > ERRORS and known.any():
        said = classification_metrics(rows[known, ERRORS:], targets[known])
        found |= {name: said[name] for name in ("uar", "accuracy")}
    return found
