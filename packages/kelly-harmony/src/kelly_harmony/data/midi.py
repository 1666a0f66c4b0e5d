"""From a MIDI file to a lead sheet: beats of its metre, the melody, the key, chords where a track has them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kelly_core.errors import DataError
from kelly_core.features.midi import Key, estimate_key
from kelly_harmony.chords import NONE, UNKNOWN, chord_of, label_of
from kelly_harmony.data.tracks import chord_track, find_track, melody_track, notes_of, top_voice
from kelly_harmony.keys import key_number
from kelly_harmony.lead import Lead, chord_per_beat, melody_features, metre_features

if TYPE_CHECKING:
    from kelly_core.features.midi import MidiFile

LONGEST = 20_000
"""Beats of the longest file that is read: nearly three hours at 120 a minute."""


@dataclass(frozen=True)
class Beats:
    """The beats of a file.

    Attributes:
        edges: (beats + 1,) ticks, float64.
        place: (beats,) beats since the bar line.
        length: (beats,) beats of a full bar.
        bar: (beats,) number of the bar.
    """

    edges: NDArray[np.float64]
    place: NDArray[np.int64]
    length: NDArray[np.int64]
    bar: NDArray[np.int64]

    def position(self, tick: NDArray[np.integer]) -> NDArray[np.float64]:
        """Beats from the start at these ticks."""
        return np.interp(tick, self.edges, np.arange(len(self.edges)))


def beat_quarters(numerator: int, denominator: int) -> float:
    """Quarter notes of a beat: a dotted quarter in 6/8, 9/8 and the like, never more than one otherwise."""
    if denominator >= 8 and numerator % 3 == 0:
        return 12.0 / denominator
    return min(1.0, 4.0 / denominator)


def beats_of(midi: MidiFile, end_tick: int) -> Beats:
    """Beats from the start of a file to `end_tick`; a change of metre begins a bar.

    Raises:
        DataError: There are more than `LONGEST`.
    """
    edges, places, lengths, bars = [], [], [], []
    number = 0
    stops = [*midi.metre["tick"][1:].tolist(), max(end_tick, 1)]
    for (start, numerator, denominator), stop in zip(midi.metre.tolist(), stops, strict=True):
        last = min(stop, max(end_tick, 1))
        quarters = beat_quarters(numerator, denominator)
        size = quarters * midi.ticks_per_beat
        count = int(np.ceil((last - start) / size - 1e-9))
        if count > LONGEST or len(edges) + count > LONGEST:
            raise DataError(
                f"it lasts more than {LONGEST} beats",
                where=str(midi.path or "MIDI data"),
                hint="cut it into songs",
                code="data.midi",
            )
        if count <= 0:
            continue
        length = max(1, round(4 * numerator / denominator / quarters))
        rows = np.arange(count)
        edges += (start + rows * size).tolist()
        places += (rows % length).tolist()
        bars += (number + rows // length).tolist()
        lengths += [length] * count
        number = bars[-1] + 1
        behind = start + count * size
    columns = (np.array(column, np.int64) for column in (places, lengths, bars))
    return Beats(np.array([*edges, behind], np.float64), *columns)


def lead_of(midi: MidiFile, *, track: str | None = None, key: int | None = None) -> tuple[Lead, str]:
    """The melody of a file on its beats.

    Args:
        midi: The file.
        track: Name or number of the melody's track; None finds it.
        key: Its key; None takes the file's key signature, else estimates.

    Returns:
        The lead sheet without chords, and where its key is from: `given`, `file` or `estimated`.

    Raises:
        DataError, UserError: There is no melody.
    """
    chosen = find_track(midi, track) if track is not None else melody_track(midi)
    notes = notes_of(midi, chosen)
    beats = beats_of(midi, int((notes["onset_tick"] + notes["duration_tick"]).max()))
    return _lead(midi, top_voice(notes), beats, key)


def _lead(midi: MidiFile, notes: NDArray[Any], beats: Beats, key: int | None) -> tuple[Lead, str]:
    count = len(beats.place)
    begin, end = (
        beats.position(notes["onset_tick"]),
        beats.position(notes["onset_tick"] + notes["duration_tick"]),
    )
    melody = melody_features(begin, end, notes["pitch"], count)
    metre = metre_features(beats.place, beats.length, beats.bar, melody[:, -1])
    if key is not None:
        keys, source = np.full(count, key, np.int64), "given"
    elif len(midi.keys):
        numbers = np.array([key_number(Key(int(k["fifths"]), bool(k["minor"]))) for k in midi.keys])
        at = np.searchsorted(midi.keys["tick"], beats.edges[:-1] + 0.5, side="right") - 1
        keys, source = numbers[np.maximum(at, 0)], "file"
    else:
        lasting = np.bincount(notes["pitch"] % 12, notes["duration_tick"], 12)
        keys, source = np.full(count, key_number(estimate_key(lasting)), np.int64), "estimated"
    edges = midi.seconds(beats.edges)
    unknown = np.full(count, UNKNOWN, np.int64)
    return Lead(melody, metre, keys.astype(np.int64), unknown, edges, name=_name(midi)), source


def read_lead(path: Path) -> Lead:
    """A tune with chords, from a MIDI file that has a track for each.

    Raises:
        DataError: It can't be read, or has no melody or no chords.
    """
    from kelly_core.features.midi import read_midi

    midi = read_midi(path)
    chords = chord_track(midi)
    where = str(path)
    if chords is None:
        raise DataError(
            "no track of it plays chords",
            where=where,
            hint="one track must hold block chords",
            code="data.midi",
        )
    others = [track for track in range(len(midi.names)) if track != chords and len(notes_of(midi, track))]
    if not others:
        raise DataError(
            "it has chords and no melody",
            where=where,
            hint="the melody needs a track of its own",
            code="data.midi",
        )
    melody = melody_track(midi)
    if melody == chords:
        melody = others[0]
    notes = top_voice(notes_of(midi, melody))
    played = notes_of(midi, chords)
    last = max(int((table["onset_tick"] + table["duration_tick"]).max()) for table in (notes, played))
    beats = beats_of(midi, last)
    lead, _ = _lead(midi, notes, beats, None)
    intervals, names = chord_segments(played)
    seconds = midi.seconds(intervals)
    return Lead(
        lead.melody,
        lead.metre,
        lead.key,
        chord_per_beat(lead.edges, seconds, names, NONE),
        lead.edges,
        seconds,
        tuple(label_of(int(chord)) for chord in names),
        lead.name,
    )


def chord_segments(notes: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Block chords of a track.

    Args:
        notes: Its notes.

    Returns:
        (chords, 2) begin and end in ticks, none overlapping, and (chords,) what they are.
    """
    starts = np.unique(notes["onset_tick"])
    ends = notes["onset_tick"] + notes["duration_tick"]
    intervals, chords = [], []
    for number, start in enumerate(starts.tolist()):
        mine = notes["onset_tick"] == start
        sounding = mine | ((notes["onset_tick"] < start) & (ends > start))
        pitches = notes["pitch"][sounding].astype(np.int64)
        stop = int(ends[mine].max())
        if number + 1 < len(starts):
            stop = min(stop, int(starts[number + 1]))
        if stop > start:
            intervals.append((start, stop))
            chords.append(chord_of(pitches % 12, int(pitches.min()) % 12))
    return np.array(intervals, np.float64).reshape(-1, 2), np.array(chords, np.int64)


def _name(midi: MidiFile) -> str:
    return midi.path.stem if midi.path else "tune"
