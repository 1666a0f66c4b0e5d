"""Writes the picture of docs/models/harmony.md: `python docs/images/make_harmony.py`."""  # noqa: INP001 - a script

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kelly_core.cli import run
from kelly_core.features.midi import make_notes, read_midi, write_notes

IMAGES = Path(__file__).parent
TICKS, BPM = 480, 100.0
TUNE = [
    *((67, 1), (67, 0.5), (69, 0.5), (71, 1), (67, 1), (69, 1), (71, 0.5), (69, 0.5), (66, 2)),
    *((67, 1), (71, 1), (74, 1), (71, 1), (72, 0.5), (71, 0.5), (69, 1), (67, 2)),
    *((76, 1.5), (74, 0.5), (72, 1), (71, 1), (69, 1), (72, 1), (71, 2)),
    *((74, 1), (72, 1), (71, 1), (69, 1), (67, 4)),
]
"""Pitch and length in quarter notes of a tune in G major, made up for this picture."""


def melody(path: Path) -> None:
    """The tune, on one track."""
    pitch, length = (np.array(column) for column in zip(*TUNE, strict=True))
    ticks = np.rint(length * TICKS).astype(int)
    onset = np.concatenate([[0], np.cumsum(ticks)[:-1]])
    notes = make_notes(pitch, onset, ticks - 20, 90, ticks_per_beat=TICKS, bpm=BPM)
    write_notes(path, notes, BPM, ticks_per_beat=TICKS, names=("melody",))


def draw(file: Path, notes: NDArray[Any], beats: list[dict[str, Any]]) -> None:
    """A piano roll of melody and chords, with the symbols above and how sure each is below."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 5.2), layout="constrained")
    roll, sure = figure.subplots(2, 1, sharex=True, height_ratios=[4, 1])
    tune = notes["track"] == notes["track"].min()
    for mine, colour, label in ((tune, "C0", "melody"), (~tune, "C1", "chords")):
        left, width = notes["onset_tick"][mine] / TICKS, notes["duration_tick"][mine] / TICKS
        roll.barh(notes["pitch"][mine], width * 0.97, 0.9, left, color=colour, label=label)
    before = ""
    for at, beat in enumerate(beats):
        if beat["chord"] != before:
            roll.text(at + 0.05, notes["pitch"].max() + 2, beat["chord"], fontsize=9)
        before = beat["chord"]
    for line in range(0, len(beats) + 1, 4):
        roll.axvline(line, color="0.85", linewidth=0.8, zorder=0)
    roll.set(ylabel="pitch", ylim=(notes["pitch"].min() - 2, notes["pitch"].max() + 5), xlim=(0, len(beats)))
    roll.legend(fontsize=8, loc="lower right")
    sure.bar(np.arange(len(beats)) + 0.5, [beat["probability"] for beat in beats], 0.9, color="0.6")
    sure.set(xlabel="beat", ylabel="probability", ylim=(0, 1))
    figure.savefig(file, dpi=100)


def main() -> None:
    """Train on the synthetic songs, harmonise a tune, draw."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        where = ["--workspace", name]
        melody(folder / "melody.mid")
        assert run([*where, "train", "harmony", "--data", "demo", "--epochs", "30", "--export-onnx"]) == 0
        out, told = folder / "lead.mid", folder / "told.json"
        words = ["predict", "harmony", str(folder / "melody.mid"), "-o", str(out), "--json"]
        from contextlib import redirect_stdout

        with told.open("w") as file, redirect_stdout(file):
            assert run([*where, *words]) == 0
        beats = json.loads(told.read_text())["predictions"][0]["per_beat"]
        draw(IMAGES / "harmony.png", read_midi(out).notes, beats)


if __name__ == "__main__":
    main()
