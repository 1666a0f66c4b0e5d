"""How far predicted grooves are from played ones.

Errors are summed per performance and divided by the number of hits of all performances, so that every hit
counts once and a bootstrap can draw whole performances cheaply.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kelly_groove.grid import Performance

METRICS = ("timing_mae_ms", "timing_mse_16ths", "velocity_mae")
Floats = NDArray[np.floating]


def error_sums(performance: Performance, offset: Floats, velocity: Floats) -> NDArray[np.float64]:
    """Errors of one performance.

    Args:
        performance: What was played.
        offset: (hits,) predicted, 16ths.
        velocity: (hits,) predicted.

    Returns:
        (3,): sum of absolute timing errors in ms, of squared timing errors in 16ths², of absolute velocity
        errors.
    """
    hits = performance.hits
    late = np.asarray(offset, np.float64) - hits["offset"]
    louder = np.asarray(velocity, np.float64) - hits["velocity"]
    return np.array([np.abs(late * hits["sixteenth_ms"]).sum(), np.square(late).sum(), np.abs(louder).sum()])


def groove_metrics(sums: Floats, hits: NDArray[np.integer]) -> dict[str, float]:
    """Mean errors over hits.

    Args:
        sums: (performances, 3) of `error_sums`.
        hits: (performances,) number of hits.
    """
    return dict(zip(METRICS, (sums.sum(axis=0) / hits.sum()).tolist(), strict=True))
