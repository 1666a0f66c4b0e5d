"""Keys: names, key signatures, and the key that a melody seems to be in.

A key is the number `2 * tonic + minor`, tonics counted from C.
"""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from kelly_core.errors import UserError
from kelly_harmony.chords import ROOTS

N_KEYS = 24
_LETTERS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_NAME = re.compile(r"\s*([A-Ga-g])([#b]?)[\s:]*(major|maj|minor|min|m)?\s*$")
_PROFILES = np.array(
    [
        [6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88],
        [6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17],
    ]
)
"""How well each degree fits a major and a minor key: Krumhansl, Cognitive Foundations of Musical Pitch
(1990), table 2.1 (probe tones)."""


def parse_key(text: str) -> int:
    """A key as people write it: `G major`, `Am`, `f# min`, `Bb`.

    Raises:
        UserError: It is no key.

    >>> parse_key("A minor"), parse_key("Bb")
    (19, 20)
    """
    found = _NAME.match(text)
    if not found:
        raise UserError(f"{text!r} is no key", hint="as in 'G major', 'F# minor' or 'Bbm'")
    letter, sign, mode = found.groups()
    tonic = (_LETTERS[letter.upper()] + (sign == "#") - (sign == "b")) % 12
    minor = mode in {"minor", "min", "m"}
    return 2 * tonic + int(minor)


def key_name(key: int) -> str:
    """Its name for people: `Bb major`."""
    return f"{ROOTS[key // 2]} {'minor' if key % 2 else 'major'}"


def key_of_signature(fifths: int, *, minor: bool) -> int:
    """The key of a MIDI key signature.

    Args:
        fifths: Sharps, or flats below 0.
        minor: Its mode.

    >>> key_name(key_of_signature(-1, minor=True))
    'D minor'
    """
    major = 7 * fifths % 12
    return 2 * ((major + 9 * minor) % 12) + int(minor)


def estimate_key(profile: NDArray[np.floating]) -> int:
    """The key whose profile correlates best with how long each pitch class sounds; C major for silence.

    Args:
        profile: (12,) durations by pitch class.

    Source: Krumhansl (1990), chapter 4.
    """
    if profile.sum() <= 0 or profile.std() == 0:
        return 0
    scores = [
        np.corrcoef(np.roll(_PROFILES[minor], tonic), profile)[0, 1] for tonic in range(12) for minor in (0, 1)
    ]
    return int(np.argmax(scores))
