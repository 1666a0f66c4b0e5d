"""Standard MIDI files as raw events: every event keeps its bytes, so that it can be written back as it was.

Damage costs the events behind it in its own track, never the file: what was read before it is kept and a
problem says what was left out. Format: Standard MIDI Files 1.0 (MIDI Manufacturers Association, RP-001).
Ticks count from the start of the file.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kelly_core.errors import DataError

LARGEST = 64 * 2**20
"""Largest file that is read, bytes; the longest real performances have a few MB."""
MOST_TRACKS = 4096
META, SYSEX, ESCAPE = 0xFF, 0xF0, 0xF7
TEMPO, METRE, KEY, END_OF_TRACK, TRACK_NAME = 0x51, 0x58, 0x59, 0x2F, 0x03
_SYSTEM_LENGTHS = {0xF1: 1, 0xF2: 2, 0xF3: 1}
"""Data bytes of system messages, which have no place in a file but do occur; others have none."""


@dataclass(frozen=True)
class RawTrack:
    """The events of one track.

    Attributes:
        tick: (events,) int64, time from the start of the file.
        status: (events,) uint8, the status byte, also where the file left it out (running status).
        start, stop: (events,) int64; `data[start:stop]` are the bytes after the status byte: data bytes of
            a channel message; type, length and text of a meta event; length and bytes of a sysex event.
    """

    tick: NDArray[np.int64]
    status: NDArray[np.uint8]
    start: NDArray[np.int64]
    stop: NDArray[np.int64]


@dataclass(frozen=True)
class RawFile:
    """A file taken apart.

    Attributes:
        data: The file's bytes.
        format: 0 (one track) or 1 (tracks that play together).
        division: The two bytes of the header that say what a tick is, unsigned.
        tracks: The tracks in the file's order.
        foreign: Chunks of unknown kinds with their 8-byte headers, in order.
        problems: What was found damaged or odd.
    """

    data: bytes
    format: int
    division: int
    tracks: tuple[RawTrack, ...]
    foreign: tuple[bytes, ...]
    problems: tuple[str, ...]


def parse(data: bytes, where: str = "MIDI data") -> RawFile:
    """Take a standard MIDI file apart.

    Args:
        data: The file's bytes.
        where: Name of the file, for messages.

    Raises:
        DataError: It is no MIDI file, has no track, or is of format 2 (independent sequences).
    """
    check_size(len(data), where)
    problems: list[str] = []
    head = data.find(b"MThd", 0, 1024)
    if head < 0 or len(data) < head + 14:
        what = "it is empty" if not data else "it does not start with a MIDI header ('MThd')"
        raise DataError(what, where=where, hint="check that it is a standard MIDI file", code="data.midi")
    if head:
        problems.append(f"{head} foreign bytes before the header")
    length = int.from_bytes(data[head + 4 : head + 8])
    kind, declared, division = (int.from_bytes(data[head + at : head + at + 2]) for at in (8, 10, 12))
    if kind > 1:
        what = "its tracks are independent sequences (format 2)" if kind == 2 else f"unknown format {kind}"
        raise DataError(what, where=where, hint="save it as format 0 or 1", code="data.midi")
    if division == 0:
        raise DataError(
            "it has 0 ticks per quarter note",
            where=where,
            hint="save it again from a sequencer",
            code="data.midi",
        )
    if not 6 <= length <= 1024:
        problems.append(f"its header claims {length} bytes")
        length = 6
    tracks, foreign = _chunks(data, head + 8 + length, problems)
    if not tracks:
        raise DataError(
            "it has no tracks", where=where, hint="check that the file is complete", code="data.midi"
        )
    if len(tracks) != declared:
        problems.append(f"its header announces {declared} tracks, it has {len(tracks)}")
    return RawFile(data, kind, division, tuple(tracks), tuple(foreign), tuple(problems))


def check_size(size: int, where: str) -> None:
    """Refuse files of absurd size before they are read.

    Raises:
        DataError: It has more than `LARGEST` bytes.
    """
    if size > LARGEST:
        raise DataError(
            f"it has {size / 2**20:.0f} MB; MIDI files of more than {LARGEST // 2**20} MB are not read",
            where=where,
            hint="check that it is a MIDI file, or cut it into parts",
            code="data.midi",
        )


def _chunks(data: bytes, at: int, problems: list[str]) -> tuple[list[RawTrack], list[bytes]]:
    tracks: list[RawTrack] = []
    foreign: list[bytes] = []
    while at + 8 <= len(data):
        kind, length = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8])
        end = at + 8 + length
        if kind == b"MTrk":
            if end > len(data):
                problems.append(f"track {len(tracks) + 1} is cut off")
                end = len(data)
            if len(tracks) == MOST_TRACKS:
                problems.append(f"tracks after the first {MOST_TRACKS} are left out")
                break
            tracks.append(_events(data, at + 8, end, len(tracks) + 1, problems))
        elif kind.isalnum() and kind.isascii() and end <= len(data):
            foreign.append(data[at:end])
        else:
            end = data.find(b"MTrk", at + 1)
            lost = (end if end >= 0 else len(data)) - at
            problems.append(f"{lost} bytes between tracks make no sense")
            if end < 0:
                break
        at = end
    return tracks, foreign


def _events(data: bytes, at: int, end: int, number: int, problems: list[str]) -> RawTrack:
    """Events of the track whose bytes are `data[at:end]`; stops at the first that makes no sense."""
    ticks, statuses, starts, stops = [], [], [], []
    tick = running = 0
    try:
        while at < end:
            delta, at = _variable(data, at, end)
            tick += delta
            byte = data[at]
            if byte >= 0x80:
                status, at = byte, at + 1
            elif running:
                status = running
            else:
                raise ValueError("a data byte without a status")
            if status < 0xF0:
                running = status
                stop = at + (1 if 0xC0 <= status < 0xE0 else 2)
                if stop > end or data[at] > 0x7F or data[stop - 1] > 0x7F:
                    raise ValueError("a message is incomplete")
            else:
                stop = _system_end(data, status, at, end)
                running = 0 if status <= 0xF7 or status == META else running
            ticks.append(tick)
            statuses.append(status)
            starts.append(at)
            stops.append(stop)
            at = stop
            if status == META and data[starts[-1]] == END_OF_TRACK:
                break
        else:
            problems.append(f"track {number} has no end-of-track event")
    except (ValueError, IndexError) as error:
        reason = str(error) if isinstance(error, ValueError) else "the file ends"
        problems.append(f"track {number} is damaged at byte {at} ({reason}); the rest of it is left out")
    return RawTrack(
        np.array(ticks, np.int64),
        np.array(statuses, np.uint8),
        np.array(starts, np.int64),
        np.array(stops, np.int64),
    )


def _system_end(data: bytes, status: int, at: int, end: int) -> int:
    if status == META:
        length, at = _variable(data, at + 1, end)
    elif status in {SYSEX, ESCAPE}:
        length, at = _variable(data, at, end)
    else:
        length = _SYSTEM_LENGTHS.get(status, 0)
    if at + length > end:
        raise ValueError("an event is longer than its track")
    return at + length


def _variable(data: bytes, at: int, end: int) -> tuple[int, int]:
    """A variable-length quantity, at most 4 bytes, and the position after it."""
    value = 0
    for place in range(at, min(at + 4, end)):
        byte = data[place]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, place + 1
    raise ValueError("a length makes no sense")


def variable(value: int) -> bytes:
    """The variable-length quantity of a number below 2^28.

    >>> variable(200).hex()
    '8148'
    """
    out = bytes([value & 0x7F])
    while value := value >> 7:
        out = bytes([value & 0x7F | 0x80]) + out
    return out


def chunk(kind: bytes, body: bytes) -> bytes:
    """A chunk with its header."""
    return kind + len(body).to_bytes(4) + body


def header(kind: int, tracks: int, division: int) -> bytes:
    """The header chunk."""
    return chunk(b"MThd", kind.to_bytes(2) + tracks.to_bytes(2) + division.to_bytes(2))
