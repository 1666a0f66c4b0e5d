"""The 32 numbers about a note that a score alone gives.

All are scaled to a few units around 0. They look a few beats ahead, and at the whole piece for its means.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kelly_dynamics.score import Floats, Score

CONTEXT = (
    "pitch", "duration_log2", "bar_sin", "bar_cos", "metric_strength", "beat_sin", "beat_cos", "bar_length",
    "phrase_since", "phrase_until", "piece_position", "highest", "lowest", "chord_size", "below_top",
    "above_bottom", "from_previous", "to_next", "gap_before", "gap_after", "top_step_before", "top_step_after",
    "density_near", "density_far", "density_change", "pitch_from_near", "range_near", "repeated",
    "tempo", "seconds_log2", "piece_density", "sounding",
)  # fmt: skip
"""Columns of the context."""
_LONG_GAP = 1.5
"""A moment at least this many times later than usual starts a phrase."""


def context(score: Score) -> NDArray[np.float32]:
    """Describe every note of a score by itself and its neighbours.

    Returns:
        (notes, 32), columns as in `CONTEXT`.
    """
    if not len(score):
        return np.zeros((0, len(CONTEXT)), np.float32)
    firsts, moment = score.firsts(), score.moments()
    columns = {
        **_of_note(score),
        **_of_metre(score),
        **_of_chord(score, firsts, moment),
        **_of_neighbours(score, firsts, moment),
        **_of_surroundings(score),
        **_of_phrase(score, firsts, moment),
    }
    table = np.stack([columns[name] for name in CONTEXT], axis=1)
    return np.clip(table, -6.0, 6.0).astype(np.float32)


def _of_note(score: Score) -> dict[str, Floats]:
    seconds = score.duration * 60 / score.tempo
    span = max(float(score.onset[-1] - score.onset[0]), 1.0)
    return {
        "pitch": (score.pitch - 60) / 20,
        "duration_log2": np.log2(np.maximum(score.duration, 1 / 32)) / 2,
        "seconds_log2": np.log2(np.maximum(seconds, 1 / 32)) / 2,
        "tempo": np.full(len(score), np.log2(score.tempo / 100)),
        "piece_position": (score.onset - score.onset[0]) / span,
        "piece_density": np.full(len(score), np.log2(max(len(score) / span, 0.1)) / 2),
        "sounding": np.log1p(_sounding(score)),
    }


def _sounding(score: Score) -> Floats:
    """Notes begun earlier that are still held at each note's onset."""
    ends = np.sort(score.onset + score.duration)
    begun = np.searchsorted(score.onset, score.onset - 1e-3)
    return np.maximum(begun - np.searchsorted(ends, score.onset + 1e-3), 0).astype(np.float64)


def _of_metre(score: Score) -> dict[str, Floats]:
    bar = 2 * np.pi * score.position / score.bar_length
    beat = 2 * np.pi * score.position / score.beat
    return {
        "bar_sin": np.sin(bar),
        "bar_cos": np.cos(bar),
        "beat_sin": np.sin(beat),
        "beat_cos": np.cos(beat),
        "bar_length": score.bar_length / 4,
        "metric_strength": metric_strength(score),
    }


def metric_strength(score: Score) -> Floats:
    """1 on the downbeat, .75 in the middle of the bar, .5 on beats, .25 on half beats, else 0."""
    strength = np.zeros(len(score))
    for part, value in ((score.beat / 2, 0.25), (score.beat, 0.5), (score.bar_length / 2, 0.75)):
        rest = np.abs(score.position / part - np.round(score.position / part))
        strength[rest < 0.02] = value
    strength[(score.position < 0.02) | (score.bar_length - score.position < 0.02)] = 1.0
    return strength


