"""Tempo and metre maps: ticks to seconds and back, quarter notes, bars.

Ticks are from the start of the file, seconds too; beats are quarter notes whatever the metre.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

TEMPO_DTYPE = np.dtype([("tick", "i8"), ("seconds", "f8"), ("us_per_quarter", "f8")])
METRE_DTYPE = np.dtype([("tick", "i8"), ("numerator", "u1"), ("denominator", "u1")])
KEY_DTYPE = np.dtype([("tick", "i8"), ("fifths", "i1"), ("minor", "?")])
DEFAULT_TEMPO = 500_000.0
"""Microseconds per quarter note where a file says nothing (120 per minute)."""


@dataclass(frozen=True)
class Bars:
    """Where ticks lie in bars.

    Attributes:
        bar: (n,) int64, number of the bar, counted from 0; a change of metre starts a new bar.
        position: (n,) float64, quarter notes since the bar line.
        length: (n,) float64, quarter notes that a full bar has.
    """

    bar: NDArray[np.int64]
    position: NDArray[np.float64]
    length: NDArray[np.float64]


def tempo_map(changes: list[tuple[int, float]], ticks_per_beat: int) -> NDArray[Any]:
    """Tempo changes with the second each begins at; begins at tick 0, one entry per tick, the last one wins.

    Args:
        changes: (tick, microseconds per quarter note), in any order.
        ticks_per_beat: Ticks per quarter note.
    """
    # Equal ticks keep the file's order, so the last one in it wins.
    at = dict(sorted([(0, DEFAULT_TEMPO), *changes], key=lambda change: change[0]))
    out = np.zeros(len(at), TEMPO_DTYPE)
    out["tick"] = list(at)
    out["us_per_quarter"] = list(at.values())
    spans = np.diff(out["tick"]) * out["us_per_quarter"][:-1] / (1e6 * ticks_per_beat)
    out["seconds"][1:] = np.cumsum(spans)
    return out


def metre_map(changes: list[tuple[int, int, int]]) -> NDArray[Any]:
    """Metre changes by tick; begins at tick 0 with 4/4 where the file says nothing."""
    at = {0: (4, 4)}
    for tick, numerator, denominator in sorted(changes, key=lambda change: change[0]):
        at[tick] = (numerator, denominator)
    return np.array([(tick, *metre) for tick, metre in at.items()], METRE_DTYPE)


def to_seconds(tempo: NDArray[Any], ticks_per_beat: int, tick: ArrayLike) -> NDArray[np.float64]:
    """Seconds at these ticks."""
    ticks = np.asarray(tick, np.float64)
    row = tempo[np.maximum(0, np.searchsorted(tempo["tick"], ticks, side="right") - 1)]
    return np.asarray(row["seconds"] + (ticks - row["tick"]) * row["us_per_quarter"] / (1e6 * ticks_per_beat))


def to_tick(tempo: NDArray[Any], ticks_per_beat: int, seconds: ArrayLike) -> NDArray[np.int64]:
    """Nearest ticks at these seconds."""
    times = np.asarray(seconds, np.float64)
    row = tempo[np.maximum(0, np.searchsorted(tempo["seconds"], times, side="right") - 1)]
    ticks = row["tick"] + (times - row["seconds"]) * 1e6 * ticks_per_beat / row["us_per_quarter"]
    return np.asarray(np.rint(ticks).astype(np.int64))


def to_bars(metre: NDArray[Any], ticks_per_beat: int, tick: ArrayLike) -> Bars:
    """Bar, place in it and its length at these ticks; a bar cut short by a change of metre still counts."""
    ticks = np.atleast_1d(np.asarray(tick, np.int64))
    length = 4.0 * metre["numerator"] / metre["denominator"]  # quarter notes
    spans = np.diff(metre["tick"]) / (ticks_per_beat * length[:-1])
    first = np.concatenate([[0], np.cumsum(np.ceil(spans - 1e-9))]).astype(np.int64)
    row = np.maximum(0, np.searchsorted(metre["tick"], ticks, side="right") - 1)
    beats = (ticks - metre["tick"][row]) / ticks_per_beat
    inside = np.floor(beats / length[row] + 1e-9)
    return Bars(
        first[row] + inside.astype(np.int64), np.maximum(0.0, beats - inside * length[row]), length[row]
    )
