"""How well tokens are predicted: nats and shares of right guesses.

They are summed per melody and divided by the tokens of all melodies, so that each token counts once.

A token is novel where no exact match of four or more tokens earlier in its melody leads up to it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

METRICS = (
    "nats",
    "pitch_nats",
    "duration_nats",
    "novel_nats",
    "novel_pitch_nats",
    "novel_duration_nats",
    "top1",
    "pitch_top1",
    "duration_top1",
    "novel_pitch_top1",
)
"""Nats per token (pitch, duration given the pitch, their sum); shares of right guesses (of both, of each)."""
Floats = NDArray[np.floating]


def token_sums(scores: Floats, novel: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Sums over the tokens of a melody and its end.

    Args:
        scores: (tokens, 4): nats of pitch, nats of duration, right pitch, right duration; the end has a
            duration of 0 nats that counts as right.
        novel: (tokens,).

    Returns:
        (10,), in the order of `METRICS`.
    """
    pitch, duration, pitch_right, duration_right = np.asarray(scores, np.float64).T
    return np.array(
        [
            (pitch + duration).sum(),
            pitch.sum(),
            duration.sum(),
            (pitch + duration)[novel].sum(),
            pitch[novel].sum(),
            duration[novel].sum(),
            (pitch_right * duration_right).sum(),
            pitch_right.sum(),
            duration_right.sum(),
            pitch_right[novel].sum(),
        ]
    )


def token_counts(novel: NDArray[np.bool_]) -> NDArray[np.int64]:
    """(10,): how many tokens each sum is over."""
    return np.array([novel.sum() if "novel" in name else len(novel) for name in METRICS])


def melody_metrics(sums: Floats, counts: NDArray[np.integer]) -> dict[str, float]:
    """Figures from (melodies, 10) sums and counts; NaN where there is no novel token."""
    with np.errstate(invalid="ignore"):
        values = sums.sum(axis=0) / counts.sum(axis=0)
    return dict(zip(METRICS, values.tolist(), strict=True))
