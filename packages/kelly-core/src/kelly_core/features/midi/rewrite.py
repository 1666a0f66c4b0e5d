"""Writing a read MIDI file back with changed notes; every other event keeps its bytes, tick and order."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kelly_core import atomic
from kelly_core.errors import UserError
from kelly_core.features.midi import smf
from kelly_core.features.midi.read import MidiFile

LONGEST_DELTA = 2**28 - 1
"""Largest distance between two events that a file can hold, ticks."""
_OFF, _OTHER, _LATE_OFF, _END = 0, 1, 2, 3
"""Order at one tick: notes end before others begin, a note without length ends after it began."""


def write_back(
    midi: MidiFile,
    path: Path,
    *,
    onset_tick: ArrayLike | None = None,
    duration_tick: ArrayLike | None = None,
    velocity: ArrayLike | None = None,
) -> None:
    """Write a read file with changed note fields; every other event keeps its bytes, tick and order.

    Notes keep their number, and notes of one channel and pitch their order. Notes that didn't overlap on a
    pitch don't afterwards: the earlier one is shortened, or the later one moved one tick on.

    Args:
        midi: The file as it was read.
        path: File to write, replaced whole.
        onset_tick: (notes,) new onsets, parallel to `midi.notes`; below 0 counts as 0.
        duration_tick: (notes,) new lengths; a note that had a length keeps at least one tick.
        velocity: (notes,) new velocities, 1 to 127.

    Raises:
        UserError: An array has another length than the notes, a velocity is out of range, a time isn't
            finite or too large for the format.
    """
    atomic.write_bytes(path, rewritten(midi, onset_tick, duration_tick, velocity))


def rewritten(
    midi: MidiFile,
    onset_tick: ArrayLike | None = None,
    duration_tick: ArrayLike | None = None,
    velocity: ArrayLike | None = None,
) -> bytes:
    """The bytes that `write_back` writes."""
    notes = midi.notes
    timed = onset_tick is not None or duration_tick is not None
    onset = _column(onset_tick, notes["onset_tick"], "onset_tick")
    length = _column(duration_tick, notes["duration_tick"], "duration_tick")
    loudness = _column(velocity, notes["velocity"], "velocity")
    if np.any((loudness < 1) | (loudness > 127)):
        raise UserError("velocities must be 1 to 127", where="write_back", hint="clip them first")
    if timed:
        onset, length = _apart(notes, onset, length)
    raw = midi.raw
    out = [smf.header(raw.format, len(raw.tracks), raw.division)]
    for number, track in enumerate(raw.tracks):
        mine = np.flatnonzero(notes["track"] == number)
        events = _Events(raw.data, track)
        events.set_velocity(notes[mine], loudness[mine])
        if timed:
            events.move(notes[mine], onset[mine], length[mine])
        out.append(events.chunk())
    return b"".join([*out, *raw.foreign])


def track_chunk(raw: smf.RawFile, number: int) -> bytes:
    """A read track's chunk, its events as they were, its end in place."""
    return _Events(raw.data, raw.tracks[number]).chunk()


def _column(given: ArrayLike | None, default: NDArray[Any], name: str) -> NDArray[np.int64]:
    if given is None:
        return default.astype(np.int64)
    values = np.asarray(given)
    if values.shape != default.shape:
        raise UserError(
            f"{name} has shape {values.shape}, the file has {len(default)} notes",
            where="write_back",
            hint="give one value per note of the read file",
        )
    if not np.all(np.isfinite(values)) or np.any(np.abs(values) > 2**52):
        raise UserError(f"{name} holds a value that is no number", where="write_back", hint="check the values")
    return np.asarray(np.rint(values).astype(np.int64))


def _apart(
    notes: NDArray[Any], onset: NDArray[np.int64], length: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """New times at which notes of a channel and pitch keep their order and don't begin to overlap."""
    onset = np.maximum(onset, 0)
    length = np.where(notes["duration_tick"] > 0, np.maximum(length, 1), np.maximum(length, 0))
    order = np.lexsort((notes["event"], notes["pitch"], notes["channel"], notes["track"]))
    names = notes[["track", "channel", "pitch"]][order]
    before = notes["onset_tick"][order]
    stop_before = before + notes["duration_tick"][order]
    starts, lengths = onset[order], length[order]
    for at in np.flatnonzero(names[1:] == names[:-1]) + 1:
        # A forward pass is enough: each onset depends on the one before it alone.
        starts[at] = max(starts[at], starts[at - 1] + int(before[at] > before[at - 1]))
        if stop_before[at - 1] <= before[at]:
            lengths[at - 1] = min(lengths[at - 1], starts[at] - starts[at - 1])
        else:
            # Overlapping notes end in the order they began, as they are read.
            lengths[at] = max(lengths[at], starts[at - 1] + lengths[at - 1] - starts[at])
    onset[order], length[order] = starts, lengths
    return onset, length


class _Events:
    """The events of one track while they are changed."""

    def __init__(self, data: bytes, track: smf.RawTrack) -> None:
        self.tick = track.tick.tolist()
        self.rank = [_OTHER] * len(self.tick)
        self.moved = False
        self.body = [
            bytes([status]) + data[start:stop]
            for status, start, stop in zip(
                track.status.tolist(), track.start.tolist(), track.stop.tolist(), strict=True
            )
        ]
        if not self.body or self.body[-1][:2] != bytes([smf.META, smf.END_OF_TRACK]):
            self.tick.append(self.tick[-1] if self.tick else 0)
            self.body.append(bytes([smf.META, smf.END_OF_TRACK, 0]))
            self.rank.append(_END)
        self.rank[-1] = _END

    def set_velocity(self, notes: NDArray[Any], velocity: NDArray[np.int64]) -> None:
        for event, value in zip(notes["event"].tolist(), velocity.tolist(), strict=True):
            self.body[event] = self.body[event][:2] + bytes([value])

    def move(self, notes: NDArray[Any], onset: NDArray[np.int64], length: NDArray[np.int64]) -> None:
        self.moved = True
        columns = (notes["event"], notes["off_event"], notes["channel"], notes["pitch"], onset, length)
        for on, off, channel, pitch, start, ticks in zip(*(c.tolist() for c in columns), strict=True):
            self.tick[on] = start
            place = off
            if off < 0:
                place = len(self.tick)
                self.tick.append(0)
                self.rank.append(_OFF)
                self.body.append(bytes([0x80 | channel, pitch, 0x40]))
            self.tick[place] = start + ticks
            self.rank[place] = _OFF if ticks else _LATE_OFF

    def chunk(self) -> bytes:
        order: Sequence[int] = range(len(self.tick))
        if self.moved:
            end = self.rank.index(_END)
            self.tick[end] = max(self.tick)
            order = sorted(order, key=lambda at: (self.tick[at], self.rank[at]))
        out = bytearray()
        now = 0
        for at in order:
            delta = self.tick[at] - now
            if delta > LONGEST_DELTA:
                raise UserError(
                    f"two events are {delta} ticks apart, more than the format holds",
                    where="MIDI file",
                    hint="check the times",
                )
            out += smf.variable(delta) + self.body[at]
            now = self.tick[at]
        return smf.chunk(b"MTrk", bytes(out))
