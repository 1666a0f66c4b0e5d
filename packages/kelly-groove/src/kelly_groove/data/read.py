"""From a MIDI file to a drum part on the 16th grid."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kelly_core.errors import DataError
from kelly_groove.drums import CHANNEL, drum_class
from kelly_groove.grid import HIT_DTYPE, STEP_DTYPE, STEPS_PER_BEAT, Performance

if TYPE_CHECKING:
    from kelly_core.features.midi import MidiFile

LONGEST = 100_000
"""Steps of the longest part that is read: more than three hours at 120 a minute."""


def drum_notes(midi: MidiFile, channel: int = CHANNEL) -> NDArray[np.int64]:
    """Positions in `midi.notes` of the notes of this channel that belong to one of the nine classes."""
    notes = midi.notes
    return np.flatnonzero((notes["channel"] == channel) & (drum_class(notes["pitch"]) >= 0))


def on_grid(midi: MidiFile, chosen: NDArray[np.int64], style: str = "") -> Performance:
    """A drum part on the grid; one hit per chosen note, in their order.

    Args:
        midi: The file.
        chosen: Positions in `midi.notes`.
        style: As the dataset writes it.

    Raises:
        DataError: There is no note, or the part is too long to be music.
    """
    where = str(midi.path) if midi.path else "MIDI data"
    if not len(chosen):
        raise DataError(
            "it holds no drum note", where=where, hint="drums are expected on channel 10", code="data.midi"
        )
    notes = midi.notes[chosen]
    position = midi.beats(notes["onset_tick"]) * STEPS_PER_BEAT
    step = np.floor(position + 0.5)
    if step.max() >= LONGEST:
        raise DataError(
            f"it lasts {step.max() / STEPS_PER_BEAT:.0f} beats",
            where=where,
            hint="cut it into songs",
            code="data.midi",
        )
    ticks = np.arange(int(step.max()) + 1) * (midi.ticks_per_beat / STEPS_PER_BEAT)
    steps = _steps(midi, ticks)
    hits = np.zeros(len(notes), dtype=HIT_DTYPE)
    hits["step"] = step
    hits["drum"] = drum_class(notes["pitch"])
    hits["offset"] = position - step
    hits["velocity"] = notes["velocity"]
    hits["sixteenth_ms"] = 15_000.0 / steps["bpm"][hits["step"]]
    return Performance(hits, steps, style)


def _steps(midi: MidiFile, ticks: NDArray[np.float64]) -> NDArray[Any]:
    whole = np.rint(ticks).astype(np.int64)
    bars = midi.bars(whole)
    steps = np.zeros(len(ticks), dtype=STEP_DTYPE)
    steps["in_bar"] = np.rint(bars.position * STEPS_PER_BEAT)
    steps["bar_steps"] = np.maximum(1, np.rint(bars.length * STEPS_PER_BEAT))
    steps["bpm"] = np.clip(midi.tempo_at(whole), 5.0, 1000.0)
    return steps


def read_performance(path: Path, style: str) -> Performance:
    """The drum part of a file.

    Raises:
        DataError: It can't be read, or holds no drum note.
    """
    from kelly_core.features.midi import read_midi

    midi = read_midi(path)
    return on_grid(midi, drum_notes(midi), style)
