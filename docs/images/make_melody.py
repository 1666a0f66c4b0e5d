"""Writes the picture of docs/models/melody.md: `python docs/images/make_melody.py`."""  # noqa: INP001 - a script

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from kelly_core.cli import run
from kelly_core.features.midi import make_notes, read_midi, write_notes
from kelly_core.features.midi.picture import draw_roll

IMAGES = Path(__file__).parent
BPM = 100.0
SCALE = (0, 2, 4, 5, 7, 9, 11)
STEPS = "0 2 4 2 4 5 4 2 0 1 2 1 1 2 3 1 3 4 6 5 4"
"""Scale steps of three bars of eighths, and of a bar that comes to rest."""


def seed(path: Path) -> None:
    """Write the beginning of a tune."""
    steps = np.array([int(step) for step in STEPS.split()])
    pitch = 67 + 12 * (steps // 7) + np.array(SCALE)[steps % 7]
    length = np.array([*[240] * 18, 480, 240, 720])
    onset = np.cumsum(length) - length
    notes = make_notes(pitch, onset, length, 80, bpm=BPM)
    write_notes(path, notes, BPM, (6, 8), names=("melody",))


def main() -> None:
    """Train on the synthetic tunes, continue one seed twice, draw."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        seed(folder / "seed.mid")
        where = ["--workspace", name]
        assert run([*where, "train", "melody", "--data", "demo", "--epochs", "60", "--export-onnx"]) == 0
        rolls = {"seed": read_midi(folder / "seed.mid").notes}
        for number in (1, 2):
            out = folder / f"{number}.mid"
            words = ["predict", "melody", str(folder / "seed.mid"), "--key", "G", "--bars", "12"]
            assert run([*where, *words, "--seed", str(number), "--top-p", "0.9", "-o", str(out)]) == 0
            rolls[f"continued for 12 bars, seed {number}"] = read_midi(out).notes
        draw_roll(IMAGES / "melody.png", rolls, title="6/8, G major", seconds=30.0)


if __name__ == "__main__":
    main()
