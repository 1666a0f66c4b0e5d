"""Reading any .mid file: a table of notes, the maps of tempo, metre and key, and what was found odd.

Pitch and velocity are MIDI numbers, channels count from 0 (drums are 9), tracks from 0 in the file's order.
"""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kelly_core.errors import DataError
from kelly_core.features.midi import smf
from kelly_core.features.midi.timing import (
    DEFAULT_TEMPO,
    KEY_DTYPE,
    Bars,
    metre_map,
    tempo_map,
    to_bars,
    to_seconds,
    to_tick,
)

MIDI_VERSION = "midi-1"
"""Changes whenever a file would be read differently; part of the key of whatever is cached."""
DRUM_CHANNEL = 9
"""General MIDI's channel of drums, counted from 0."""
SUFFIXES = (".mid", ".midi", ".smf", ".kar")
"""Suffixes of MIDI files, in lower case."""
NOTE_DTYPE = np.dtype(
    [
        ("onset_tick", "i8"),
        ("duration_tick", "i8"),
        ("onset", "f8"),
        ("duration", "f8"),
        ("pitch", "u1"),
        ("velocity", "u1"),
        ("channel", "u1"),
        ("track", "u2"),
        ("event", "i8"),
        ("off_event", "i8"),
    ]
)
"""One note: ticks, seconds, MIDI numbers, places of its note-on and note-off in its track (-1: none)."""
LONGEST = 24 * 3600.0
"""A file that lasts longer, in s, has a damaged time somewhere."""


@dataclass(frozen=True)
class MidiFile:
    """A MIDI file as music.

    Attributes:
        path: Where it was read; None for bytes.
        raw: Its events, for writing back.
        ticks_per_beat: Ticks per quarter note. Files on SMPTE time code get the number at which the fixed
            tempo of 120 per minute gives their real time.
        notes: (notes,) of `NOTE_DTYPE`, sorted by onset, then track, then place in the track. A note-off
            ends the oldest open note of its channel and pitch in its track; a note without one ends
            with its track.
        tempo: (changes,) tick, seconds, us_per_quarter; begins at tick 0.
        metre: (changes,) tick, numerator, denominator; begins at tick 0.
        keys: (changes,) tick, fifths (sharps positive), minor.
        names: Track names.
        problems: What was found damaged or odd, for people.
    """

    path: Path | None
    raw: smf.RawFile
    ticks_per_beat: int
    notes: NDArray[Any]
    tempo: NDArray[Any]
    metre: NDArray[Any]
    keys: NDArray[Any]
    names: tuple[str, ...]
    problems: tuple[str, ...]

    def seconds(self, tick: ArrayLike) -> NDArray[np.float64]:
        """Seconds at these ticks."""
        return to_seconds(self.tempo, self.ticks_per_beat, tick)

    def tick(self, seconds: ArrayLike) -> NDArray[np.int64]:
        """Nearest ticks at these seconds."""
        return to_tick(self.tempo, self.ticks_per_beat, seconds)

    def beats(self, tick: ArrayLike) -> NDArray[np.float64]:
        """Quarter notes since the start at these ticks."""
        return np.asarray(np.asarray(tick, np.float64) / self.ticks_per_beat)

    def bars(self, tick: ArrayLike) -> Bars:
        """Bar, quarter notes since its line, and its length, at these ticks."""
        return to_bars(self.metre, self.ticks_per_beat, tick)

    def tempo_at(self, tick: ArrayLike) -> NDArray[np.float64]:
        """Quarter notes per minute at these ticks."""
        row = np.searchsorted(self.tempo["tick"], np.asarray(tick), side="right") - 1
        return np.asarray(6e7 / self.tempo["us_per_quarter"][np.maximum(0, row)])

    @cached_property
    def end_tick(self) -> int:
        """Last tick of any event or note."""
        last = max((int(track.tick[-1]) for track in self.raw.tracks if len(track.tick)), default=0)
        ends = self.notes["onset_tick"] + self.notes["duration_tick"]
        return max(last, int(ends.max(initial=0)))


def read_midi(path: Path) -> MidiFile:
    """Read a MIDI file; damage costs the events behind it, never the file.

    Raises:
        DataError: It can't be read at all: missing, no MIDI, no tracks, format 2, over 64 MB.
    """
    path = Path(path)
    try:
        smf.check_size(path.stat().st_size, str(path))
        data = path.read_bytes()
    except OSError as error:
        raise DataError(
            f"it can't be read ({error.strerror or error})",
            where=str(path),
            hint="check the path and its rights",
            code="data.midi",
        ) from None
    return read_bytes(data, path)


def read_bytes(data: bytes, path: Path | None = None) -> MidiFile:
    """Read a MIDI file's bytes; see `read_midi`.

    Raises:
        DataError: As `read_midi`.
    """
    where = str(path) if path is not None else "MIDI data"
    raw = smf.parse(data, where)
    problems = list(raw.problems)
    ticks_per_beat, tempo_of_code = _division(raw.division, problems, where)
    tempos, metres, keys, names = _maps(raw, problems)
    if tempo_of_code is not None:
        tempos = [(0, tempo_of_code)]
    tempo = tempo_map(tempos, ticks_per_beat)
    notes = _notes(raw, problems)
    notes["onset"] = to_seconds(tempo, ticks_per_beat, notes["onset_tick"])
    ends = to_seconds(tempo, ticks_per_beat, notes["onset_tick"] + notes["duration_tick"])
    notes["duration"] = ends - notes["onset"]
    if ends.max(initial=0.0) > LONGEST:
        problems.append(f"it lasts {ends.max() / 3600:.0f} hours: a time in it is damaged")
    keys_table = np.array(sorted(keys), KEY_DTYPE)
    return MidiFile(
        path, raw, ticks_per_beat, notes, tempo, metre_map(metres), keys_table, names, tuple(problems)
    )


