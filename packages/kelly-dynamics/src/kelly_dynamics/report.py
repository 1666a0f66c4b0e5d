"""Pictures and samples that a person can look at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kelly_core import atomic
from kelly_core.features.midi import make_notes
from kelly_dynamics.data.read import read_performance

SHOWN = 300
"""Notes of a sample."""
TICKS = 480
"""Of a quarter."""


def write_sample(folder: Path, match: str, said: NDArray[np.float32]) -> None:
    """The first notes of a piece as the model plays them: MIDI and sound, and a picture beside the performer.

    Args:
        folder: Where to write.
        match: The performance's file.
        said: (notes, 4), the model's answers.
    """
    from kelly_core.features.midi import encode
    from kelly_core.features.midi.picture import draw_roll
    from kelly_core.features.midi.samples import write_sample as write_heard

    score, played = read_performance(match, None)
    folder.mkdir(parents=True, exist_ok=True)
    stem = "-".join(Path(match).with_suffix("").parts[-3:])
    shown = slice(0, SHOWN)
    onset = score.onset - score.onset[0] + 1.0 + said[:, 1] * score.tempo / 60  # a quarter of silence first
    length = np.maximum(score.duration, 1 / 16) * 2.0 ** said[:, 2]
    ours = _notes(score.pitch, onset, length, said[:, 0], score.tempo)[shown]
    heard = write_heard(folder, stem, encode(ours, score.tempo))
    quarters = (played.start - played.start.min()) * score.tempo / 60 + 1.0
    lengths = (played.end - played.start) * score.tempo / 60
    theirs = _notes(score.pitch, quarters, lengths, played.velocity, score.tempo)[shown]
    draw_roll(folder / f"{stem}.png", {"performer": theirs, "DynamicsEngine": heard.notes}, title=stem)


def _notes(pitch: Any, onset: Any, length: Any, velocity: Any, tempo: float) -> NDArray[Any]:
    """Times in quarters as a note table."""
    return make_notes(
        np.asarray(pitch, np.int64),
        np.rint(np.maximum(onset, 0) * TICKS).astype(np.int64),
        np.maximum(np.rint(np.asarray(length) * TICKS), 1).astype(np.int64),
        np.clip(np.rint(velocity), 1, 127).astype(np.int64),
        ticks_per_beat=TICKS,
        bpm=tempo,
    )


def draw_correlations(r: NDArray[np.float64], path: Path) -> Path:
    """Histogram of Pearson's r between said and played velocities, one count per performance."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 3), layout="constrained")
    axes = figure.subplots()
    axes.hist(r, bins=np.linspace(-1, 1, 41).tolist(), color="C0")
    axes.axvline(float(r.mean()), color="k", linewidth=1)
    axes.set(
        xlabel="Pearson's r of velocities",
        ylabel="performances",
        title=f"{len(r)} performances, mean {r.mean():.2f}",
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic.replacing(path) as part:
        figure.savefig(part, dpi=120)
    return path
