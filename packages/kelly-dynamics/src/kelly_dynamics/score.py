"""The note table that everything here works on: one row per note, sorted by onset and pitch.

Score times are quarters; performed times are seconds. NumPy only, so that inference needs no torch.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SAME_ONSET = 1e-3
"""Score onsets nearer than this (quarters) are one moment."""
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Score:
    """What is written.

    Attributes:
        onset, duration: (notes,) quarters, sorted by onset, then pitch; duration 0 is a grace note.
        pitch: (notes,) MIDI pitch.
        position: (notes,) place in the bar, quarters.
        bar_length, beat: (notes,) quarters.
        tempo: Quarters per minute.
        markings: (notes, 24) values of `musicxml.MARKINGS`, zeros where none are known.
    """

    onset: Floats
    duration: Floats
    pitch: Floats
    position: Floats
    bar_length: Floats
    beat: Floats
    tempo: float
    markings: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.onset)

    def moments(self) -> NDArray[np.int64]:
        """(notes,) number of the moment (distinct onset) that each note belongs to, from 0."""
        return np.cumsum(np.diff(self.onset, prepend=self.onset[:1]) > SAME_ONSET)

    def firsts(self) -> NDArray[np.int64]:
        """(moments + 1,) position of each moment's first note, then the number of notes."""
        moment = self.moments()
        return np.append(
            np.searchsorted(moment, np.arange(int(moment[-1]) + 1 if len(moment) else 0)), len(self)
        )


@dataclass(frozen=True)
class Performance:
    """What was played.

    Attributes:
        velocity: (notes,) 1 to 127.
        start, end: (notes,) key down and up, seconds.
    """

    velocity: Floats
    start: Floats
    end: Floats
