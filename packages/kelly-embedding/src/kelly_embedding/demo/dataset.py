"""The data set `embedding-demo`: writes the synthetic phrases once and lists them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kelly_core.data import Dataset
from kelly_core.data.demo import TABLE, Demo, write_table
from kelly_embedding.demo.instruments import KINDS, SAMPLE_RATE, make_player, render

NOTE = "synthetic: phrases on six made-up instruments by made-up players, not recordings"
SECONDS = 1.6


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """Which clips to make.

    Attributes:
        players: Number of synthetic players, the groups that splits keep apart.
        takes: Clips per player and instrument.
        seed: Seed of everything random.
    """

    players: int = 10
    takes: int = 2
    seed: int = 0


def open_demo(path: Path, options: Mapping[str, Any] | None = None) -> Dataset:
    """Make the clips below `path` unless they are there already, and list them.

    Args:
        path: Folder that may be written to, made if missing; or the folder of clips made earlier.
        options: `players`, `takes`, `seed`; the fields of `DemoOptions`. Others are ignored.

    Returns:
        The clips with instrument as label and player as group, marked synthetic.

    Raises:
        ConfigError: An option is out of range.
    """
    return DEMO.listed(path, options, group="speaker", group_kind="player", notes=(NOTE,))


def _write(folder: Path, options: DemoOptions) -> None:
    import soundfile

    rows = []
    for number in range(options.players):
        player, name = make_player(number, options.seed), f"synthetic-{number + 1:02d}"
        for place, kind in enumerate(KINDS):
            for take in range(options.takes):
                rng = np.random.default_rng([options.seed, number, place, take])
                file = f"{kind}/{name}-{take + 1}.wav"
                (folder / kind).mkdir(exist_ok=True)
                pcm = np.rint(render(kind, player, SECONDS, rng) * 32767).astype(np.int16)
                soundfile.write(folder / file, pcm, SAMPLE_RATE, subtype="PCM_16")
                rows.append({"file": file, "label": kind, "speaker": name})
    write_table(folder / TABLE, sorted(rows, key=lambda row: row["file"]))


DEMO = Demo("embedding-demo", version=1, options=DemoOptions, write=_write)
recognises = DEMO.recognises
