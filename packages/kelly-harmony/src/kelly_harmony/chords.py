"""The vocabulary of chords: 12 roots by ten qualities, and no chord; labels, symbols, and the reduced classes.

A chord is a number: `root * 10 + quality`, roots counted from C, `NONE` for silence. Labels are those of
Harte et al. (2005), `root:quality(degrees)/bass`; the bass isn't part of the vocabulary.
"""

from __future__ import annotations

import re
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

QUALITIES: dict[str, tuple[int, ...]] = {
    "maj": (0, 4, 7),
    "min": (0, 3, 7),
    "dim": (0, 3, 6),
    "aug": (0, 4, 8),
    "sus2": (0, 2, 7),
    "sus4": (0, 5, 7),
    "7": (0, 4, 7, 10),
    "maj7": (0, 4, 7, 11),
    "min7": (0, 3, 7, 10),
    "hdim7": (0, 3, 6, 10),
}
"""Semitones above the root of each quality, in the vocabulary's order."""
NAMES = tuple(QUALITIES)
N_QUALITIES = len(NAMES)
NONE = 12 * N_QUALITIES
"""No chord."""
N_CHORDS = NONE + 1
UNKNOWN = -1
"""Where a dataset says nothing about a beat."""
N_CLASSES = 25
"""Reduced classes: 12 major, 12 minor (`2 * root + minor`), none."""
NO_CLASS = 24
ROOTS = ("C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B")
_SHARP_ROOTS = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
_SUFFIXES = ("", "m", "dim", "aug", "sus2", "sus4", "7", "maj7", "m7", "m7b5")
_LETTERS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_TRIADS = {"maj": 0, "min": 1, "7": 0, "maj7": 0, "min7": 1}
"""Qualities with a class of their own among the 25, as mir_eval's `majmin` counts them; others have none."""
_OF_QUALITY = np.array([_TRIADS.get(name, -1) for name in NAMES])
CLASS_OF = np.append(
    np.where(
        np.tile(_OF_QUALITY, 12) >= 0, 2 * np.repeat(np.arange(12), N_QUALITIES) + np.tile(_OF_QUALITY, 12), -1
    ),
    NO_CLASS,
)
"""(N_CHORDS,) reduced class of each chord; -1 for those that are neither major nor minor."""
_LABEL = re.compile(r"([A-G])([#b]*)(?::([^/(]*))?(\([^)]*\))?(?:/\S+)?$")
_SIMPLER = {
    "": "maj",
    "maj6": "maj",
    "6": "maj",
    "min6": "min",
    "minmaj7": "min",
    "dim7": "dim",
    "9": "7",
    "11": "7",
    "13": "7",
    "maj9": "maj7",
    "maj11": "maj7",
    "maj13": "maj7",
    "min9": "min7",
    "min11": "min7",
    "min13": "min7",
    "5": "maj",
    "1": "maj",
}
"""Qualities outside the vocabulary, and what they count as: the chord without the notes that it adds."""


@lru_cache(maxsize=4096)
def parse_label(label: str) -> int:
    """The chord of a label of a dataset.

    Args:
        label: As in `A:min7/b3`, `Eb:sus4(b7)`, `C`, `N` (none) or `X` (can't be told).

    Returns:
        A chord, `NONE` or `UNKNOWN`.

    Raises:
        ValueError: It is no chord label.

    >>> parse_label("A:min7/b3") == 9 * 10 + 8
    True
    """
    label = label.strip()
    if label == "N":
        return NONE
    if label == "X":
        return UNKNOWN
    found = _LABEL.match(label)
    if not found:
        raise ValueError(f"{label!r} is no chord label")
    letter, signs, quality, _ = found.groups()
    quality = _SIMPLER.get(quality or "", quality or "maj")
    if quality not in QUALITIES:
        raise ValueError(f"{label!r} has the unknown quality {quality!r}")
    root = (_LETTERS[letter] + signs.count("#") - signs.count("b")) % 12
    return root * N_QUALITIES + NAMES.index(quality)


def label_of(chord: int) -> str:
    """Its label, as mir_eval reads it: `A:min7`, `N`; `X` where nothing is known."""
    if chord < 0:
        return "X"
    return "N" if chord == NONE else f"{ROOTS[chord // N_QUALITIES]}:{NAMES[chord % N_QUALITIES]}"


def symbol_of(chord: int, key: int | None = None) -> str:
    """Its symbol for people, with flats or sharps as the key has them: `F#m7`, `Bbmaj7`, `N.C.`.

    Args:
        chord: A chord or `NONE`.
        key: `2 * tonic + minor`; None spells as in C.
    """
    if chord == NONE:
        return "N.C."
    names = _SHARP_ROOTS if key is not None and _has_sharps(key) else ROOTS
    return names[chord // N_QUALITIES] + _SUFFIXES[chord % N_QUALITIES]


def _has_sharps(key: int) -> bool:
    major = (key // 2 + 3 * (key % 2)) % 12  # the relative major's tonic
    return major in {7, 2, 9, 4, 11, 6}


def chord_of(pitch_classes: ArrayLike, bass: int) -> int:
    """The chord that sounding notes spell, the bass as root where several would do.

    Args:
        pitch_classes: What sounds, 0 to 11.
        bass: Pitch class of the lowest note.

    Returns:
        A chord of the vocabulary; the smallest that holds the notes where some are left out, the largest in
        them where some are too many. `NONE` for silence, `UNKNOWN` where nothing fits.
    """
    sounding = frozenset(int(pitch) % 12 for pitch in np.atleast_1d(np.asarray(pitch_classes)))
    return _spelled(sounding, int(bass) % 12)


@lru_cache(maxsize=8192)
def _spelled(sounding: frozenset[int], bass: int) -> int:
    if not sounding:
        return NONE
    roots = [bass, *sorted(sounding - {bass})]
    for root in roots:
        above = frozenset((pitch - root) % 12 for pitch in sounding)
        for quality, tones in enumerate(QUALITIES.values()):
            if above == frozenset(tones):
                return root * N_QUALITIES + quality
    by_size = sorted(range(N_QUALITIES), key=lambda at: len(QUALITIES[NAMES[at]]))
    for root in roots:
        above = frozenset((pitch - root) % 12 for pitch in sounding)
        has_third = {0, 3} <= above or {0, 4} <= above
        for quality in by_size:  # a note is left out, mostly the fifth
            if has_third and above <= frozenset(QUALITIES[NAMES[quality]]):
                return root * N_QUALITIES + quality
        for quality in reversed(by_size):  # notes that the chord doesn't have
            if frozenset(QUALITIES[NAMES[quality]]) <= above:
                return root * N_QUALITIES + quality
    return UNKNOWN


def reduced(chords: NDArray[np.integer]) -> NDArray[np.int64]:
    """Their classes among the 25: `2 * root + minor`, `NO_CLASS`, -1 for the others and unknown ones."""
    return np.where(chords >= 0, CLASS_OF[np.maximum(chords, 0)], -1).astype(np.int64)


def transposed(chords: NDArray[np.integer], semitones: int) -> NDArray[np.int64]:
    """Chords moved up; none and unknown stay."""
    moved = (chords + semitones * N_QUALITIES) % NONE
    return np.where((chords < 0) | (chords == NONE), chords, moved).astype(np.int64)