def _of_chord(score: Score, firsts: NDArray[np.int64], moment: NDArray[np.int64]) -> dict[str, Floats]:
    top, bottom = score.pitch[firsts[1:] - 1], score.pitch[firsts[:-1]]
    return {
        "highest": (score.pitch == top[moment]).astype(np.float64),
        "lowest": (score.pitch == bottom[moment]).astype(np.float64),
        "chord_size": np.log2(np.diff(firsts))[moment],
        "below_top": (top[moment] - score.pitch) / 12,
        "above_bottom": (score.pitch - bottom[moment]) / 12,
    }


def _of_neighbours(score: Score, firsts: NDArray[np.int64], moment: NDArray[np.int64]) -> dict[str, Floats]:
    onset = score.onset[firsts[:-1]]
    mean = np.add.reduceat(score.pitch, firsts[:-1]) / np.diff(firsts)
    top = score.pitch[firsts[1:] - 1]
    gap = np.diff(onset)
    before, after = np.append(4.0, gap), np.append(gap, 4.0)
    earlier, later = (
        np.maximum(np.arange(len(onset)) - 1, 0),
        np.minimum(np.arange(len(onset)) + 1, len(onset) - 1),
    )
    repeated = np.zeros(len(score))
    for lag in range(1, 9):
        if lag < len(score):
            same = (score.pitch[lag:] == score.pitch[:-lag]) & (moment[lag:] == moment[:-lag] + 1)
            repeated[lag:] = np.maximum(repeated[lag:], same)
    return {
        "from_previous": (score.pitch - mean[earlier][moment]) / 12,
        "to_next": (mean[later][moment] - score.pitch) / 12,
        "gap_before": np.log2(np.maximum(before, 1 / 32))[moment] / 2,
        "gap_after": np.log2(np.maximum(after, 1 / 32))[moment] / 2,
        "top_step_before": (top - top[earlier])[moment] / 12,
        "top_step_after": (top[later] - top)[moment] / 12,
        "repeated": repeated,
    }


def _of_surroundings(score: Score) -> dict[str, Floats]:
    def count(low: float, high: float) -> Floats:
        first = np.searchsorted(score.onset, score.onset + low)
        return (np.searchsorted(score.onset, score.onset + high) - first).astype(np.float64)

    first = np.searchsorted(score.onset, score.onset - 4.0)
    last = np.searchsorted(score.onset, score.onset + 4.0)
    total = np.append(0.0, np.cumsum(score.pitch))
    squares = np.append(0.0, np.cumsum(score.pitch**2))
    mean = (total[last] - total[first]) / (last - first)
    spread = np.sqrt(np.maximum((squares[last] - squares[first]) / (last - first) - mean**2, 0))
    return {
        "density_near": np.log2(count(-2, 2) / 4 + 0.25) / 2,
        "density_far": np.log2(count(-8, 8) / 16 + 0.25) / 2,
        "density_change": np.log2((count(0, 4) + 1) / (count(-4, 0) + 1)),
        "pitch_from_near": (score.pitch - mean) / 12,
        "range_near": spread / 12,
    }


def _of_phrase(score: Score, firsts: NDArray[np.int64], moment: NDArray[np.int64]) -> dict[str, Floats]:
    """Time since and until a phrase's edge: a gap of a beat or more that is long for its surroundings."""
    onset = score.onset[firsts[:-1]]
    gap = np.diff(onset)
    width = np.minimum(8, len(gap))
    usual = np.convolve(gap, np.ones(width) / width, mode="same") if len(gap) else gap
    edge = np.flatnonzero((gap > _LONG_GAP * usual[: len(gap)]) & (gap >= score.beat[firsts[:-1]][:-1])) + 1
    starts = np.unique(np.concatenate(([0], edge)))
    place = np.searchsorted(starts, np.arange(len(onset)), side="right") - 1
    ends = np.append(onset[starts[1:]], onset[-1] + 4.0)
    return {
        "phrase_since": np.log1p(onset - onset[starts][place])[moment] / 2,
        "phrase_until": np.log1p(np.maximum(ends[place] - onset, 0))[moment] / 2,
    }
