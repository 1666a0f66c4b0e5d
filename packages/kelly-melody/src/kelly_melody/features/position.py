"""Where tokens stand: place in the bar, bar of the phrase, metre, key."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from kelly_melody.tokens import GRID, Metre

METRES = ((4, 4), (2, 4), (3, 4), (6, 8), (9, 8), (12, 8), (2, 2), (3, 2))
"""Metres that have an input of their own; others share one."""
PLACES = 4 * GRID * 3 // 2 // 6
"""16ths of the longest bar that is told apart; later places count as the last."""
BARS = 8
PHRASES = 8

POSITION_SIZES = {
    "sixteenth": PLACES,
    "tick": GRID,
    "bar": BARS,
    "phrase": PHRASES,
    "metre": len(METRES) + 1,
    "upbeat": 1,
}
"""One-hot place in the bar in 16ths, place in the quarter in ticks, bar in its eight, eight bars so far, metre;
whether it is in the upbeat."""
POSITION = sum(POSITION_SIZES.values())


def bars_of(
    onsets: NDArray[np.int64], start: int, changes: Sequence[tuple[int, Metre]]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], list[Metre]]:
    """Where onsets lie in bars.

    Args:
        onsets: (n,) ticks since the first bar line.
        start: Where the melody begins; after an upbeat, bars count from the first whole one, the upbeat is -1.
        changes: Metres by tick, the first at tick 0.

    Returns:
        Bar number, place in the bar, length of the bar in ticks, each (n,); the metres in use.
    """
    starts = np.array([tick for tick, _ in changes])
    lengths = np.array([metre.ticks for _, metre in changes])
    row = np.maximum(0, np.searchsorted(starts, onsets, side="right") - 1)
    first = np.concatenate([[0], np.cumsum(-(-np.diff(starts) // lengths[:-1]))])
    since = onsets - starts[row]
    bar = first[row] + since // lengths[row] - int(start > 0)
    return bar, since % lengths[row], lengths[row], [changes[at][1] for at in row]


def position_features(
    bar: NDArray[np.int64], place: NDArray[np.int64], metres: list[Metre]
) -> NDArray[np.float32]:
    """(tokens, POSITION) of zeros and ones."""
    out = np.zeros((len(bar), POSITION), np.float32)
    rows = np.arange(len(bar))
    kinds = {metre: at for at, metre in enumerate(METRES)}
    parts = (
        (np.minimum(place // 6, PLACES - 1), PLACES),
        (place % GRID, GRID),
        (bar % BARS, BARS),
        (np.clip(bar // BARS, 0, PHRASES - 1), PHRASES),
        (np.array([kinds.get((m.numerator, m.denominator), len(METRES)) for m in metres]), len(METRES) + 1),
    )
    at = 0
    for index, size in parts:
        out[rows, at + index] = 1.0
        at += size
    out[:, at] = bar < 0
    return out
