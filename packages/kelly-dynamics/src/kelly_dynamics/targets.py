"""What is predicted: velocity, onset deviation, articulation, expression; their units and bounds.

Onset deviation: performed onset minus where a locally steady tempo would put it, in seconds. That tempo is a
straight line through the mean performed onsets of the moments within two quarters on either side (never fewer
than three moments a side where there are as many), fitted by least squares with tricube weights. So slow
changes of tempo aren't deviations, while a held-back downbeat or a spread chord is.

Articulation: log2 of the performed length (key down to key up) over the written length at that local tempo.
Grace notes have neither: their weight is 0.

Expression: the loudness of the passage, the mean velocity of the notes around, weighted by a Gaussian of two
quarters, over 127.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kelly_dynamics.score import Floats, Performance, Score

OUTPUTS = ("velocity", "timing", "articulation", "expression")
LOW = (1.0, -0.15, -4.0, 0.0)
HIGH = (127.0, 0.15, 2.0, 1.0)
UNIT = "MIDI velocity; s; octaves (log2 of played over written length); share of full loudness"
_REACH, _MOMENTS, _SMOOTH = 2.0, 3, 2.0


def targets(score: Score, played: Performance) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """True outputs of every note.

    Returns:
        (notes, 4) in the order of `OUTPUTS`, within `LOW` and `HIGH`; (notes, 4) weights, 0 or 1.
    """
    expected, period = local_tempo(score, played)
    written = score.duration * period
    good = (score.duration > 0) & (period > 0) & np.isfinite(period)
    length = np.maximum(played.end - played.start, 1e-3)
    values = np.stack(
        [
            played.velocity,
            np.where(good, played.start - expected, 0.0),
            np.where(good, np.log2(length / np.where(good, written, 1.0)), 0.0),
            _passage(score, played.velocity) / 127,
        ],
        axis=1,
    )
    weights = np.ones_like(values)
    weights[:, 1:3] = good[:, None]
    return np.clip(values, LOW, HIGH).astype(np.float32), weights.astype(np.float32)


def local_tempo(score: Score, played: Performance) -> tuple[Floats, Floats]:
    """Onset (s) that a locally steady tempo gives each note, and seconds per quarter there; both (notes,)."""
    firsts, moment = score.firsts(), score.moments()
    counts = np.diff(firsts)
    written = score.onset[firsts[:-1]]
    heard = np.add.reduceat(played.start, firsts[:-1]) / counts
    size = len(written)
    near = np.arange(size)
    low = np.minimum(np.searchsorted(written, written - _REACH), np.maximum(near - _MOMENTS, 0))
    high = np.maximum(np.searchsorted(written, written + _REACH), np.minimum(near + _MOMENTS + 1, size))
    offset, slope = np.empty(size), np.empty(size)
    for at in range(size):
        part = slice(low[at], high[at])
        x, y = written[part] - written[at], heard[part] - heard[at]
        far = max(abs(x[0]), abs(x[-1]), 1e-6) * 1.001
        weight = (1 - (np.abs(x) / far) ** 3) ** 3
        total = weight.sum()
        mean_x, mean_y = weight @ x / total, weight @ y / total
        spread = weight @ (x - mean_x) ** 2
        slope[at] = weight @ ((x - mean_x) * (y - mean_y)) / spread if spread > 1e-9 else 60 / score.tempo
        offset[at] = mean_y - slope[at] * mean_x
    return (heard + offset)[moment], np.where(slope > 0, slope, 0.0)[moment]


def _passage(score: Score, velocity: Floats) -> Floats:
    """Gaussian mean of velocities over time, (notes,)."""
    firsts, moment = score.firsts(), score.moments()
    counts = np.diff(firsts).astype(np.float64)
    sums = np.add.reduceat(velocity, firsts[:-1])
    written = score.onset[firsts[:-1]]
    low = np.searchsorted(written, written - 3 * _SMOOTH)
    high = np.searchsorted(written, written + 3 * _SMOOTH)
    means = np.empty(len(written))
    for at in range(len(written)):
        part = slice(low[at], high[at])
        weight = np.exp(-0.5 * ((written[part] - written[at]) / _SMOOTH) ** 2)
        means[at] = weight @ sums[part] / (weight @ counts[part])
    return means[moment]
