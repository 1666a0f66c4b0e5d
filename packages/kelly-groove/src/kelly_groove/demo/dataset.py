"""The data set `groove-demo`: writes the synthetic performances once and lists them."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kelly_core import atomic
from kelly_core.data import Dataset, Item
from kelly_core.errors import ConfigError
from kelly_groove.demo.drummer import PATTERNS, Habits, draw_tempo, make_drummer, perform
from kelly_groove.drums import CHANNEL, DRUMS, PITCHES

DEMO_VERSION = 1
"""Changed whenever the same options would give other performances."""
NAME = "groove-demo"
NOTE = "synthetic: patterns played by made-up drummers with made-up habits, not recordings of people"
MARKER = "complete.json"
TABLE = "metadata.csv"
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

    @property
    def folder(self) -> str:
        """Name of the folder that holds exactly these performances."""
        return f"{NAME}-v{DEMO_VERSION}-{self.drummers}x{self.takes}x{self.bars}-seed{self.seed}"


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
    from filelock import FileLock

    wanted = _read_options(options or {})
    path = Path(path).expanduser().absolute()
    if recognises(path) and is_complete(path):
        return _list(path)
    path.mkdir(parents=True, exist_ok=True)
    root = path / wanted.folder
    with FileLock(path / f".{NAME}.lock"):
        if not is_complete(root):
            _build(root, wanted)
    return _list(root)


def recognises(path: Path) -> bool:
    """Whether `path` is a folder of performances that `open_demo` wrote."""
    return Path(path).name.startswith(f"{NAME}-v") and (Path(path) / MARKER).is_file()


def is_complete(root: Path) -> bool:
    """Whether every file is there with the content that was written."""
    try:
        marker = json.loads((root / MARKER).read_text())
        return bool(marker["version"] == DEMO_VERSION and marker["sha256"] == checksum(root))
    except (OSError, ValueError, KeyError, TypeError):
        return False


def checksum(root: Path) -> str:
    """SHA-256 over the names and contents of the table and all performances."""
    digest = hashlib.sha256()
    for file in [root / TABLE, *sorted(root.glob("*/*.mid"))]:
        digest.update(f"{file.relative_to(root).as_posix()}\n".encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _build(root: Path, options: DemoOptions) -> None:
    """Write everything beside `root`, then put it in place by renaming."""
    part = Path(tempfile.mkdtemp(dir=root.parent, prefix=f".{NAME}-"))
    try:
        rows = []
        for number in range(options.drummers):
            habits = make_drummer(number, options.seed)
            for place, style in enumerate(PATTERNS):
                for take in range(options.takes):
                    rng = np.random.default_rng([options.seed, number, place, take])
                    name = f"synthetic-{number + 1:02d}/{style.replace('/', '-')}-{take + 1}.mid"
                    bpm = _write(part / name, style, habits, options.bars, rng)
                    rows.append((name, name.partition("/")[0], style, str(bpm), "4/4"))
        table = io.StringIO()
        writer = csv.writer(table, lineterminator="\n")
        writer.writerows([COLUMNS, *sorted(rows)])
        atomic.write_text(part / TABLE, table.getvalue())
        marker = {"version": DEMO_VERSION, "synthetic": True, **asdict(options), "sha256": checksum(part)}
        atomic.write_json(part / MARKER, marker)
        part.chmod(0o755)
        shutil.rmtree(root, ignore_errors=True)
        part.replace(root)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _write(path: Path, style: str, habits: Habits, bars: int, rng: np.random.Generator) -> int:
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


def _list(root: Path) -> Dataset:
    with (root / TABLE).open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    drummers = sorted({row["drummer"] for row in rows})
    held = max(1, len(drummers) // 5) if len(drummers) >= 5 else 0
    sides = ["train"] * (len(drummers) - 2 * held) + ["validation"] * held + ["test"] * held
    side_of = dict(zip(drummers, sides, strict=True)) if held else {}
    items = [
        Item(
            path=str(root / row["file"]),
            group=row["drummer"],
            split=side_of.get(row["drummer"]),
            extra={name: row[name] for name in ("drummer", "style", "bpm", "metre")},
        )
        for row in rows
    ]
    return Dataset(
        name=NAME,
        root=root,
        items=tuple(items),
        synthetic=True,
        licence="Apache-2.0 (generated by Kelly)",
        citation="made by Kelly",
        group_kind="drummer",
        notes=(NOTE,),
    )


def _read_options(options: Mapping[str, Any]) -> DemoOptions:
    known = {name: options[name] for name in ("drummers", "takes", "bars", "seed") if name in options}
    for name, value in known.items():
        low, high = (0, 2**32 - 1) if name == "seed" else (1, 1000)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise ConfigError(
                f"{name} is {value!r}", where=NAME, hint=f"give a whole number from {low} to {high}"
            )
    return DemoOptions(**known)
