"""Playing a synthetic piece by rules a pianist would recognise, with some chance, into a match file.

Louder with the dynamic sign and along hairpins, on downbeats, in the melody and with pitch; accents stand out.
Downbeats are held back a little, the melody leads, staccato notes are half as long, others nearly bound.
"""

from __future__ import annotations

import numpy as np

from kelly_dynamics.demo.compose import BARS, BEATS, DIVISIONS, SIGNS, Note, Piece, spelled

TICKS = 960
"""A second, in the clock of the match file."""
_BAR = BEATS * DIVISIONS
_LOUD = {sign: 42.0 + 13.0 * at for at, sign in enumerate(SIGNS)}


def perform(piece: Piece, player: int, seed: int) -> str:
    """A player's performance as a match file of version 1.0.0."""
    rng = np.random.default_rng([seed, int(piece.name.rpartition("_")[2]), 1000 + player])
    lead, bias = float(rng.uniform(0.005, 0.025)), float(rng.normal(0, 4))
    period = 60 / (piece.tempo * float(rng.uniform(0.94, 1.06)))
    drift = np.cumsum(rng.normal(0, 0.004, BARS * BEATS + 1))
    lines = [
        "info(matchFileVersion,1.0.0).",
        "info(midiClockUnits,480).",
        "info(midiClockRate,500000).",
        f"scoreprop(timeSignature,{BEATS}/4,1:1,0,0.0000).",
    ]
    for at, note in enumerate(piece.notes):
        quarters = note.onset / DIVISIONS
        velocity = _level(piece, note) + bias + rng.normal(0, 3)
        held = 0.012 * (note.onset % _BAR == 0) - lead * (note.staff == 1) + rng.normal(0, 0.004)
        onset = 1.0 + quarters * period + drift[int(quarters)] + held
        share = (0.5 if note.staccato else 0.92) * float(np.exp(rng.normal(0, 0.08)))
        end = onset + share * note.duration / DIVISIONS * period
        loud = int(np.clip(round(velocity), 1, 127))
        played = f"{note.pitch},{round(onset * TICKS)},{round(end * TICKS)},{loud},0,0"
        lines.append(f"{_written(at, note)}-note(n{at},{played}).")
    return "\n".join(lines) + "\n"


def _level(piece: Piece, note: Note) -> float:
    bar = note.onset / _BAR
    place = max(at for at, (first, _) in enumerate(piece.signs) if first <= bar)
    first, sign = piece.signs[place]
    level = _LOUD[sign]
    following = piece.signs[place + 1][1] if place + 1 < len(piece.signs) else sign
    if bar >= first + 2:  # the hairpin before the next sign
        level += (bar - first - 2) / 2 * (_LOUD[following] - level)
    level += 6.0 * (note.onset % _BAR == 0) + 2.0 * (note.onset % DIVISIONS == 0)
    level += (8.0 if note.staff == 1 else -6.0) + 0.25 * (note.pitch - 60) + 12.0 * note.accent
    return level


def _written(at: int, note: Note) -> str:
    step, alter, octave = spelled(note.pitch)
    bar, inside = divmod(note.onset, _BAR)
    beat, rest = divmod(inside, DIVISIONS)
    start, end = note.onset / DIVISIONS, (note.onset + note.duration) / DIVISIONS
    attributes = f"v{1 if note.staff == 1 else 5},staff{note.staff}" + (",staccato" if note.staccato else "")
    return (
        f"snote(n{at}-1,[{step},{'#' if alter else 'n'}],{octave},{bar + 1}:{beat + 1},{rest}/{4 * DIVISIONS},"
        f"{note.duration}/{4 * DIVISIONS},{start:.4f},{end:.4f},[{attributes}])"
    )