def _division(division: int, problems: list[str], where: str) -> tuple[int, float | None]:
    """Ticks per quarter note; for SMPTE time code also the microseconds per quarter note that fit it."""
    if division < 0x8000:
        return division, None
    frames, ticks = 256 - (division >> 8), division & 0xFF
    if ticks == 0 or frames not in {24, 25, 29, 30}:
        raise DataError(
            f"its time code has {frames} frames per second and {ticks} ticks per frame",
            where=where,
            hint="save it again with ticks per quarter note",
            code="data.midi",
        )
    per_second = (30_000 / 1001 if frames == 29 else frames) * ticks
    problems.append("its ticks are SMPTE time code: it has no beats, 120 per minute are assumed")
    ticks_per_beat = max(1, round(per_second * DEFAULT_TEMPO / 1e6))
    return ticks_per_beat, ticks_per_beat / per_second * 1e6


_Maps = tuple[list[tuple[int, float]], list[tuple[int, int, int]], list[tuple[int, int, bool]], tuple[str, ...]]


def _maps(raw: smf.RawFile, problems: list[str]) -> _Maps:
    tempos: list[tuple[int, float]] = []
    metres: list[tuple[int, int, int]] = []
    keys: list[tuple[int, int, bool]] = []
    names: list[str] = []
    odd = 0
    for track in raw.tracks:
        name = ""
        for at in np.flatnonzero(track.status == smf.META):
            tick, body = int(track.tick[at]), raw.data[track.start[at] : track.stop[at]]
            kind, value = body[0], _payload(body)
            if kind == smf.TEMPO and len(value) == 3 and any(value):
                tempos.append((tick, float(int.from_bytes(value))))
            elif kind == smf.METRE and len(value) >= 2 and value[0] and value[1] <= 7:
                metres.append((tick, value[0], 2 ** value[1]))
            elif kind == smf.KEY and len(value) == 2 and value[1] <= 1 and not 7 < value[0] < 249:
                keys.append((tick, value[0] - 256 * (value[0] > 127), bool(value[1])))
            elif kind in {smf.TEMPO, smf.METRE, smf.KEY}:
                odd += 1
            elif kind == smf.TRACK_NAME:
                name = name or value.decode("latin-1").strip("\0 ")
        names.append(name)
    if odd:
        problems.append(f"{odd} tempo, metre or key events make no sense and are not used")
    return tempos, metres, keys, tuple(names)


def _payload(body: bytes) -> bytes:
    """The bytes of a meta event after its type and variable length."""
    at = 1
    while body[at] & 0x80:
        at += 1
    return body[at + 1 :]


def _notes(raw: smf.RawFile, problems: list[str]) -> NDArray[Any]:
    tables = [_track_notes(raw.data, track, number, problems) for number, track in enumerate(raw.tracks)]
    notes = np.concatenate(tables)
    empty = int(np.count_nonzero(notes["duration_tick"] == 0))
    endless = int(np.count_nonzero(notes["off_event"] < 0))
    if empty:
        problems.append(f"{empty} of {len(notes)} notes have no length")
    if endless:
        problems.append(f"{endless} of {len(notes)} notes have no note-off; they end with their track")
    return notes[np.lexsort((notes["event"], notes["track"], notes["onset_tick"]))]


def _track_notes(data: bytes, track: smf.RawTrack, number: int, problems: list[str]) -> NDArray[Any]:
    """The notes of one track, by place in the track."""
    events = np.flatnonzero((track.status >= 0x80) & (track.status < 0xA0))
    bytes_ = np.frombuffer(data, np.uint8)
    status, tick = track.status[events], track.tick[events]
    pitch, velocity = bytes_[track.start[events]], bytes_[track.start[events] + 1]
    is_on = (status >= 0x90) & (velocity > 0)
    key = (status & 0x0F).astype(np.int64) << 7 | pitch
    on_places = np.flatnonzero(is_on)
    off = np.full(len(events), -1, np.int64)  # place of the note-off, by place of the note-on
    waiting: defaultdict[int, deque[int]] = defaultdict(deque)
    stray = overlapping = 0
    for place, (name, on) in enumerate(zip(key.tolist(), is_on.tolist(), strict=True)):
        if on:
            overlapping += bool(waiting[name])
            waiting[name].append(place)
        elif waiting[name]:
            off[waiting[name].popleft()] = place
        else:
            stray += 1
    if overlapping:
        problems.append(f"track {number + 1}: {overlapping} notes start while the same pitch still sounds")
    if stray:
        problems.append(f"track {number + 1}: {stray} note-offs end no note")
    offs = off[on_places]
    last = int(track.tick[-1]) if len(track.tick) else 0
    end = np.where(offs >= 0, tick[offs], last)
    notes = np.zeros(len(on_places), NOTE_DTYPE)
    notes["onset_tick"] = tick[on_places]
    notes["duration_tick"] = end - tick[on_places]
    notes["pitch"], notes["velocity"] = pitch[on_places], velocity[on_places]
    notes["channel"], notes["track"] = status[on_places] & 0x0F, number
    notes["event"] = events[on_places]
    notes["off_event"] = np.where(offs >= 0, events[offs], -1)
    return notes
