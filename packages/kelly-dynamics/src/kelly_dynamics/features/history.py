"""The 20 numbers about what this performer has done so far; the same code live and in training.

`History` is asked for the coming moment, then told how it was played. Nothing of the moment itself is used,
so chords are predicted before any of their notes sounds.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from kelly_dynamics.score import Performance, Score

HISTORY = (
    "known", "last_mean", "last_top", "last_bottom", "mean_2", "mean_8", "mean_32", "mean_all", "deviation_8",
    "trend", "near_pitch", "near_pitch_long", "top_line", "other_lines", "bar_ago", "bar_ago_known",
    "seen_before", "seen_velocity", "seen_change", "tempo_now",
)  # fmt: skip
"""Columns of the history; velocities are (velocity - 64) / 20."""
NOTES = 48
"""How many of the latest notes are compared by pitch."""
_DECAYS = np.array([1 - 1 / 2, 1 - 1 / 8, 1 - 1 / 32])


class History:
    """What has been played, in a few running figures.

    Args:
        score: All that is written; later moments are looked at only to know a passage that returns.
    """

    def __init__(self, score: Score) -> None:
        self.score = score
        self.firsts = score.firsts()
        self.seen = _earlier(score, self.firsts)
        self.moment = 0
        self._velocity = np.zeros(len(score))
        self._mean_then = np.zeros(len(score))
        self._bar_mean: dict[tuple[float, int], tuple[float, float]] = {}
        self._means = np.zeros(3)
        self._square = 0.0
        self._all, self._count = 0.0, 0
        self._top, self._other = 0.0, 0.0
        self._first: tuple[float, float] | None = None
        self._last: tuple[float, float] = (0.0, 0.0)
        self._period, self._overall = 0.0, 0.0
        self._chord: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def coming(self) -> NDArray[np.float32]:
        """(notes of the coming moment, 20), columns as in `HISTORY`."""
        first, last = int(self.firsts[self.moment]), int(self.firsts[self.moment + 1])
        table = np.zeros((last - first, len(HISTORY)), np.float32)
        if self.moment == 0:
            return table
        mean, top, bottom = self._chord
        tempo = np.log2(self._period / self._overall) if self._period > 0 and self._overall > 0 else 0.0
        table[:, 0] = 1.0
        table[:, 1:10] = (
            mean, top, bottom, *self._means, self._all / self._count,
            np.sqrt(max(self._square - self._means[1] ** 2, 0.0)), mean - self._means[1],
        )  # fmt: skip
        table[:, 10:12] = self._by_pitch(first, last)
        table[:, 12], table[:, 13] = self._top, self._other
        table[:, 14:16] = self._bar_ago(first, last)
        table[:, 16:19] = self._returning(first, last)
        table[:, 19] = min(max(tempo, -2.0), 2.0)
        return table

    def played(self, velocity: Sequence[float] | NDArray[np.float64], onset: float) -> None:
        """Tell how the coming moment was played, and go on to the next.

        Args:
            velocity: (notes,) of the moment, 1 to 127, by rising pitch.
            onset: When, seconds.
        """
        first, last = int(self.firsts[self.moment]), int(self.firsts[self.moment + 1])
        scaled = (np.asarray(velocity, np.float64) - 64) / 20
        self._velocity[first:last] = scaled
        self._mean_then[first:last] = self._means[1] if self.moment else scaled.mean()
        mean = float(scaled.mean())
        self._bar_mean[self._place(first)] = (float(self.score.pitch[first:last].mean()), mean)
        if self.moment == 0:
            self._means[:] = mean
            self._square, self._top, self._other = mean**2, float(scaled[-1]), float(scaled[0])
        else:
            self._means += (1 - _DECAYS) * (mean - self._means)
            self._square += (1 - _DECAYS[1]) * (mean**2 - self._square)
            self._top += 0.25 * (float(scaled[-1]) - self._top)
            if len(scaled) > 1:
                self._other += 0.25 * (float(scaled[:-1].mean()) - self._other)
        self._all += float(scaled.sum())
        self._count += last - first
        self._chord = (mean, float(scaled[-1]), float(scaled[0]))
        self._time(float(self.score.onset[first]), onset)
        self.moment += 1

    def _time(self, written: float, heard: float) -> None:
        if self._first is None:
            self._first = (written, heard)
        else:
            period = (heard - self._last[1]) / max(written - self._last[0], 1e-3)
            if period > 0:
                self._period = period if self._period == 0 else self._period + 0.2 * (period - self._period)
            self._overall = (heard - self._first[1]) / max(written - self._first[0], 1e-3)
        self._last = (written, heard)

    def _place(self, note: int) -> tuple[float, int]:
        bar = (self.score.onset[note] - self.score.position[note]) / self.score.bar_length[note]
        return round(float(self.score.position[note]), 2), round(float(bar))

    def _by_pitch(self, first: int, last: int) -> NDArray[np.float64]:
        """Mean velocity of recent notes near each pitch: over a third and a beat, over a sixth and four."""
        begin = max(0, first - NOTES)
        pitch = self.score.pitch[first:last, None] - self.score.pitch[begin:first]
        age = self.score.onset[first] - self.score.onset[begin:first]
        result = np.empty((last - first, 2))
        for at, (width, length) in enumerate(((3.0, 1.0), (8.0, 4.0))):
            weight = np.exp(-np.abs(pitch) / width - age / length) + 1e-9
            result[:, at] = weight @ self._velocity[begin:first] / weight.sum(axis=1)
        return result

    def _bar_ago(self, first: int, last: int) -> tuple[float, float]:
        place, bar = self._place(first)
        found = self._bar_mean.get((place, bar - 1))
        return (found[1], 1.0) if found else (float(self._means[1]), 0.0)

    def _returning(self, first: int, last: int) -> NDArray[np.float64]:
        """Whether this note came before in the same surroundings, how loud, and against the mean then."""
        before, level = self.seen[first:last, 0], self.seen[first:last, 1]
        known = before >= 0
        velocity = np.where(known, self._velocity[before], self._means[1])
        change = np.where(known, velocity - self._mean_then[before], 0.0)
        return np.stack([level / 2, velocity, change], axis=1)


def history(score: Score, played: Performance) -> NDArray[np.float32]:
    """What a live listener knows before each note: (notes, 20)."""
    live = History(score)
    firsts = live.firsts
    tables = []
    for first, last in pairwise(firsts):
        tables.append(live.coming())
        live.played(played.velocity[first:last], float(played.start[first:last].mean()))
    return np.concatenate(tables) if tables else np.zeros((0, len(HISTORY)), np.float32)


def _earlier(score: Score, firsts: NDArray[np.int64]) -> NDArray[np.int64]:
    """(notes, 2): the latest earlier note in the same surroundings, or -1, and how much agrees, 0 to 2.

    2: the moment and two on either side have the same pitches and gaps; 1: the moment and its neighbours do.
    """
    pitches = [tuple(score.pitch[a:b].astype(int)) for a, b in pairwise(firsts)]
    gaps = np.round(np.diff(score.onset[firsts[:-1]], append=np.inf), 2)
    whole = list(zip(pitches, gaps.tolist(), strict=True))
    result = np.full((len(score), 2), 0, np.int64)
    result[:, 0] = -1
    known: tuple[dict[object, int], dict[object, int]] = ({}, {})
    for at, (first, last) in enumerate(pairwise(firsts)):
        for level, reach in ((1, 1), (2, 2)):
            key = hash(tuple(whole[max(0, at - reach) : at + reach + 1]))
            found = known[level - 1].get(key)
            if found is not None and last - first == firsts[found + 1] - firsts[found]:
                result[first:last, 0] = np.arange(firsts[found], firsts[found + 1])
                result[first:last, 1] = level
            known[level - 1][key] = at
    return result
