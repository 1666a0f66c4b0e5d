"""Writes the picture of docs/models/groove.md: `python docs/images/make_groove.py`."""  # noqa: INP001 - a script

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kelly_core.cli import run
from kelly_core.features.midi import make_notes, read_midi, write_notes
from kelly_groove.drums import CHANNEL, DRUMS, PITCHES, drum_class

IMAGES = Path(__file__).parent
TICKS, BPM, BARS = 480, 100.0, 2
PATTERN = {"kick": (0, 7, 10), "snare": (4, 12, 15), "closed hi-hat": range(0, 16, 2)}


def beat(path: Path) -> None:
    """Two bars on the grid, every hit at velocity 80."""
    hits = [
        ((bar * 16 + step) * TICKS // 4, PITCHES[drum][0])
        for bar in range(BARS)
        for drum, steps in PATTERN.items()
        for step in steps
    ]
    onset, pitch = np.array(sorted(hits)).T
    notes = make_notes(pitch, onset, 60, 80, channel=CHANNEL, ticks_per_beat=TICKS, bpm=BPM)
    write_notes(path, notes, BPM, ticks_per_beat=TICKS, names=("drums",))


def draw(file: Path, tables: dict[str, NDArray[Any]]) -> None:
    """Piano rolls of the files above each other; below, how far each hit lies from its 16th."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 7.5), layout="constrained")
    panels = figure.subplots(len(tables) + 1, 1, sharex=True)
    for colour, (axes, (name, notes)) in enumerate(zip(panels, tables.items(), strict=False)):
        position = notes["onset_tick"] * 4 / TICKS
        drum = drum_class(notes["pitch"])
        axes.vlines(range(BARS * 16 + 1), -0.5, 2.7, color="0.9", linewidth=0.7)
        axes.bar(position, notes["velocity"] / 150, width=0.22, bottom=drum, align="edge", color=f"C{colour}")
        axes.set_yticks(range(3), DRUMS[:3])
        axes.set_title(f"{name}: height is velocity, left edge the onset", fontsize=10)
        late = (position - np.rint(position)) * 15_000 / BPM
        panels[-1].plot(np.rint(position), late, "o", color=f"C{colour}", label=name, markersize=4)
    panels[-1].axhline(0.0, color="0.5", linewidth=0.8)
    panels[-1].set(xlabel="16th", ylabel="ms after the grid")
    panels[-1].legend(fontsize=8, ncols=len(tables))
    figure.savefig(file, dpi=100)


def main() -> None:
    """Train on the synthetic drummers, groove a flat beat in two styles, draw."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        where = ["--workspace", name]
        beat(folder / "flat.mid")
        assert run([*where, "train", "groove", "--data", "demo", "--epochs", "20", "--export-onnx"]) == 0
        tables = {"input": read_midi(folder / "flat.mid").notes}
        for style in ("funk", "shuffle"):
            out = folder / f"{style}.mid"
            words = ["predict", "groove", str(folder / "flat.mid"), "--style", style, "-o", str(out)]
            assert run([*where, *words]) == 0
            tables[style] = read_midi(out).notes
        draw(IMAGES / "groove.png", tables)


if __name__ == "__main__":
    main()
