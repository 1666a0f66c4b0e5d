"""The token grid: a melody as pairs of pitch and duration, with rests and an end.

Time is counted in 24ths of a quarter note, which hold 32nds (3), 16ths (6) and their triplets (4, 8) exactly.
Pitches stand relative to the key: a melody is moved by at most six semitones so that its tonic, or that of the
relative major, is C; the key itself is told to the network beside it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from kelly_core.errors import UserError
from kelly_core.features.midi import Key

GRID = 24
"""Ticks of a quarter note."""
LOW, HIGH = 24, 107
"""Relative pitches; what lies outside is moved by octaves."""
REST = HIGH - LOW + 1
"""Pitch index of a rest."""
END = REST + 1
"""Pitch index of the end of the melody; it has no duration."""
N_PITCHES = END + 1
DURATIONS = (
    *range(1, 13),
    *(14, 15, 16, 18, 20, 21, 24, 27, 28, 30, 32, 33, 36, 40, 42, 44, 45, 48, 54, 56, 60, 64, 66, 72),
    *(78, 80, 84, 88, 90, 96, 108, 120, 132, 144, 168, 192),
)
"""Durations that have a token, in ticks; other lengths are put together, longest first."""
N_DURATIONS = len(DURATIONS)
NO_DURATION = -1
_LONGEST_UPTO = np.searchsorted(DURATIONS, np.arange(DURATIONS[-1] + 1), side="right") - 1

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Metre:
    """Where the bars lie.

    Attributes:
        numerator, denominator: As written.
    """

    numerator: int = 4
    denominator: int = 4

    @property
    def ticks(self) -> int:
        """Length of a bar in ticks, at least 1."""
        return max(1, self.numerator * 4 * GRID // self.denominator)

    @property
    def name(self) -> str:
        """As in `"6/8"`."""
        return f"{self.numerator}/{self.denominator}"


@dataclass(frozen=True)
class Melody:
    """A melody on the grid; the end isn't among the tokens.

    Attributes:
        pitch: (tokens,) pitch index, `REST` for a rest.
        duration: (tokens,) index into `DURATIONS`.
        start: Ticks from the bar line to the first token; more than 0 is an upbeat.
        key: Its first key.
        metres: (tick since the first bar line, metre), the first at tick 0.
        bpm: Quarter notes per minute.
    """

    pitch: Ints
    duration: Ints
    start: int = 0
    key: Key = field(default_factory=Key)
    metres: tuple[tuple[int, Metre], ...] = ((0, Metre()),)
    bpm: float = 120.0

    def __len__(self) -> int:
        return len(self.pitch)

    def onsets(self) -> Ints:
        """(tokens + 1,): ticks from the first bar line; the last is the end."""
        return np.concatenate([[self.start], self.start + np.cumsum(np.array(DURATIONS)[self.duration])])


def split_length(ticks: int) -> list[int]:
    """Indices of durations that add up to a length.

    >>> [DURATIONS[at] for at in split_length(100)]
    [96, 4]
    """
    found = []
    while ticks > 0:
        at = int(_LONGEST_UPTO[min(ticks, DURATIONS[-1])])
        found.append(at)
        ticks -= DURATIONS[at]
    return found


def pitch_index(midi_pitch: int, shift: int) -> int:
    """Index of a MIDI pitch in a key with this shift."""
    relative = int(midi_pitch) + shift
    while relative < LOW:
        relative += 12
    while relative > HIGH:
        relative -= 12
    return relative - LOW


def midi_pitch(index: int, shift: int) -> int:
    """MIDI pitch of an index, moved by octaves where it would leave 0 to 127; the inverse of `pitch_index`."""
    pitch = int(index) + LOW - shift
    return pitch - 12 if pitch > 127 else pitch


def parse_metre(text: str) -> Metre:
    """A metre by name.

    >>> parse_metre("6/8").ticks
    72

    Raises:
        UserError: It is none, or one that this grid can't hold.
    """
    above, _, below = text.partition("/")
    if (
        above.strip().isdecimal()
        and below.strip() in {"1", "2", "4", "8", "16", "32"}
        and 1 <= int(above) <= 64
    ):
        return Metre(int(above), int(below))
    raise UserError(f"{text!r} is no metre", where="metre", hint="write it like 4/4, 6/8 or 3/4")
