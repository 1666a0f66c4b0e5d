"""A MusicXML score as a MIDI file that is played flat, with what the model is told of each note."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kelly_core.errors import DataError
from kelly_core.features.midi import DRUM_CHANNEL, MidiFile, encode, make_notes, read_bytes
from kelly_dynamics.data.musicxml import marking_table
from kelly_dynamics.data.score_xml import Found, Measure, Sounding, fraction_of, walk_score
from kelly_dynamics.score import Score

SUFFIXES = (".musicxml", ".mxl", ".xml")
TICKS = 480
_GRACE = 1 / 8
"""Quarters that a grace note takes from the time before its main note."""
_LONGEST = 2**27 / TICKS
_SAME = 1e-3


@dataclass(frozen=True)
class WrittenScore:
    """What `read_score` makes of a score.

    Attributes:
        midi: Its notes at velocity 80, its tempo and metre, a track per staff.
        score: The same notes as the model is told of them, with markings.
        order: (notes,) where each note of `score` stands in `midi.notes`.
    """

    midi: MidiFile
    score: Score
    order: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _Note:
    """A note to play: place in `Found.sounding` of its first head, and its whole length in quarters."""

    at: int
    duration: float


def read_score(path: Path) -> WrittenScore:
    """Read a MusicXML score as it is written: repeats and jumps are not followed, each bar comes once.

    Tied notes become one. Grace notes come before the beat; one before the first beat puts an empty bar in
    front. Of notes that one staff writes twice, the longer one is played. Where no tempo is given, it is 120.

    Raises:
        DataError: It is not readable MusicXML, holds no notes to play, or is too long for a MIDI file.
    """
    found = walk_score(path)
    notes, problems = _without_doubles(_tied(found.sounding), found.sounding), []
    if not notes:
        raise DataError(
            "holds no notes to play", where=str(path), hint="is it the right score?", code="data.score"
        )
    left_out = sum(one.pitch is None and not one.cue for one in found.sounding)
    if left_out:
        problems.append(f"{left_out} notes without a pitch (percussion) are left out")
    if found.repeats:
        problems.append("its repeats are not followed: every bar is played once, in written order")
    if max(found.sounding[note.at].onset + note.duration for note in notes) > _LONGEST:
        raise DataError(
            "its notes lie further on than a MIDI file reaches",
            where=str(path),
            hint="export it again: durations in it are damaged",
            code="data.score",
        )
    return _written(path, found, notes, problems)


def _written(path: Path, found: Found, notes: Sequence[_Note], problems: list[str]) -> WrittenScore:
    heads = [found.sounding[note.at] for note in notes]
    starts, lengths = _times(heads, notes)
    first = [measure for measure in found.measures if measure.part == heads[0].part]
    ahead = first[0].nominal if starts.min() < 0 else 0.0
    track_of = {key: at for at, key in enumerate(sorted({(head.part, head.staff) for head in heads}))}
    channels = [channel for channel in range(16) if channel != DRUM_CHANNEL]
    onset = np.rint((starts + ahead) * TICKS).astype(np.int64)
    track = np.array([track_of[head.part, head.staff] for head in heads])
    pitch = np.array([head.pitch for head in heads])
    table = make_notes(
        pitch,
        onset,
        np.maximum(np.rint((starts + ahead + lengths) * TICKS).astype(np.int64) - onset, 1),
        80,
        channel=np.array([channels[head.part % len(channels)] for head in heads]),
        track=track,
    )
    last = float(starts.max())
    data = encode(table, _tempos(found, ahead, last), _metres(first, ahead, last), TICKS)
    midi = read_bytes(data, path)
    midi = replace(midi, problems=(*midi.problems, *problems))
    keys = zip(midi.notes["track"] - 1, midi.notes["pitch"], midi.notes["onset_tick"], strict=True)
    place = {tuple(map(int, key)): at for at, key in enumerate(keys)}
    index = np.array([place[key] for key in zip(track.tolist(), pitch.tolist(), onset.tolist(), strict=True)])
    once = np.unique(index, return_index=True)[1]  # what rounding to ticks laid on one spot is one note
    order = once[np.lexsort((pitch[once], np.round([heads[at].onset for at in once], 4)))]
    return WrittenScore(midi, _score(found, [notes[at] for at in order], midi), index[order])


def _score(found: Found, notes: Sequence[_Note], midi: MidiFile) -> Score:
    heads = [found.sounding[note.at] for note in notes]
    measures = [found.measures[head.measure] for head in heads]
    nominal = np.array([measure.nominal for measure in measures])
    position = np.array([h.onset - m.start + _missing(m, found) for h, m in zip(heads, measures, strict=True)])
    onset = np.array([head.onset for head in heads])
    seconds = float(np.ptp(midi.notes["onset"]))
    return Score(
        onset=onset,
        duration=np.array([note.duration for note in notes]),
        pitch=np.array([head.pitch for head in heads], np.float64),
        position=np.mod(position, nominal),
        bar_length=nominal,
        beat=np.array([4.0 / measure.metre[1] for measure in measures]),
        tempo=float(np.clip(60 * np.ptp(onset) / seconds, 10.0, 600.0)) if seconds > 0 else 120.0,
        markings=marking_table(found)[[note.at for note in notes]],
    )


def _missing(measure: Measure, found: Found) -> float:
    """Quarters that an upbeat lacks at its beginning: it ends with its bar."""
    upbeat = measure.start == 0 and measure.length < measure.nominal and len(found.measures) > 1
    return measure.nominal - measure.length if upbeat else 0.0


def _tied(heads: Sequence[Sounding]) -> list[_Note]:
    """Notes to play, tied heads joined."""
    notes: list[_Note] = []
    waiting: dict[tuple[int, int], int] = {}  # part and pitch -> place in `notes`
    for at, head in enumerate(heads):
        if head.pitch is None or head.cue:
            continue
        key = (head.part, head.pitch)
        before = waiting.pop(key, None) if head.tied_from else None
        joined = before is not None
        if before is not None:
            first = heads[notes[before].at]
            joined = abs(first.onset + notes[before].duration - head.onset) < _SAME
            if joined:
                notes[before] = _Note(notes[before].at, notes[before].duration + head.duration)
        if not joined:
            before = len(notes)
            notes.append(_Note(at, head.duration))
        if head.tied_on and before is not None:
            waiting[key] = before
    return notes


def _without_doubles(notes: Sequence[_Note], heads: Sequence[Sounding]) -> list[_Note]:
    """Of notes of one staff, pitch and moment the longest, in the order of the score."""
    longest: dict[tuple[int, int, int | None, int, bool], _Note] = {}
    for note in notes:
        head = heads[note.at]
        key = (head.part, head.staff, head.pitch, round(head.onset / _SAME), head.grace)
        if key not in longest or longest[key].duration < note.duration:
            longest[key] = note
    return sorted(longest.values(), key=lambda note: note.at)


def _times(
    heads: Sequence[Sounding], notes: Sequence[_Note]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Start and length of every note in quarters; grace notes of a moment and staff come one after another."""
    starts = np.array([max(head.onset, 0.0) for head in heads])  # sums of durations may end just below
    lengths = np.array([note.duration for note in notes])
    groups: dict[tuple[int, int, float], list[int]] = {}
    for at, head in enumerate(heads):
        if head.grace:
            groups.setdefault((head.part, head.staff, round(head.onset, 4)), []).append(at)
    for group in groups.values():
        for place, at in enumerate(reversed(group), start=1):
            starts[at] -= place * _GRACE
            lengths[at] = _GRACE
    return starts, lengths


def _tempos(found: Found, ahead: float, last: float) -> list[tuple[int, float]]:
    """Changes (tick, quarters per minute) up to the last note; of several at one place the last counts."""
    changes = {0: 120.0}
    for at, value in sorted(found.tempos, key=lambda change: change[0]):
        if at <= last:
            changes[round((at + ahead) * TICKS) if at > 0 else 0] = value
    return sorted(changes.items())


def _metres(measures: Sequence[Measure], ahead: float, last: float) -> list[tuple[int, int, int]]:
    """Changes (tick, numerator, denominator); a bar of another length than its metre asks for gets its own."""
    changes = [(0, *measures[0].metre)] if ahead else []
    for measure in measures:
        if measure.length <= 0 or measure.start > last:
            continue
        whole = abs(measure.length - measure.nominal) < _SAME
        metre = measure.metre if whole else fraction_of(measure.length) or measure.metre
        if not changes or changes[-1][1:] != metre:
            changes.append((round((measure.start + ahead) * TICKS), *metre))
    return changes or [(0, 4, 4)]
