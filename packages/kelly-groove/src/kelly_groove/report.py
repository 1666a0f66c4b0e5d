"""What a person looks at and listens to: sample grooves as MIDI, sound and picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kelly_groove.drums import CHANNEL, DRUMS, PITCHES
from kelly_groove.grid import N_DRUMS, STEPS_PER_BEAT, Performance

TICKS = 480
PLAIN = 80

Floats = NDArray[np.floating]


def write_sample(
    folder: Path, name: str, performance: Performance, said: tuple[Floats, Floats], steps: int
) -> None:
    """Put the first steps of a performance side by side: on the grid, as played, as predicted.

    Args:
        folder: Where to.
        name: Begin of the files' names.
        performance: What was played.
        said: Predicted offset and velocity of each hit.
        steps: How many.
    """
    from kelly_core.features.midi import encode
    from kelly_core.features.midi.samples import write_sample as write_midi_sample

    hits = performance.hits
    versions = {
        "grid": (np.zeros(len(hits)), np.full(len(hits), float(PLAIN))),
        "played": (hits["offset"], hits["velocity"]),
        "predicted": said,
    }
    early = hits["step"] < steps
    for version, (offset, velocity) in versions.items():
        notes = notes_of(performance, offset, velocity)[early]
        data = encode(notes, float(performance.steps["bpm"][0]), (4, 4), TICKS)
        write_midi_sample(folder, f"{name}.{version}", data)
    draw(folder / f"{name}.png", performance, said, steps, name)


def notes_of(performance: Performance, offset: Floats, velocity: Floats) -> NDArray[Any]:
    """A note table of hits with other offsets and velocities, in the order of the hits."""
    from kelly_core.features.midi import NOTE_DTYPE

    hits = performance.hits
    bpm = float(performance.steps["bpm"][0])
    position = np.maximum(0.0, hits["step"] + np.asarray(offset, np.float64)) / STEPS_PER_BEAT
    notes = np.zeros(len(hits), NOTE_DTYPE)
    notes["onset_tick"] = np.rint(position * TICKS)
    notes["duration_tick"] = TICKS // 16
    notes["onset"], notes["duration"] = position * 60 / bpm, 60 / bpm / 16
    notes["pitch"] = np.array([PITCHES[drum][0] for drum in DRUMS])[hits["drum"]]
    notes["velocity"] = np.clip(np.rint(velocity), 1, 127)
    notes["channel"], notes["off_event"] = CHANNEL, -1
    return notes


def draw(path: Path, performance: Performance, said: tuple[Floats, Floats], steps: int, title: str) -> Path:
    """Draw offsets from the grid and velocities, drum by drum: written, played, predicted.

    Args:
        path: PNG to write.
        performance: What was played.
        said: Predicted offset and velocity of each hit.
        steps: First steps to draw.
        title: Heading.
    """
    from matplotlib.figure import Figure

    hits = performance.hits
    chosen = hits["step"] < steps
    figure = Figure(figsize=(10, 6.4), layout="constrained")
    roll, late = figure.subplots(2, 1, sharex=True)
    for axes in (roll, late):
        for line in range(0, steps + 1, STEPS_PER_BEAT):
            axes.axvline(line, color="0.85", linewidth=1.4 if line % 16 == 0 else 0.6, zorder=0)
    versions = {"played": (hits["offset"], hits["velocity"], "C0", 0.14), "predicted": (*said, "C1", -0.14)}
    for label, (offset, velocity, colour, up) in versions.items():
        x = hits["step"][chosen] + np.asarray(offset)[chosen]
        size = 4 + 60 * np.clip(np.asarray(velocity)[chosen], 0, 127) / 127
        roll.scatter(x, hits["drum"][chosen] + up, s=size, color=colour, label=label, linewidths=0)
        ms = np.asarray(offset)[chosen] * hits["sixteenth_ms"][chosen]
        late.scatter(hits["step"][chosen], ms, s=14, color=colour, label=label, linewidths=0)
    roll.set_yticks(range(N_DRUMS), DRUMS)
    roll.set(title=f"{title}: size is velocity, lines are beats")
    roll.legend(loc="upper right")
    late.axhline(0.0, color="0.4", linewidth=0.8)
    late.set(xlabel="16th", ylabel="ms after the grid")
    figure.savefig(path, dpi=110)
    return path
