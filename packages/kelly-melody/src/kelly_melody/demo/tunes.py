"""Synthetic tunes: parts of phrases that are repeated, answered and ended on the tonic.

A tune has two parts of eight bars, each played twice. A part is two phrases of four bars that begin alike; the
first ends open on the dominant, the second closes on the tonic. Bars take their rhythm from a few patterns of
the metre and walk along the scale, with chord tones on beats.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kelly_core.features.midi import Key
from kelly_melody.tokens import Metre

RHYTHMS = {
    "4/4": ("12 12 12 12 12 12 12 12", "24 12 12 24 12 12", "24 24 24 24", "36 12 24 24", "12 12 24 12 12 24"),
    "6/8": ("12 12 12 12 12 12", "24 12 24 12", "36 12 12 12", "24 12 12 12 12", "18 6 12 24 12"),
    "3/4": ("24 24 24", "48 24", "24 12 12 24", "36 12 24", "12 12 12 12 24"),
}
"""Lengths of a bar's notes, in 24ths of a quarter."""
LAST = {"4/4": "24 24 48", "6/8": "24 12 36", "3/4": "24 48"}
CHORDS = ((0, 2, 4), (3, 5, 7), (4, 6, 8), (0, 2, 4))
"""Scale steps of the chords that the four bars of a phrase stand on."""
_MAJOR, _MINOR = (0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10)


@dataclass(frozen=True, slots=True)
class Tune:
    """A tune as notes.

    Attributes:
        notes: MIDI pitch, length in 24ths of a quarter, one after the other.
        key, metre: Its own.
        bpm: Quarter notes a minute.
    """

    notes: list[tuple[int, int]]
    key: Key
    metre: Metre
    bpm: int


def make_tune(seed: int, number: int, parts: int) -> Tune:
    """Tune `number` (from 0) of the set made with `seed`."""
    rng = np.random.default_rng([seed, number])
    name = str(rng.choice(list(RHYTHMS)))
    numerator, denominator = map(int, name.split("/"))
    key = Key(int(rng.integers(-3, 5)), bool(rng.random() < 0.25))
    steps = []
    for part in range(parts):
        phrase = _phrase(rng, name, 4 * part)
        steps += 2 * [*phrase, _end(name, 4), *phrase, _end(name, 0)]
    tonic = 60 + (key.major_tonic - 3 * key.minor) % 12
    scale = _MINOR if key.minor else _MAJOR
    notes = [(tonic + 12 * (step // 7) + scale[step % 7], length) for bar in steps for step, length in bar]
    return Tune(notes, key, Metre(numerator, denominator), int(rng.integers(80, 160)))


def _phrase(rng: np.random.Generator, metre: str, centre: int) -> list[list[tuple[int, int]]]:
    """Three bars."""
    at, bars = centre + int(rng.integers(0, 3)), []
    for chord in CHORDS[:3]:
        pattern = [int(length) for length in str(rng.choice(RHYTHMS[metre])).split()]
        bar, place = [], 0
        for length in pattern:
            at += int(rng.choice((-2, -1, -1, 1, 1, 2)))
            at = int(np.clip(at, centre - 3, centre + 8))
            if place % (36 if metre == "6/8" else 24) == 0 and rng.random() < 0.7:
                at = min(
                    (7 * octave + step for octave in (-1, 0, 1) for step in chord), key=lambda s: abs(s - at)
                )
            bar.append((at, length))
            place += length
        bars.append(bar)
    return bars


def _end(metre: str, step: int) -> list[tuple[int, int]]:
    """A bar that comes to rest on a scale step."""
    lengths = [int(length) for length in LAST[metre].split()]
    approach = (step + 2, step + 1, step) if len(lengths) == 3 else (step + 1, step)
    return list(zip(approach, lengths, strict=True))
