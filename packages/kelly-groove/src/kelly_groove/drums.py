"""Nine drum classes and the MIDI pitches that mean them.

The classes are those of Gillick et al. (2019), "Learning to Groove with Inverse Sequence Transformations",
appendix; the pitches are those of General MIDI and of the Roland TD-11, whose rims and hi-hat edges have
pitches of their own.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

DRUMS = (
    "kick",
    "snare",
    "closed hi-hat",
    "open hi-hat",
    "low tom",
    "mid tom",
    "high tom",
    "crash",
    "ride",
)
PITCHES: dict[str, tuple[int, ...]] = {
    "kick": (36, 35),
    "snare": (38, 37, 39, 40),
    "closed hi-hat": (42, 22, 44, 54),
    "open hi-hat": (46, 26),
    "low tom": (43, 41, 58),
    "mid tom": (47, 45),
    "high tom": (50, 48),
    "crash": (49, 52, 55, 57),
    "ride": (51, 53, 56, 59),
}
"""Pitches of each class; the first is the one that Kelly writes."""
CHANNEL = 9
"""General MIDI's drum channel, counted from 0."""

_CLASS = np.full(128, -1, dtype=np.int64)
for _index, _name in enumerate(DRUMS):
    _CLASS[list(PITCHES[_name])] = _index


def drum_class(pitch: NDArray[np.integer]) -> NDArray[np.int64]:
    """Class of each MIDI pitch, -1 where it is none of the nine.

    >>> drum_class(np.array([36, 40, 81])).tolist()
    [0, 1, -1]
    """
    return np.asarray(_CLASS[np.asarray(pitch, dtype=np.int64)])
