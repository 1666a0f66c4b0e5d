"""The data set `groove-demo`: writes the synthetic performances once and lists them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kelly_core.data import Dataset
from kelly_core.data.demo import TABLE, Demo, write_table
from kelly_groove.demo.drummer import PATTERNS, Habits, draw_tempo, make_drummer, perform
from kelly_groove.drums import CHANNEL, DRUMS, PITCHES

NOTE = "synthetic: patterns played by made-up drummers with made-up habits, not recordings of people"
COLUMNS = ("file", "drummer", "style", "bpm", "metre")
TICKS = 480


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """Which performances to make.

    Attributes:
        drummers: Number of synthetic drummers, the groups that splits keep apart.
        takes: Performances per drummer and style.
        bars: Length of each.
        seed: Seed of everything random.
    """

    drummers: int = 10
    takes: int = 1
    bars: int = 8
    seed: int = 0


def open_demo(path: Path, options: Mapping[str, Any] | None = None) -> Dataset:
    """Make the performances below `path` unless they are there already, and list them.

    Args:
        path: Folder that may be written to, made if missing; or the folder of performances made earlier.
        options: `drummers`, `takes`, `bars`, `seed`; the fields of `DemoOptions`. Others are ignored.

    Returns:
        The performances with drummer as group, marked synthetic.

    Raises:
        ConfigError: An option is out of range.
    """
    return DEMO.listed(
        path, options, group="drummer", extra=("drummer", "style", "bpm", "metre"), notes=(NOTE,)
    )


def _write(folder: Path, options: DemoOptions) -> None:
    rows = []
    for number in range(options.drummers):
        habits = make_drummer(number, options.seed)
        for place, style in enumerate(PATTERNS):
            for take in range(options.takes):
                rng = np.random.default_rng([options.seed, number, place, take])
                name = f"synthetic-{number + 1:02d}/{style.replace('/', '-')}-{take + 1}.mid"
                bpm = _write_performance(folder / name, style, habits, options.bars, rng)
                rows.append((name, name.partition("/")[0], style, str(bpm), "4/4"))
    write_table(folder / TABLE, [dict(zip(COLUMNS, row, strict=True)) for row in sorted(rows)])


def _write_performance(path: Path, style: str, habits: Habits, bars: int, rng: np.random.Generator) -> int:
    from kelly_core.features.midi import make_notes, write_notes

    bpm = draw_tempo(style, rng)
    played = perform(style, habits, bars, rng)
    pitches = np.array([PITCHES[name][0] for name in DRUMS])
    notes = make_notes(
        pitches[played[:, 1].astype(int)],
        np.rint(played[:, 0] * TICKS / 4).astype(np.int64),
        TICKS // 16,
        played[:, 2].astype(np.int64),
        channel=CHANNEL,
        ticks_per_beat=TICKS,
        bpm=bpm,
    )
    path.parent.mkdir(exist_ok=True)
    write_notes(path, notes, float(bpm), (4, 4), ticks_per_beat=TICKS, names=("drums",))
    return bpm


DEMO = Demo("groove-demo", version=1, options=DemoOptions, write=_write)
recognises = DEMO.recognises
