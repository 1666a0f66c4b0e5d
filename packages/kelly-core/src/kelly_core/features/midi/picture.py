"""Piano-roll pictures: one panel per table of notes, colour by velocity."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kelly_core import atomic

NAMED_PITCHES = 24
"""Up to this many different pitches get a line of their own (drums); more are drawn on the keyboard."""


def draw_roll(
    path: Path,
    rolls: Mapping[str, NDArray[Any]],
    *,
    title: str = "",
    start: float = 0.0,
    seconds: float = 12.0,
    pitch_names: Mapping[int, str] | None = None,
) -> Path:
    """Draw tables of notes below each other on one time axis, with their velocities as stems.

    Args:
        path: Picture to write, replaced whole; the suffix chooses the format.
        rolls: Heading -> (notes,) of `NOTE_DTYPE`; seconds count.
        title: Heading of the whole.
        start: First second drawn.
        seconds: How much is drawn, s.
        pitch_names: Names of pitches, for drums: then each used pitch gets a line of its own.

    Returns:
        `path`.
    """
    from matplotlib.figure import Figure

    shown = {name: _within(notes, start, start + seconds) for name, notes in rolls.items()}
    pitches = sorted({int(p) for notes in shown.values() for p in notes["pitch"]}) or [60]
    lines = {pitch: at for at, pitch in enumerate(pitches)} if pitch_names else {p: p for p in pitches}
    figure = Figure(figsize=(10, 1 + 3.2 * len(rolls)), layout="constrained")
    grid = figure.subplots(2 * len(rolls), 1, sharex=True, height_ratios=[3, 1] * len(rolls), squeeze=False)
    for at, (name, notes) in enumerate(shown.items()):
        roll, stems = grid[2 * at, 0], grid[2 * at + 1, 0]
        width = np.maximum(notes["duration"], seconds / 400)
        bottom = np.array([lines[int(pitch)] - 0.45 for pitch in notes["pitch"]])
        colours = _colours(notes["velocity"])
        roll.bar(notes["onset"], 0.9, width, bottom, align="edge", color=colours)
        roll.set(title=name, ylabel="" if pitch_names else "pitch", xlim=(start, start + seconds))
        roll.set_ylim(min(lines.values()) - 1, max(lines.values()) + 1)
        if pitch_names:
            roll.set_yticks(list(lines.values()), [pitch_names.get(p, str(p)) for p in pitches])
        stems.vlines(notes["onset"], 0, notes["velocity"], colors=colours, linewidth=1.5)
        stems.set(ylim=(0, 127), ylabel="velocity")
    grid[-1, 0].set_xlabel("s")
    if title:
        figure.suptitle(title)
    with atomic.replacing(path) as part:
        figure.savefig(part, dpi=110)
    return path


def _within(notes: NDArray[Any], start: float, end: float) -> NDArray[Any]:
    inside = (notes["onset"] < end) & (notes["onset"] + notes["duration"] >= start)
    return np.asarray(notes[inside])


def _colours(velocity: NDArray[Any]) -> NDArray[Any]:
    from matplotlib import colormaps

    return np.asarray(colormaps["viridis"](1.0 - velocity / 140.0))
