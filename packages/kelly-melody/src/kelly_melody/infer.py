"""What a trained model writes, through the engine: no torch needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kelly_core.errors import ContractError
from kelly_core.features.midi import Key
from kelly_melody.compose import Arrays, Composer, Host, Step
from kelly_melody.data.read import melody_part, to_melody
from kelly_melody.sampling import SplitMix64, Taste
from kelly_melody.tokens import DURATIONS, END, GRID, LOW, N_PITCHES, REST, Melody, Metre, midi_pitch

if TYPE_CHECKING:
    from kelly_core.features.midi import MidiFile
    from kelly_core.inference import Engine, FilePrediction

TICKS = 480
"""Ticks per quarter note of files written from nothing."""
VELOCITY = 80
TRACK = "melody, continued"
NAMES = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "G#", "A", "Bb", "B")


@dataclass(frozen=True)
class Order:
    """What is asked for.

    Attributes:
        bars: How many whole bars; None to go on until the model ends the melody.
        taste: How tokens are drawn.
        seed: Of the random numbers.
    """

    bars: int | None = 8
    taste: Taste = field(default_factory=Taste)
    seed: int = 0


@dataclass(frozen=True)
class Written:
    """What came out.

    Attributes:
        tokens: Pitch and duration indices.
        begin: Where they begin, in grid ticks since the first bar line.
        heard: Tokens that were heard before.
        host: Where the melody stands now; its key and metre.
    """

    tokens: Sequence[tuple[int, int]]
    begin: int
    heard: int
    host: Host

    def summary(self) -> dict[str, Any]:
        """For people and JSON: pitches are MIDI numbers, None a rest; lengths are in ticks of the grid."""
        shift = self.host.key.shift
        ticks = sum(DURATIONS[duration] for _, duration in self.tokens)
        return {
            "key": self.host.key.name,
            "key_source": self.host.key.source,
            "metre": self.host.metre.name,
            "heard": self.heard,
            "notes": sum(pitch < REST for pitch, _ in self.tokens),
            "bars": round(ticks / self.host.metre.ticks, 3),
            "ticks_per_quarter": GRID,
            "tokens": [
                [midi_pitch(pitch, shift) if pitch < REST else None, DURATIONS[duration]]
                for pitch, duration in self.tokens
            ],
        }


def compose(engine: Engine, melody: Melody | None, key: Key, metre: Metre, order: Order) -> Written:
    """Continue a melody, or begin one.

    Args:
        engine: With the model loaded.
        melody: What is heard first; None to begin from nothing.
        key: Where there is none: its key.
        metre: Where there is none: its metre.
        order: How much, and how. An unfinished bar is filled up first.
    """
    host = Host(melody.key, melody.metres, melody.start) if melody else Host(key, ((0, metre),))
    composer = Composer(host, engine_step(engine))
    if melody is not None:
        composer.listen(melody)
    begin = host.onset
    ticks = None if order.bars is None else host.to_bar_line() + order.bars * host.metre.ticks
    made = composer.write(ticks, order.taste, SplitMix64(order.seed))
    return Written(made, begin, len(melody) if melody is not None else 0, host)


def engine_step(engine: Engine) -> Step:
    """One token through the engine."""
    check_kind(engine)

    def step(inputs: Mapping[str, NDArray[Any]], state: Arrays) -> tuple[NDArray[Any], NDArray[Any], Arrays]:
        result = engine.infer({**inputs, **state})
        return result.outputs["pitch"][0], result.outputs["duration"][0], result.state

    return step


def note_table(written: Written, ticks_per_beat: int, line: int, velocity: int, **columns: int) -> NDArray[Any]:
    """The new notes as a table.

    Args:
        written: What came out.
        ticks_per_beat: Of the file.
        line: Where the melody's first bar line lies, in ticks of the file.
        velocity: Of every note.
        columns: Channel.
    """
    from kelly_core.features.midi import make_notes

    onset, rows = written.begin, []
    for pitch, duration in written.tokens:
        length = DURATIONS[duration]
        if pitch < REST:
            edges = [line + round(tick * ticks_per_beat / GRID) for tick in (onset, onset + length)]
            rows.append((midi_pitch(pitch, written.host.key.shift), edges[0], max(1, edges[1] - edges[0])))
        onset += length
    pitches, onsets, lengths = np.array(rows, np.int64).reshape(-1, 3).T
    return make_notes(pitches, onsets, lengths, velocity, ticks_per_beat=ticks_per_beat, **columns)


def continued(midi: MidiFile, melody: Melody, written: Written, *, only_new: bool = False) -> bytes:
    """A MIDI file of what was there and, on a track of its own, what was written."""
    from kelly_core.features.midi import encode, with_track

    part = melody_part(midi)
    first = part[np.argmin(part["onset_tick"])]
    # The grid rounds the first onset; the bar line lies that far before it.
    line = int(first["onset_tick"]) - round(melody.start * midi.ticks_per_beat / GRID)
    velocity = int(np.clip(np.median(part["velocity"]), 1, 127))
    new = note_table(written, midi.ticks_per_beat, line, velocity, channel=int(first["channel"]))
    if only_new:
        tempos = [(int(row["tick"]), float(6e7 / row["us_per_quarter"])) for row in midi.tempo]
        metres = [tuple(map(int, row)) for row in midi.metre.tolist()]
        return encode(new, tempos, metres, midi.ticks_per_beat, (TRACK,), key=melody.key)
    border = line + round(written.begin * midi.ticks_per_beat / GRID)
    return with_track(_ended(midi, first, border), new, name=TRACK)


def _ended(midi: MidiFile, first: Any, border: int) -> MidiFile:
    """The file, none of whose melody's notes sounds on behind the border, where it would run into a new one."""
    from kelly_core.features.midi import read_bytes, rewritten

    notes = midi.notes
    mine = (notes["track"] == first["track"]) & (notes["channel"] == first["channel"])
    over = mine & (notes["onset_tick"] < border) & (notes["onset_tick"] + notes["duration_tick"] > border)
    if not over.any():
        return midi
    duration = np.where(over, border - notes["onset_tick"], notes["duration_tick"])
    return read_bytes(rewritten(midi, duration_tick=duration), midi.path)


