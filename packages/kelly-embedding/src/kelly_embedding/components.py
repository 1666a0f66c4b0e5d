"""Principal components of windows: where the network begins, and the classical way it is measured against."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
LARGEST_EXACT = 2048
"""Numbers per window up to which all components are computed, by the covariance; above, a randomised search."""
MOST_NUMBERS = 1 << 25
"""Windows are taken evenly until they hold this many numbers (128 MiB)."""


@dataclass(frozen=True)
class Components:
    """What a window is mapped to and from, linearly.

    Attributes:
        mean: (numbers,) of a window.
        directions: (components, numbers), orthonormal, those that explain most first.
        deviations: (components,) of the windows along each.
    """

    mean: Floats
    directions: Floats
    deviations: Floats

    def encode(self, windows: Floats) -> Floats:
        """(windows, numbers) to (windows, components), each of deviation 1 on the training windows."""
        return np.asarray((windows - self.mean) @ self.directions.T / self.deviations)

    def decode(self, embedding: Floats) -> Floats:
        """(windows, components) to (windows, numbers)."""
        return np.asarray(embedding * self.deviations @ self.directions + self.mean)


def fit_components(windows: Floats, count: int) -> Components:
    """The first principal components; fewer than `count` where there are too few windows.

    Args:
        windows: (windows, numbers), two or more.
        count: How many.
    """
    from sklearn.decomposition import PCA

    solver = "covariance_eigh" if windows.shape[1] <= LARGEST_EXACT else "randomized"
    fitted = PCA(min(count, len(windows) - 1), svd_solver=solver, random_state=0).fit(windows)
    return Components(
        fitted.mean_.astype(np.float32),
        fitted.components_.astype(np.float32),
        # Windows that are all alike have no deviation to divide by.
        np.maximum(np.sqrt(fitted.explained_variance_), 1e-3).astype(np.float32),
    )
