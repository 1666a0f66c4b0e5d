"""Writing new MIDI files from a table of notes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kelly_core import atomic
from kelly_core.errors import UserError
from kelly_core.features.midi import smf
from kelly_core.features.midi.keys import Key
from kelly_core.features.midi.read import NOTE_DTYPE
from kelly_core.features.midi.rewrite import LONGEST_DELTA
from kelly_core.features.midi.timing import tempo_map, to_seconds

_RANGES = {"pitch": (0, 127), "velocity": (1, 127), "channel": (0, 15), "track": (0, 4095)}


def make_notes(
    pitch: ArrayLike,
    onset_tick: ArrayLike,
    duration_tick: ArrayLike,
    velocity: ArrayLike = 80,
    *,
    channel: ArrayLike = 0,
    track: ArrayLike = 0,
    ticks_per_beat: int = 480,
    bpm: float = 120.0,
) -> NDArray[Any]:
    """A note table from columns, sorted by onset; a number stands for a whole column.

    Args:
        pitch: MIDI numbers.
        onset_tick: Ticks from the start.
        duration_tick: Ticks.
        velocity: 1 to 127.
        channel: From 0; 9 is drums.
        track: From 0.
        ticks_per_beat: Ticks per quarter note, for the columns in seconds.
        bpm: Quarter notes per minute, for the columns in seconds.

    Raises:
        UserError: A value is out of the format's range.
    """
    columns = np.broadcast_arrays(onset_tick, duration_tick, pitch, velocity, channel, track)
    notes = np.zeros(columns[0].size, NOTE_DTYPE)
    names = ("onset_tick", "duration_tick", "pitch", "velocity", "channel", "track")
    for name, column in zip(names, columns, strict=True):
        low, high = _RANGES.get(name, (0, LONGEST_DELTA))
        if np.any((column < low) | (column > high)):
            raise UserError(f"a {name} is outside {low} to {high}", where="make_notes", hint="clip it first")
        notes[name] = np.ravel(column)
    tempo = tempo_map([(0, 6e7 / bpm)], ticks_per_beat)
    notes["onset"] = to_seconds(tempo, ticks_per_beat, notes["onset_tick"])
    notes["duration"] = to_seconds(tempo, ticks_per_beat, notes["duration_tick"])
    notes["off_event"] = -1
    return notes[np.argsort(notes["onset_tick"], kind="stable")]


def write_notes(
    path: Path,
    notes: NDArray[Any],
    tempo: float | Sequence[tuple[int, float]] = 120.0,
    metre: tuple[int, int] | Sequence[tuple[int, int, int]] = (4, 4),
    *,
    ticks_per_beat: int = 480,
    names: Sequence[str] = (),
    programs: Mapping[int, int] | None = None,
    key: Key | None = None,
) -> None:
    """Write a new file of format 1: a track of tempo and metre, then one per track of the notes.

    A note that would sound into the next of its channel and pitch is shortened; of several that begin
    together the loudest stays.

    Args:
        path: File to write, replaced whole.
        notes: (notes,) of `NOTE_DTYPE` (`make_notes`); ticks count, seconds are not read.
        tempo: Quarter notes per minute, or changes (tick, quarter notes per minute).
        metre: (numerator, denominator), or changes (tick, numerator, denominator).
        ticks_per_beat: Ticks per quarter note.
        names: Track names.
        programs: Channel -> General MIDI program from 0.
        key: Key signature at the beginning; None writes none.

    Raises:
        UserError: A value is out of the format's range.
    """
    atomic.write_bytes(path, encode(notes, tempo, metre, ticks_per_beat, names, programs or {}, key))


def encode(
    notes: NDArray[Any],
    tempo: float | Sequence[tuple[int, float]] = 120.0,
    metre: tuple[int, int] | Sequence[tuple[int, int, int]] = (4, 4),
    ticks_per_beat: int = 480,
    names: Sequence[str] = (),
    programs: Mapping[int, int] = {},
    key: Key | None = None,
) -> bytes:
    """The bytes that `write_notes` writes."""
    _check(notes, ticks_per_beat)
    notes = _without_overlaps(notes)
    tempos = [(0, tempo)] if isinstance(tempo, int | float) else tempo
    metres = [(0, *metre)] if metre and isinstance(metre[0], int) else metre
    marks = [(tick, _meta(smf.TEMPO, _microseconds(bpm).to_bytes(3))) for tick, bpm in tempos]
    for tick, numerator, denominator in metres:  # type: ignore[misc]
        power = int(denominator).bit_length() - 1
        if not 1 <= numerator <= 255 or 2**power != denominator:
            raise UserError(f"{numerator}/{denominator} is no metre", where="write_notes", hint="as in 6/8")
        marks.append((tick, _meta(smf.METRE, bytes([numerator, power, 24, 8]))))
    if key is not None:
        marks.append((0, _meta(smf.KEY, bytes([key.fifths % 256, key.minor]))))
    tracks = [_track(sorted(marks, key=lambda mark: mark[0]))]
    for number in range(int(notes["track"].max()) + 1 if len(notes) else 0):
        name = names[number] if number < len(names) else ""
        tracks.append(_note_track(notes[notes["track"] == number], name, programs))
    return b"".join([smf.header(1, len(tracks), ticks_per_beat), *tracks])


def note_track(
    notes: NDArray[Any],
    name: str,
    programs: Mapping[int, int],
    ticks_per_beat: int,
    texts: Sequence[tuple[int, int, bytes]] = (),
) -> bytes:
    """The chunk of one track.

    Args:
        notes: (notes,) of `NOTE_DTYPE`, all of them on this track.
        name: Its name.
        programs: Channel -> General MIDI program from 0.
        ticks_per_beat: Ticks per quarter note.
        texts: (tick, type of meta event, text).

    Raises:
        UserError: A value is out of the format's range.
    """
    _check(notes, ticks_per_beat)
    alone = notes.copy()
    alone["track"] = 0
    return _note_track(_without_overlaps(alone), name, programs, texts)


def _check(notes: NDArray[Any], ticks_per_beat: int) -> None:
    good = (
        1 <= ticks_per_beat < 0x8000
        and np.all(notes["pitch"] < 128)
        and np.all((notes["velocity"] >= 1) & (notes["velocity"] <= 127))
        and np.all(notes["channel"] < 16)
        and np.all((notes["onset_tick"] >= 0) & (notes["duration_tick"] >= 0))
        and np.all(notes["onset_tick"] + notes["duration_tick"] <= LONGEST_DELTA)
    )
    if not good:
        raise UserError(
            "a note is out of range (pitch 0-127, velocity 1-127, channel 0-15, times from 0)",
            where="write_notes",
            hint="clip the values first",
        )


def _without_overlaps(notes: NDArray[Any]) -> NDArray[Any]:
    """Notes of at least one tick, none sounding into the next of its channel and pitch."""
    keys = ("onset_tick", "pitch", "channel", "track")
    order = np.lexsort((-notes["velocity"].astype(int), *(notes[key] for key in keys)))
    notes = notes[order]
    names = notes[["track", "channel", "pitch"]]
    same = names[1:] == names[:-1]
    twice = same & (np.diff(notes["onset_tick"]) == 0)
    notes = notes[np.concatenate([[True], ~twice])] if len(notes) else notes.copy()
    names = notes[["track", "channel", "pitch"]]
    notes["duration_tick"] = np.maximum(1, notes["duration_tick"])
    same = names[1:] == names[:-1]
    gap = np.where(same, np.diff(notes["onset_tick"]), np.iinfo(np.int64).max)
    notes["duration_tick"][:-1] = np.minimum(notes["duration_tick"][:-1], gap)
    return notes[np.lexsort((notes["pitch"], notes["onset_tick"]))]


def _note_track(
    notes: NDArray[Any], name: str, programs: Mapping[int, int], texts: Sequence[tuple[int, int, bytes]] = ()
) -> bytes:
    events = [(0, 0, _meta(smf.TRACK_NAME, name.encode("latin-1", "replace")))] if name else []
    channels = sorted(set(notes["channel"].tolist()))
    events += [(0, 0, bytes([0xC0 | c, programs[c]])) for c in channels if c in programs]
    events += [(tick, 1, _meta(kind, text)) for tick, kind, text in texts]  # behind note-offs, before note-ons
    for note in notes:
        channel, pitch, start = int(note["channel"]), int(note["pitch"]), int(note["onset_tick"])
        events.append((start, 2, bytes([0x90 | channel, pitch, int(note["velocity"])])))
        events.append((start + int(note["duration_tick"]), 1, bytes([0x80 | channel, pitch, 0x40])))
    events.sort(key=lambda event: event[:2])
    return _track([(tick, body) for tick, _, body in events])


def _track(events: Sequence[tuple[int, bytes]]) -> bytes:
    out, now = bytearray(), 0
    for tick, body in events:
        out += smf.variable(tick - now) + body
        now = tick
    return smf.chunk(b"MTrk", bytes(out) + b"\0" + _meta(smf.END_OF_TRACK, b""))


def _meta(kind: int, value: bytes) -> bytes:
    return bytes([smf.META, kind]) + smf.variable(len(value)) + value


def _microseconds(bpm: float) -> int:
    if not 3.6 <= bpm <= 60_000_000:
        raise UserError(
            f"{bpm} quarter notes per minute can't be written", where="write_notes", hint="from 3.6 on"
        )
    return min(round(6e7 / bpm), 2**24 - 1)
