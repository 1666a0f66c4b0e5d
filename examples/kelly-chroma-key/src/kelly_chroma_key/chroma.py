"""A MIDI file as the network hears it: a frame for each quarter note, and the key that is written for it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from kelly_core.data import Item
from kelly_core.errors import DataError, UserError
from kelly_core.features.midi import DRUM_CHANNEL, Key, MidiFile, parse_key, read_midi
from numpy.typing import NDArray

from kelly_chroma_key.keys import number_of

INPUTS = 24
"""Numbers of a frame: the share of the beat that each pitch class sounds, from C; its lowest note, one-hot."""
LONGEST = 20_000
"""Beats that a file may have, more than two hours of music."""
AUDIO_KEYS = "key_audio.txt"
UNKNOWN = -1


@dataclass(frozen=True)
class Tune:
    """One file.

    Attributes:
        frames: (beats, INPUTS) float32, 0 to 1.
        keys: (beats,) number of the key that is written for each beat, or `UNKNOWN`.
    """

    frames: NDArray[np.float32]
    keys: NDArray[np.int64]

    @property
    def key(self) -> int:
        """The key that lasts longest."""
        return int(np.bincount(self.keys[self.keys >= 0]).argmax())


def frames_of(midi: MidiFile) -> NDArray[np.float32]:
    """(beats, INPUTS): what sounds in each quarter note, drums left out.

    Raises:
        DataError: No pitched note is in it, or it is absurdly long.
    """
    notes = midi.notes[midi.notes["channel"] != DRUM_CHANNEL]
    where = str(midi.path or "MIDI data")
    if not len(notes):
        raise DataError(
            "it holds no pitched notes",
            where=where,
            hint="give a file with a melody or chords",
            code="data.midi",
        )
    begin = midi.beats(notes["onset_tick"])
    end = np.maximum(midi.beats(notes["onset_tick"] + notes["duration_tick"]), begin + 1e-3)
    count = int(np.ceil(end.max()))
    if count > LONGEST:
        raise DataError(f"it has {count} beats", where=where, hint=f"give at most {LONGEST}", code="data.midi")
    first = np.floor(begin).astype(np.int64)
    spans = np.ceil(end).astype(np.int64) - first
    note = np.repeat(np.arange(len(notes)), spans)
    beat = first[note] + np.arange(len(note)) - np.repeat(np.cumsum(spans) - spans, spans)
    sounding = np.minimum(end[note], beat + 1) - np.maximum(begin[note], beat)
    pitch = notes["pitch"].astype(np.int64)[note]
    frames = np.zeros((count, INPUTS), np.float32)
    np.add.at(frames, (beat, pitch % 12), sounding.astype(np.float32))
    np.minimum(frames, 1.0, out=frames)
    lowest = np.full(count, 128)
    np.minimum.at(lowest, beat, pitch)
    heard = np.flatnonzero(lowest < 128)
    frames[heard, 12 + lowest[heard] % 12] = 1.0
    return frames


def read_tune(item: Item) -> Tune:
    """An item of one of this package's datasets.

    Raises:
        DataError: A file can't be read, or says nothing about keys.
    """
    midi = read_midi(Path(item.path))
    frames = frames_of(midi)
    beats = np.arange(len(frames))
    changes = item.extra.get("keys")
    if changes:
        keys = _by_beat(changes, beats, item.path)
    elif item.extra.get("keys_from") == AUDIO_KEYS:
        keys = _by_second(
            Path(item.path).with_name(AUDIO_KEYS), midi.seconds((beats + 0.5) * midi.ticks_per_beat)
        )
    else:
        keys = _by_signature(midi, beats)
    if not (keys >= 0).any():
        raise DataError("no key is written for any beat of it", where=item.path, hint="leave it out")
    return Tune(frames, keys)


def signature_of(midi: MidiFile) -> Key | None:
    """The first key signature; None where there is none."""
    if not len(midi.keys):
        return None
    return Key(int(midi.keys["fifths"][0]), bool(midi.keys["minor"][0]))


def _by_signature(midi: MidiFile, beats: NDArray[np.int64]) -> NDArray[np.int64]:
    if not len(midi.keys):
        raise DataError("it holds no key signature", where=str(midi.path), hint="leave it out")
    numbers = np.array([number_of(Key(int(row["fifths"]), bool(row["minor"]))) for row in midi.keys])
    starts = midi.beats(midi.keys["tick"])
    return numbers[np.maximum(0, np.searchsorted(starts, beats, side="right") - 1)]


def _by_beat(changes: str, beats: NDArray[np.int64], where: str) -> NDArray[np.int64]:
    """`"0:G major;32:D major"`, as the demo's table has it."""
    try:
        pairs = [change.split(":") for change in changes.split(";")]
        starts, names = [int(start) for start, _ in pairs], [name for _, name in pairs]
        numbers = np.array([number_of(parse_key(name)) for name in names])
    except (ValueError, UserError) as error:
        raise DataError(
            f"keys {changes!r} make no sense ({error})", where=where, hint="0:C major;32:Am"
        ) from None
    return numbers[np.maximum(0, np.searchsorted(starts, beats, side="right") - 1)]


def _by_second(path: Path, seconds: NDArray[np.float64]) -> NDArray[np.int64]:
    """Lines of start, end and key, as POP909 has them."""
    keys = np.full(len(seconds), UNKNOWN, np.int64)
    for start, end, key in _segments(path):
        keys[(seconds >= start) & (seconds < end)] = key
    return keys


def _segments(path: Path) -> list[tuple[float, float, int]]:
    try:
        rows: list[Any] = [
            line.split() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()
        ]
        found = [(float(start), float(end), number_of(parse_key(name))) for start, end, name in rows]
    except (OSError, ValueError, UserError) as error:
        raise DataError(f"it can't be read: {error}", where=str(path), hint="unpack POP909 again") from None
    if any(later[0] < earlier[0] for earlier, later in pairwise(found)):
        raise DataError("its times don't ascend", where=str(path), hint="unpack POP909 again")
    return found
