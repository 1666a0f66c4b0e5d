"""Synthetic songs: a progression that songs often have, turned and varied, and a melody of its chord tones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kelly_harmony.chords import N_QUALITIES, NAMES, QUALITIES

BEATS = 4
MAJOR = (
    ("0 maj", "7 maj", "9 min", "5 maj"),
    ("9 min", "5 maj", "0 maj", "7 maj"),
    ("0 maj", "9 min", "5 maj", "7 7"),
    ("2 min7", "7 7", "0 maj7", "0 maj7"),
    ("0 maj", "4 min", "5 maj", "7 sus4"),
)
MINOR = (
    ("0 min", "8 maj", "3 maj", "10 maj"),
    ("0 min", "5 min", "7 7", "0 min"),
    ("0 min", "10 maj", "8 maj", "7 7"),
)
"""Degree and quality of each bar."""
SCALES = ((0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10))
RHYTHMS = ((4, 4, 4, 4), (6, 2, 4, 4), (2, 2, 4, 2, 2, 4), (8, 4, 4), (4, 2, 2, 8))
"""Lengths of notes in a bar, 16ths."""


@dataclass(frozen=True, slots=True)
class Song:
    """A made-up song.

    Attributes:
        melody: (notes, 3): pitch, begin and length in 16ths.
        chords: (bars,) chord of each bar.
        key: `2 * tonic + minor`.
        bpm: Tempo.
    """

    melody: NDArray[np.int64]
    chords: NDArray[np.int64]
    key: int
    bpm: int


def compose(rng: np.random.Generator, bars: int) -> Song:
    """A song of so many bars; its second half says again what the first said, a little changed."""
    minor = int(rng.random() < 0.35)
    tonic = int(rng.integers(0, 12))
    loops = MINOR if minor else MAJOR
    picked = [loops[int(rng.integers(0, len(loops)))] for _ in range(2)]
    names = [picked[bar // 8 % 2][bar % 4] for bar in range(bars)]
    chords = np.array([_chord(name, tonic) for name in names])
    verse = [_bar(rng, int(chord), tonic, minor) for chord in chords[: max(1, bars // 2)]]
    notes = []
    for bar in range(bars):
        same = bar % len(verse)
        keeps = bar < len(verse) or (chords[bar] == chords[same] and rng.random() < 0.8)
        part = verse[same] if keeps else _bar(rng, int(chords[bar]), tonic, minor)
        notes += [(pitch, bar * 4 * BEATS + begin, length) for pitch, begin, length in part]
    return Song(np.array(notes, np.int64), chords, 2 * tonic + minor, int(rng.integers(80, 130)))


def _chord(name: str, tonic: int) -> int:
    degree, quality = name.split()
    return (int(degree) + tonic) % 12 * N_QUALITIES + NAMES.index(quality)


def _bar(rng: np.random.Generator, chord: int, tonic: int, minor: int) -> list[tuple[int, int, int]]:
    """Notes of a bar: tones of the chord on strong places, steps of the scale between."""
    tones = [(chord // N_QUALITIES + tone) % 12 for tone in QUALITIES[NAMES[chord % N_QUALITIES]]]
    scale = [(tonic + step) % 12 for step in SCALES[minor]]
    begin, pitch, notes = 0, int(rng.integers(64, 76)), []
    for length in RHYTHMS[int(rng.integers(0, len(RHYTHMS)))]:
        wanted = tones if begin % 8 == 0 or rng.random() < 0.5 else scale
        near = [p for p in range(pitch - 7, pitch + 8) if p % 12 in wanted and 58 <= p <= 82]
        pitch = int(rng.choice(near)) if near else pitch
        if rng.random() > 0.07:
            notes.append((pitch, begin, length))
        begin += length
    return notes
