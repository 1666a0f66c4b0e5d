"""The data set `dynamics-demo`: writes synthetic pieces in the layout of (n)ASAP once and lists them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from kelly_core import atomic
from kelly_core.data import Dataset
from kelly_core.data.demo import LICENCE, Demo, read_table, write_table
from kelly_dynamics.data.asap import COLUMNS, METADATA, listed
from kelly_dynamics.demo.compose import as_musicxml, compose
from kelly_dynamics.demo.perform import perform

NOTE = "synthetic: pieces and performances made by rules, not by people"


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """Which pieces to make.

    Attributes:
        pieces: Number of synthetic pieces, the groups that splits keep apart.
        players: Performances of each.
        seed: Seed of everything random.
    """

    pieces: int = 30
    players: int = 2
    seed: int = 0


def open_demo(path: Path, options: Mapping[str, Any] | None = None) -> Dataset:
    """Make the pieces below `path` unless they are there already, and list them.

    Args:
        path: Folder that may be written to, made if missing; or the folder made earlier.
        options: `pieces`, `players`, `seed`; the fields of `DemoOptions`. Others are left to the caller.

    Raises:
        ConfigError: An option is out of range.
    """
    root = DEMO.open(path, options)
    found = listed(DEMO.name, root, read_table(root / METADATA), synthetic=True, licence=LICENCE)
    return replace(found, notes=(NOTE,))


def _write(folder: Path, options: DemoOptions) -> None:
    rows = []
    for number in range(options.pieces):
        piece = compose(number, options.seed)
        score = f"{piece.name}/score.musicxml"
        atomic.write_text(folder / score, as_musicxml(piece))
        for player in range(options.players):
            match = f"{piece.name}/player_{player + 1}.match"
            atomic.write_text(folder / match, perform(piece, player, options.seed))
            rows.append(dict(zip(COLUMNS, ("Kelly", piece.name, score, "1.0", match), strict=True)))
    write_table(folder / METADATA, rows)


DEMO = Demo("dynamics-demo", version=1, options=DemoOptions, write=_write)
recognises = DEMO.recognises