def from_nothing(written: Written, bpm: float) -> bytes:
    """A MIDI file of what was written."""
    from kelly_core.features.midi import encode

    notes = note_table(written, TICKS, 0, VELOCITY)
    metre = written.host.metre
    return encode(notes, bpm, (metre.numerator, metre.denominator), TICKS, ("melody",), key=written.host.key)


def infer_file(engine: Engine, path: Path) -> FilePrediction:
    """What pitch comes after a file: probabilities of every pitch, of a rest, and of the end."""
    from kelly_core.features.midi import read_midi
    from kelly_core.inference import FilePrediction, softmax

    midi = read_midi(path)
    melody = to_melody(midi)
    composer = Composer(Host(melody.key, melody.metres, melody.start), engine_step(engine))
    composer.listen(melody)
    logits, _, _ = composer.step(composer.host.inputs(), composer.state)
    shift = melody.key.shift
    return FilePrediction(
        path, float(midi.seconds(midi.end_tick)), pitch_labels(shift), softmax(logits.astype(np.float64))
    )


def pitch_labels(shift: int) -> list[str]:
    """Names of all pitch indices in a key with this shift: `D5`, `rest`, `end`."""
    sounding = [pitch + LOW - shift for pitch in range(N_PITCHES)]
    names = [f"{NAMES[pitch % 12]}{pitch // 12 - 1}" for pitch in sounding]
    names[REST], names[END] = "rest", "end"
    return names


def check_kind(engine: Engine) -> None:
    """Whether this is a model of melodies.

    Raises:
        ContractError: It isn't.
    """
    if engine.contract.features.get("kind") != "melody-tokens":
        raise ContractError(
            "it isn't a model of melodies",
            where=f"contract of {engine.contract.model_id!r}",
            hint="train one: kelly train melody --data demo",
            code="contract.other-version",
        )
