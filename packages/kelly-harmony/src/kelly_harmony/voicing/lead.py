"""Smooth voice leading: of all close voicings of each chord, the chain that moves least.

One bass note, the root, and one upper note per tone of the chord. Distances are in semitones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product

import numpy as np
from numpy.typing import NDArray

from kelly_harmony.chords import N_QUALITIES, NAMES, NONE, QUALITIES

BASS = (36, 48)
"""Lowest pitch of the bass, and the first above its range."""
UPPER = (50, 70)
WIDEST = 14
"""Semitones from the lowest to the highest upper voice."""
CENTRE = 59.0
PULL = 0.15
"""How much a semitone between the middle of the voices and `CENTRE` counts, against a semitone of movement."""
CLASH = 1.0
"""How much a semitone of the top voice above the melody counts."""
BASS_SHARE = 0.3
"""How much a semitone of the bass counts, which leaps by nature."""

Voicing = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Segment:
    """Beats on one chord.

    Attributes:
        start, stop: First beat, and the first behind it.
        chord: What sounds; `NONE` for nothing.
    """

    start: int
    stop: int
    chord: int


def segments(chords: NDArray[np.integer], bars: NDArray[np.integer] | None = None) -> list[Segment]:
    """Runs of beats on one chord.

    Args:
        chords: (beats,).
        bars: (beats,) number of the bar; then each bar begins a segment, so that long chords are struck again.
    """
    if not len(chords):
        return []
    new = np.append(True, np.diff(chords) != 0)
    if bars is not None:
        new |= np.append(True, np.diff(bars) != 0)
    starts = np.flatnonzero(new)
    stops = np.append(starts[1:], len(chords))
    return [Segment(int(a), int(b), int(chords[a])) for a, b in zip(starts, stops, strict=True)]


@lru_cache(maxsize=256)
def voicings(chord: int) -> tuple[Voicing, ...]:
    """All close voicings of a chord: bass, then upper voices ascending; none for `NONE`."""
    if chord == NONE:
        return ()
    root, tones = chord // N_QUALITIES, QUALITIES[NAMES[chord % N_QUALITIES]]
    basses = range(BASS[0] + (root - BASS[0]) % 12, BASS[1], 12)
    places = [range(UPPER[0] + (root + tone - UPPER[0]) % 12, UPPER[1], 12) for tone in tones]
    uppers = {tuple(sorted(notes)) for notes in product(*places)}
    near = [notes for notes in uppers if notes[-1] - notes[0] <= WIDEST]
    return tuple(sorted((bass, *notes) for bass in basses for notes in near))


def voice_chords(chords: Sequence[int], ceilings: Sequence[float]) -> list[Voicing]:
    """A voicing for each chord of a sequence.

    Args:
        chords: Of the vocabulary; `NONE` is silence.
        ceilings: The lowest pitch of the melody above each; infinity where it is silent.

    Returns:
        For each chord its pitches ascending, `()` for silence.
    """
    result: list[Voicing] = [()] * len(chords)
    sounding = [at for at, chord in enumerate(chords) if chord != NONE]
    if not sounding:
        return result
    options = [voicings(int(chords[at])) for at in sounding]
    costs = [_alone(option, ceilings[at]) for option, at in zip(options, sounding, strict=True)]
    total, before = costs[0], []
    for number in range(1, len(sounding)):
        ways = total[:, None] + _distances(options[number - 1], options[number])
        before.append(ways.argmin(axis=0))
        total = ways.min(axis=0) + costs[number]
    place = int(total.argmin())
    for number in range(len(sounding) - 1, -1, -1):
        result[sounding[number]] = options[number][place]
        place = int(before[number - 1][place]) if number else place
    return result


def _alone(options: tuple[Voicing, ...], ceiling: float) -> NDArray[np.float64]:
    """What a voicing costs by itself: distance from the centre, and voices above the melody."""
    middle = np.array([np.mean(voicing[1:]) for voicing in options])
    top = np.array([voicing[-1] for voicing in options])
    return np.asarray(PULL * np.abs(middle - CENTRE) + CLASH * np.maximum(0.0, top - ceiling))


@lru_cache(maxsize=16_384)
def _distances(before: tuple[Voicing, ...], after: tuple[Voicing, ...]) -> NDArray[np.float64]:
    """(before, after): semitones that the upper voices move, and a share of the bass's."""
    return np.array([[movement(one, other) for other in after] for one in before])


def movement(one: Voicing, other: Voicing) -> float:
    """Semitones from a voicing to the next: each voice to the nearest of the other, the mean of both ways."""
    a, b = np.array(one[1:]), np.array(other[1:])
    apart = np.abs(a[:, None] - b[None, :])
    both = (apart.min(axis=0).sum() + apart.min(axis=1).sum()) / 2
    return float(both + BASS_SHARE * abs(one[0] - other[0]))
