"""Musical keys: by name, as a key signature counts them, and estimated from what sounds."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from kelly_core.errors import UserError

MAJOR = (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88)
"""How well the pitch classes from the tonic up fit a major key: Krumhansl, Cognitive Foundations of Musical
Pitch (1990), table 2.1 (probe tones of Krumhansl and Kessler, 1982)."""
MINOR = (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17)
"""The same for a minor key."""
_LETTERS = {"C": 0, "G": 1, "D": 2, "A": 3, "E": 4, "B": 5, "F": -1}
_NAME = re.compile(r"\s*([A-Ga-g])\s*([#b♯♭]?)[\s:]*(maj(?:or)?|min(?:or)?|m|M)?\s*")
_SPELLED = tuple("Fb Cb Gb Db Ab Eb Bb F C G D A E B F# C# G# D# A# E# B#".split())  # noqa: SIM905


@dataclass(frozen=True)
class Key:
    """A key.

    Attributes:
        fifths: Sharps, or flats as negative numbers; -7 to 7.
        minor: Whether it is a minor key.
        source: `"file"`, `"asked"` or `"estimated"`.
    """

    fifths: int = 0
    minor: bool = False
    source: str = "file"

    @property
    def tonic(self) -> int:
        """Pitch class of the tonic, 0 for C to 11.

        >>> Key(fifths=1).tonic, Key(fifths=1, minor=True).tonic
        (7, 4)
        """
        return (self.major_tonic + 9 * self.minor) % 12

    @property
    def major_tonic(self) -> int:
        """Pitch class of the tonic of the (relative) major key."""
        return 7 * self.fifths % 12

    @property
    def shift(self) -> int:
        """Semitones that move this key to C or a minor, -6 to 5."""
        return (6 - self.major_tonic) % 12 - 6

    @property
    def name(self) -> str:
        """As in `"F# minor"`."""
        return f"{_SPELLED[self.fifths + 8 + 3 * self.minor]} {'minor' if self.minor else 'major'}"


def parse_key(text: str, source: str = "asked") -> Key:
    """A key by name: `C`, `F# minor`, `Bbm`, `Eb:maj`. With more than seven sharps or flats it is spelled anew.

    >>> parse_key("F#m").fifths, parse_key("Eb").fifths, parse_key("G# major").name
    (3, -3, 'Ab major')

    Raises:
        UserError: It is no key.
    """
    found = _NAME.fullmatch(text)
    if not found:
        raise UserError(f"{text!r} is no key", where="key", hint="write it like G, Bb, 'F# minor' or Em")
    letter, accidental, mode = found.groups()
    minor = bool(mode) and (mode == "m" or mode.startswith("min"))
    fifths = _LETTERS[letter.upper()] + {"#": 7, "♯": 7, "b": -7, "♭": -7}.get(accidental, 0) - 3 * minor
    if abs(fifths) > 7:
        fifths += 12 if fifths < 0 else -12
    return Key(fifths, minor, source)


def estimate_key(lasting: ArrayLike) -> Key:
    """The key whose profile correlates best with how long each pitch class sounds; C major for silence.

    Args:
        lasting: (12,) total duration of each pitch class from C, in any unit.

    Source: Krumhansl (1990), chapter 4.
    """
    sounding = np.asarray(lasting, float)
    profiles = np.array([np.roll(profile, tonic) for profile in (MAJOR, MINOR) for tonic in range(12)])
    profiles -= profiles.mean(axis=1, keepdims=True)
    profiles /= np.linalg.norm(profiles, axis=1, keepdims=True)
    best = int(np.argmax(profiles @ (sounding - sounding.mean())))
    minor = best >= 12
    fifths = (7 * (best % 12) + 9 * minor) % 12  # of the major key, or of the relative major
    return Key(fifths - 12 if fifths > 6 else fifths, minor, "estimated")
