"""Key by name, and estimated from pitches where a file says nothing."""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import ArrayLike

from kelly_core.errors import UserError
from kelly_melody.tokens import Key

MAJOR = (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88)
MINOR = (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17)
"""How well the pitch classes from the tonic up fit a key (Krumhansl and Kessler, 1982)."""
_LETTERS = {"C": 0, "G": 1, "D": 2, "A": 3, "E": 4, "B": 5, "F": -1}
_NAME = re.compile(r"\s*([A-Ga-g])\s*([#b♯♭]?)\s*(maj(?:or)?|min(?:or)?|m|M)?\s*")


def parse_key(text: str, source: str = "asked") -> Key:
    """A key by name: `C`, `F# minor`, `Bbm`, `Ebmaj`.

    >>> parse_key("F#m").fifths, parse_key("Eb").fifths, parse_key("C# minor").name
    (3, -3, 'C# minor')

    Raises:
        UserError: It is no key, or one with more than seven sharps or flats.
    """
    found = _NAME.fullmatch(text)
    if found:
        letter, accidental, mode = found.groups()
        minor = bool(mode) and (mode == "m" or mode.startswith("min"))
        fifths = _LETTERS[letter.upper()] + 7 * (accidental in "#♯" and accidental != "")
        fifths -= 7 * (accidental in "b♭" and accidental != "") + 3 * minor
        if -7 <= fifths <= 7:
            return Key(fifths, minor, source)
    raise UserError(f"{text!r} is no key", where="key", hint="write it like G, Bb, 'F# minor' or Em")


def estimate_key(pitch: ArrayLike, duration: ArrayLike) -> Key:
    """The key whose profile correlates best with the time that each pitch class sounds.

    Args:
        pitch: (notes,) MIDI pitches.
        duration: (notes,) how long each sounds, in any unit.
    """
    sounding = np.bincount(np.asarray(pitch, np.int64) % 12, np.asarray(duration, float), 12)
    profiles = np.array([np.roll(profile, tonic) for profile in (MAJOR, MINOR) for tonic in range(12)])
    profiles -= profiles.mean(axis=1, keepdims=True)
    profiles /= np.linalg.norm(profiles, axis=1, keepdims=True)
    best = int(np.argmax(profiles @ (sounding - sounding.mean())))
    minor = best >= 12
    fifths = (7 * (best % 12) + 9 * minor) % 12  # of the major key, or of the relative major
    return Key(fifths - 12 if fifths > 6 else fifths, minor, "estimated")
