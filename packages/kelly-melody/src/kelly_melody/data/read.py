"""From a MIDI file to a melody on the token grid.

The melody is one part (a track's channel, no drums): the one whose track is named for it (melody, lead, vocal,
voice, solo, tune), else of those with at least half as many onsets as the busiest one the highest on average.
Of notes that begin together the highest counts, and a note ends where the next begins.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kelly_core.errors import DataError
from kelly_core.features.midi import Key, estimate_key
from kelly_melody.tokens import GRID, REST, Melody, Metre, pitch_index, split_length

if TYPE_CHECKING:
    from kelly_core.features.midi import MidiFile

NAMES = re.compile(r"melod|lead|vocal|voice|solo|tune", re.IGNORECASE)
LONGEST_REST = 4 * 4 * GRID
"""A longer silence is shortened to this, plus what keeps its place in the bar."""
MOST = 20_000
"""Tokens of the longest melody that is read."""
JOINED = 2
"""Silences up to this many ticks belong to the note before."""


def melody_part(midi: MidiFile) -> NDArray[Any]:
    """The notes of the part that carries the melody.

    Raises:
        DataError: There is no note, drums apart.
    """
    from kelly_core.features.midi import DRUM_CHANNEL

    notes = midi.notes[midi.notes["channel"] != DRUM_CHANNEL]
    if not len(notes):
        raise DataError(
            "it holds no pitched note", where=_where(midi), hint="drums have no melody", code="data.midi"
        )
    parts = {}
    for track, channel in np.unique(notes[["track", "channel"]]).tolist():
        part = notes[(notes["track"] == track) & (notes["channel"] == channel)]
        named = bool(NAMES.search(midi.names[track] if track < len(midi.names) else ""))
        parts[track, channel] = (named, len(np.unique(part["onset_tick"])), float(part["pitch"].mean()), part)
    busiest = max(count for _, count, _, _ in parts.values())
    able = [part for part in parts.values() if part[0] or 2 * part[1] >= busiest]
    return max(able, key=lambda part: (part[0], part[2]))[3]


def to_melody(midi: MidiFile, key: Key | None = None) -> Melody:
    """The melody of a file.

    Args:
        midi: The file.
        key: What is known better than the file; None for the file's first key, estimated where it has none.

    Raises:
        DataError: There is no melody, or it is too long to be one.
    """
    part = melody_part(midi)
    order = np.lexsort((-part["pitch"].astype(np.int64), part["onset_tick"]))
    voice = part[order]
    scale = GRID / midi.ticks_per_beat
    onset = np.rint(voice["onset_tick"] * scale).astype(np.int64)
    first = np.concatenate([[True], np.diff(onset) > 0])  # the highest of each onset
    end = np.rint((voice["onset_tick"] + voice["duration_tick"]) * scale).astype(np.int64)[first]
    pitch, onset = voice["pitch"][first], onset[first]
    if len(onset) > MOST:
        raise DataError(
            f"its melody has {len(onset)} notes",
            where=_where(midi),
            hint="cut it into pieces",
            code="data.midi",
        )
    key = key or file_key(midi) or estimate_key(np.bincount(pitch % 12, end - onset, 12))
    metres, skipped = _metres(midi, int(onset[0]))
    indices, lengths = _tokens(pitch, onset, end, key.shift)
    bpm = float(midi.tempo_at(voice["onset_tick"][:1])[0])
    return Melody(indices, lengths, int(onset[0]) - skipped, key, metres, bpm)


def _tokens(
    pitch: NDArray[Any], onset: NDArray[np.int64], end: NDArray[np.int64], shift: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    indices: list[int] = []
    lengths: list[int] = []
    following = np.append(onset[1:], max(end[-1], onset[-1] + 1))
    for at, start in enumerate(onset.tolist()):
        stop = int(np.clip(end[at], start + 1, following[at]))
        if following[at] - stop <= JOINED:
            stop = int(following[at])
        sounding = split_length(stop - start)
        silent = split_length(_short_rest(int(following[at]) - stop))
        # A length without a token of its own is a note and a rest: nothing is struck twice.
        lengths += [*sounding, *silent]
        indices += [pitch_index(pitch[at], shift), *[REST] * (len(sounding) - 1 + len(silent))]
    return np.array(indices, np.int64), np.array(lengths, np.int64)


def _short_rest(ticks: int) -> int:
    return ticks if ticks <= LONGEST_REST else LONGEST_REST + ticks % LONGEST_REST


def file_key(midi: MidiFile) -> Key | None:
    """The file's first key, if it has one."""
    if not len(midi.keys):
        return None
    return Key(int(midi.keys["fifths"][0]), bool(midi.keys["minor"][0]))


def _metres(midi: MidiFile, first: int) -> tuple[tuple[tuple[int, Metre], ...], int]:
    """Metre changes counted from the last bar line before the melody, and where that line lies."""
    scale = GRID / midi.ticks_per_beat
    rows = [
        (round(row["tick"] * scale), Metre(int(row["numerator"]), int(row["denominator"])))
        for row in midi.metre
    ]
    current = [row for row in rows if row[0] <= first][-1]
    line = current[0] + (first - current[0]) // current[1].ticks * current[1].ticks
    later = [(tick - line, metre) for tick, metre in rows if tick > first]
    return ((0, current[1]), *later), line


def read_melody(path: Path, key: Key | None = None) -> Melody:
    """The melody of a MIDI file.

    Raises:
        DataError: It can't be read, or holds no melody.
    """
    from kelly_core.features.midi import read_midi

    return to_melody(read_midi(path), key)


def _where(midi: MidiFile) -> str:
    return str(midi.path) if midi.path else "MIDI data"
