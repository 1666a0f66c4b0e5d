"""Synthetic pieces: a melody over broken chords, with dynamic signs, hairpins and articulation."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

BARS = 16
BEATS = 4
DIVISIONS = 4
"""Steps of a quarter: sixteenths."""
_SCALE = (0, 2, 4, 5, 7, 9, 11)
_CHORDS = ((0, 4, 7), (5, 9, 12), (7, 11, 14), (9, 12, 16))
SIGNS = ("pp", "p", "mf", "f", "ff")


@dataclass(frozen=True, slots=True)
class Note:
    """A written note: onset and duration in sixteenths, MIDI pitch, 1 for the upper staff, 2 for the lower."""

    onset: int
    duration: int
    pitch: int
    staff: int
    staccato: bool = False
    accent: bool = False


@dataclass(frozen=True, slots=True)
class Piece:
    """A written piece: notes by staff and onset, a sign at each fourth bar, hairpins (first bar, +1 or -1)."""

    name: str
    notes: tuple[Note, ...]
    signs: tuple[tuple[int, str], ...]
    hairpins: tuple[tuple[int, int], ...]
    tempo: int


def compose(number: int, seed: int) -> Piece:
    """Piece `number` of a seed, the same on every machine."""
    rng = np.random.default_rng([seed, number])
    key = int(rng.integers(-5, 7))
    notes: list[Note] = []
    degree = int(rng.integers(3, 8))
    staccato_bars = set(rng.choice(BARS, 4, replace=False).tolist())
    for bar in range(BARS):
        start, at = bar * BEATS * DIVISIONS, 0
        while at < BEATS * DIVISIONS:
            length = int(rng.choice([2, 4, 4, 8]))
            length = min(length, BEATS * DIVISIONS - at)
            degree = int(np.clip(degree + rng.integers(-2, 3), 0, 13))
            pitch = 67 + key + _SCALE[degree % 7] + 12 * (degree // 7)
            short = bar in staccato_bars and length <= 4
            notes.append(Note(start + at, length, pitch, 1, short, bool(rng.random() < 0.05)))
            at += length
        chord = _CHORDS[int(rng.integers(len(_CHORDS)))]
        steps = range(0, BEATS * DIVISIONS, 2)
        notes += [Note(start + step, 2, 48 + key + chord[(step // 2) % 3], 2) for step in steps]
    signs = tuple((bar, str(rng.choice(SIGNS))) for bar in range(0, BARS, 4))
    changes = [(a[0], SIGNS.index(b[1]) - SIGNS.index(a[1])) for a, b in pairwise(signs)]
    hairpins = [(bar + 2, 1 if change > 0 else -1) for bar, change in changes if change]
    return Piece(f"piece_{number + 1:02d}", tuple(notes), signs, tuple(hairpins), int(rng.integers(72, 138)))


def as_musicxml(piece: Piece) -> str:
    """The piece as MusicXML whose note ids are n0, n1, ... in the order of `Piece.notes`."""
    bars = []
    for bar in range(BARS):
        low, high = bar * BEATS * DIVISIONS, (bar + 1) * BEATS * DIVISIONS
        body = _attributes() if bar == 0 else ""
        body += "".join(_direction(f"<dynamics><{sign}/></dynamics>") for at, sign in piece.signs if at == bar)
        for first, sign in piece.hairpins:
            kind = "crescendo" if sign > 0 else "diminuendo"
            body += _direction(f'<wedge type="{kind}" number="1"/>') if first == bar else ""
        for staff in (1, 2):
            body += "".join(
                _note(f"n{at}", note)
                for at, note in enumerate(piece.notes)
                if note.staff == staff and low <= note.onset < high
            )
            body += f"<backup><duration>{BEATS * DIVISIONS}</duration></backup>" if staff == 1 else ""
        body += "".join(
            _direction('<wedge type="stop" number="1"/>') for at, _ in piece.hairpins if at + 1 == bar
        )
        bars.append(f'<measure number="{bar + 1}">{body}</measure>')
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<score-partwise version="3.1"><part-list><score-part id="P1">'
        "<part-name>Piano</part-name></score-part></part-list>"
        f'<part id="P1">{"".join(bars)}</part></score-partwise>\n'
    )


def _attributes() -> str:
    time = f"<time><beats>{BEATS}</beats><beat-type>4</beat-type></time><staves>2</staves>"
    return f"<attributes><divisions>{DIVISIONS}</divisions>{time}</attributes>"


def _direction(content: str) -> str:
    return f"<direction><direction-type>{content}</direction-type><staff>1</staff></direction>"


def spelled(pitch: int) -> tuple[str, int, int]:
    """Step, alteration and octave of a MIDI pitch, with sharps."""
    step, alter = (("C", 0), ("C", 1), ("D", 0), ("D", 1), ("E", 0), ("F", 0), ("F", 1), ("G", 0), ("G", 1),
                   ("A", 0), ("A", 1), ("B", 0))[pitch % 12]  # fmt: skip
    return step, alter, pitch // 12 - 1


def _note(name: str, note: Note) -> str:
    step, alter, octave = spelled(note.pitch)
    marks = ("<staccato/>" if note.staccato else "") + ("<accent/>" if note.accent else "")
    notations = f"<notations><articulations>{marks}</articulations></notations>" if marks else ""
    pitch = f"<pitch><step>{step}</step><alter>{alter}</alter><octave>{octave}</octave></pitch>"
    voice = f"<voice>{1 if note.staff == 1 else 5}</voice><staff>{note.staff}</staff>"
    return f'<note id="{name}">{pitch}<duration>{note.duration}</duration>{voice}{notations}</note>'
