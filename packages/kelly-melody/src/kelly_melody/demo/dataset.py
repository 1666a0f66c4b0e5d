"""The data set `melody-demo`: writes the synthetic tunes once and lists them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kelly_core.data import Dataset
from kelly_core.data.demo import TABLE, Demo, write_table
from kelly_melody.demo.tunes import Tune, make_tune
from kelly_melody.tokens import GRID

NOTE = "synthetic: tunes put together by rules, not by people"
COLUMNS = ("file", "tune", "key", "metre", "bpm")
TICKS = 480


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """Which tunes to make.

    Attributes:
        tunes: How many.
        parts: Parts of each, every one played twice.
        seed: Seed of everything random.
    """

    tunes: int = 40
    parts: int = 2
    seed: int = 0


def open_demo(path: Path, options: Mapping[str, Any] | None = None) -> Dataset:
    """Make the tunes below `path` unless they are there already, and list them.

    Args:
        path: Folder that may be written to, made if missing; or the folder of tunes made earlier.
        options: `tunes`, `parts`, `seed`; the fields of `DemoOptions`. Others are ignored.

    Returns:
        The tunes, marked synthetic.

    Raises:
        ConfigError: An option is out of range.
    """
    return DEMO.listed(path, options, group="tune", extra=("key", "metre", "bpm"), notes=(NOTE,))


def _write(folder: Path, options: DemoOptions) -> None:
    rows = []
    for number in range(options.tunes):
        tune = make_tune(options.seed, number, options.parts)
        name = f"synthetic-{number + 1:03d}"
        _write_tune(folder / f"{name}.mid", tune)
        rows.append((f"{name}.mid", name, tune.key.name, tune.metre.name, str(tune.bpm)))
    write_table(folder / TABLE, [dict(zip(COLUMNS, row, strict=True)) for row in rows])


def _write_tune(path: Path, tune: Tune) -> None:
    from kelly_core.features.midi import make_notes, write_notes

    pitches, lengths = np.array(tune.notes).T
    ticks = lengths * TICKS // GRID
    onsets = np.concatenate([[0], np.cumsum(ticks)[:-1]])
    notes = make_notes(pitches, onsets, ticks, 80, ticks_per_beat=TICKS, bpm=tune.bpm)
    metre = (tune.metre.numerator, tune.metre.denominator)
    write_notes(path, notes, float(tune.bpm), metre, ticks_per_beat=TICKS, names=("melody",))


DEMO = Demo("melody-demo", version=1, options=DemoOptions, write=_write)
recognises = DEMO.recognises
