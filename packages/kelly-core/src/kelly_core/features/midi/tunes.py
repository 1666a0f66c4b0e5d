"""Which files are the same tune: transposed, faster, or nearly alike; so that a split keeps them together.

A tune is known by its runs of pitch intervals and of relative durations between onsets, both of which
transposition and tempo leave alone. Drum parts are alike by nature, so only identical ones count.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kelly_core.features.midi.read import DRUM_CHANNEL

RUN = 6
"""Intervals in a run; seven notes in a row."""
FEWEST = 8
"""Runs that a file must have before a part of them can count; shorter files must agree in all."""
SHARE = 0.5
"""Part of the shorter file's runs that the longer one must have too."""
COMMON = 64
"""A run in more files than this says nothing (a scale)."""


def tune_runs(notes: NDArray[Any]) -> frozenset[int]:
    """Fingerprints of the runs of a file's highest voice; of the whole part for drums alone.

    Args:
        notes: (notes,) of `NOTE_DTYPE`.
    """
    pitched = notes[notes["channel"] != DRUM_CHANNEL]
    if len(pitched) == 0:
        grid = np.rint(notes["onset"] * 50).astype(np.int64)  # 20 ms
        return frozenset([hash(grid.tobytes() + notes["pitch"].tobytes())]) if len(notes) else frozenset()
    order = np.lexsort((-pitched["pitch"].astype(np.int64), pitched["onset_tick"]))
    sorted_notes = pitched[order]
    top = np.concatenate([[True], np.diff(sorted_notes["onset_tick"]) > 0])
    voice = sorted_notes[top]
    intervals = np.diff(voice["pitch"].astype(np.int64))
    gaps = np.maximum(1, np.diff(voice["onset_tick"])).astype(np.float64)
    # Ratios of neighbouring gaps in thirds of an octave: swing and small timing don't change them.
    ratios = np.rint(np.clip(np.log2(gaps[1:] / gaps[:-1]), -4, 4) * 1.5).astype(np.int64)
    symbols = intervals[1:] * 32 + ratios
    count = len(symbols) - RUN + 1
    if count < 1:
        return frozenset([hash((intervals.tobytes(), ratios.tobytes()))])
    return frozenset(hash(symbols[at : at + RUN].tobytes()) for at in range(count))


def same_tunes(files: Sequence[frozenset[int]]) -> list[int]:
    """A number per file, equal for files of one tune.

    Args:
        files: `tune_runs` of each.

    Returns:
        The position of the first file of the same tune.
    """
    sets = Joined(len(files))
    for (a, b), count in _shared(files).items():
        shorter = min(len(files[a]), len(files[b]))
        if count == shorter or (shorter >= FEWEST and count >= SHARE * shorter):
            sets.join(a, b)
    # Identical files share every run, even those that are too common to compare by.
    first: dict[frozenset[int], int] = {}
    for at, runs in enumerate(files):
        if runs:
            sets.join(at, first.setdefault(runs, at))
    return [sets.root(at) for at in range(len(files))]


def _shared(files: Sequence[frozenset[int]]) -> Counter[tuple[int, int]]:
    """How many runs two files share, for pairs that share any."""
    holders: defaultdict[int, list[int]] = defaultdict(list)
    for at, runs in enumerate(files):
        for run in runs:
            holders[run].append(at)
    shared: Counter[tuple[int, int]] = Counter()
    for places in holders.values():
        if len(places) <= COMMON:
            shared.update((a, b) for i, a in enumerate(places) for b in places[i + 1 :])
    return shared


class Joined:
    """Numbers that are joined into sets; the smallest of a set names it."""

    def __init__(self, count: int) -> None:
        self.parent = list(range(count))

    def root(self, at: int) -> int:
        """The smallest number of the set."""
        while self.parent[at] != at:
            self.parent[at] = self.parent[self.parent[at]]
            at = self.parent[at]
        return at

    def join(self, a: int, b: int) -> None:
        """Make one set of two."""
        low, high = sorted((self.root(a), self.root(b)))
        self.parent[high] = low
