"""Which track of a MIDI file is the melody, and which one plays the chords."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kelly_core.errors import DataError, UserError
from kelly_core.features.midi import DRUM_CHANNEL

if TYPE_CHECKING:
    from kelly_core.features.midi import MidiFile

MELODY_NAME = re.compile(r"melod|vocal|voice|lead|sing|soprano", re.IGNORECASE)
CHORD_NAME = re.compile(r"chord|harmon|accomp|akkord", re.IGNORECASE)
FEWEST_TOGETHER = 3
"""Notes that begin together in a chord."""


def pitched_tracks(midi: MidiFile) -> list[int]:
    """Numbers of the tracks that have notes which aren't drums."""
    pitched = midi.notes[midi.notes["channel"] != DRUM_CHANNEL]
    return [int(track) for track in np.unique(pitched["track"])]


def notes_of(midi: MidiFile, track: int) -> NDArray[Any]:
    """The pitched notes of a track."""
    notes = midi.notes
    return np.asarray(notes[(notes["track"] == track) & (notes["channel"] != DRUM_CHANNEL)])


def find_track(midi: MidiFile, wanted: str) -> int:
    """A track by its name or its number from 1.

    Raises:
        UserError: There is none, or it has no notes.
    """
    known = pitched_tracks(midi)
    by_name = [at for at in known if wanted.lower() in midi.names[at].lower()] if wanted.strip() else []
    if wanted.isdecimal() and int(wanted) - 1 in known:
        return int(wanted) - 1
    if by_name:
        return by_name[0]
    told = ", ".join(f"{at + 1} {midi.names[at]!r}" for at in known) or "none"
    raise UserError(
        f"no track {wanted!r} with notes", where=str(midi.path or "MIDI data"), hint=f"it has {told}"
    )


def chord_track(midi: MidiFile, melody: int | None = None) -> int | None:
    """The track that plays chords: by its name, else the one where most onsets are of three notes or more."""
    known = [track for track in pitched_tracks(midi) if track != melody]
    named = [track for track in known if CHORD_NAME.search(midi.names[track])]
    if named:
        return named[0]
    shares = {track: _share_of_chords(notes_of(midi, track)) for track in known}
    best = max(shares, key=lambda track: shares[track], default=None)
    return best if best is not None and shares[best] > 0.5 else None


def melody_track(midi: MidiFile) -> int:
    """The track that sings: by its name, else the highest of those that don't play chords.

    Raises:
        DataError: There is no pitched note.
    """
    known = pitched_tracks(midi)
    if not known:
        raise DataError(
            "it holds no pitched note",
            where=str(midi.path or "MIDI data"),
            hint="give a file with a melody",
            code="data.midi",
        )
    named = [track for track in known if MELODY_NAME.search(midi.names[track])]
    if named:
        return named[0]
    chords = chord_track(midi)
    single = [track for track in known if track != chords] or known
    return max(single, key=lambda track: float(np.median(notes_of(midi, track)["pitch"])))


def _share_of_chords(notes: NDArray[Any]) -> float:
    counts = np.unique(notes["onset_tick"], return_counts=True)[1]
    return float((counts >= FEWEST_TOGETHER).mean()) if len(counts) else 0.0


def top_voice(notes: NDArray[Any]) -> NDArray[Any]:
    """One note at a time: of those that begin together the highest, each ending where the next begins."""
    if not len(notes):
        return notes
    order = np.lexsort((-notes["pitch"].astype(np.int64), notes["onset_tick"]))
    first = notes[order]
    first = first[np.append(True, np.diff(first["onset_tick"]) > 0)].copy()
    gap = np.append(np.diff(first["onset_tick"]), np.iinfo(np.int64).max)
    first["duration_tick"] = np.minimum(first["duration_tick"], gap)
    return np.asarray(first)
