"""From numbers over time to as many for every file (numpy only)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def pool(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Mean and deviation of each number: of a file's windows its embedding, of its frames their statistics.

    Args:
        rows: (windows or frames, size).

    Returns:
        (2 * size,): means, then deviations.
    """
    return np.concatenate([rows.mean(axis=0), rows.std(axis=0)]).astype(np.float32)
