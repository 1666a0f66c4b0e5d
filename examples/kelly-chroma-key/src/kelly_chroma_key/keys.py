"""The 24 keys as numbers, and how near a wrong one is: `tonic + 12 * minor`, tonics counted from C."""

from __future__ import annotations

import numpy as np
from kelly_core.features.midi import Key
from numpy.typing import NDArray

KEYS = 24
_NAMES = ("C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
LABELS = tuple(f"{name} {mode}" for mode in ("major", "minor") for name in _NAMES)
Ints = NDArray[np.integer]


def number_of(key: Key) -> int:
    """The number of a key.

    >>> LABELS[number_of(Key(fifths=1, minor=True))]
    'E minor'
    """
    return key.tonic + 12 * int(key.minor)


def transposed(keys: Ints, semitones: int) -> Ints:
    """Keys moved up; -1, an unknown key, stays.

    Args:
        keys: Any shape.
        semitones: How far.
    """
    return np.where(keys >= 0, (keys % 12 + semitones) % 12 + 12 * (keys // 12), keys)


def nearness(said: Ints, true: Ints) -> NDArray[np.float64]:
    """MIREX's score of each answer: 1, a fifth above 0.5, the relative key 0.3, the parallel key 0.2, else 0.

    Source: MIREX audio key detection, with ascending fifths as in mir_eval.

    Args:
        said: (items,) numbers of keys.
        true: (items,) numbers of keys.
    """
    up = (said - true) % 12
    same_mode = said // 12 == true // 12
    relative = np.where(true // 12 == 0, 9, 3)
    score = np.where(same_mode & (up == 7), 0.5, 0.0)
    score = np.where(~same_mode & (up == relative), 0.3, score)
    score = np.where(~same_mode & (up == 0), 0.2, score)
    return np.where(said == true, 1.0, score)
