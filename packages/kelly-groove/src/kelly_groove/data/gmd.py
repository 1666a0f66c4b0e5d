"""Dataset `groove-midi`: the Groove MIDI Dataset in its published layout, told by `info.csv`.

Columns: drummer, session, id, style, bpm, beat_type, time_signature, midi_filename, audio_filename,
duration, split (Gillick et al., 2019). The split is the published one; groups are a drummer's sessions.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from kelly_core.data import Dataset, Item, Problem
from kelly_core.errors import DataError

NAME = "groove-midi"
LICENCE = "CC BY 4.0"
CITATION = (
    "Gillick J, Roberts A, Engel J, Eck D, Bamman D (2019). Learning to Groove with Inverse Sequence "
    "Transformations. ICML"
)
TABLE = "info.csv"
NEEDED = ("drummer", "session", "style", "bpm", "time_signature", "midi_filename", "split")
_SIDES = ("train", "validation", "test")


def recognises(path: Path) -> bool:
    """Whether there is an `info.csv` with the published columns, here or in a folder `groove`."""
    return _find(Path(path)) is not None


def open_groove_midi(path: Path, options: Mapping[str, Any]) -> Dataset:  # noqa: ARG001 - the set has none
    """List the performances.

    Args:
        path: Folder of `info.csv`, or one above.
        options: None are used.

    Raises:
        DataError: There is no such table, or it names no file that is there.
    """
    root = _find(Path(path).absolute())
    if root is None:
        raise DataError(
            f"holds no {TABLE} with the columns {', '.join(NEEDED)}",
            where=str(path),
            hint="unpack groove-v1.0.0-midionly.zip there",
            code="data.layout",
        )
    with (root / TABLE).open(newline="", encoding="utf-8-sig", errors="replace") as file:
        items, problems = _items(root, csv.DictReader(file))
    if not items:
        raise DataError(
            f"none of the {len(problems)} files that {TABLE} names can be used",
            where=str(root / TABLE),
            hint=f"the first: {problems[0]}" if problems else "the table is empty; unpack the archive again",
            code="data.empty",
        )
    return Dataset(
        NAME,
        root,
        sorted(items, key=lambda item: item.path),
        licence=LICENCE,
        citation=CITATION,
        group_kind="drummer's session",
        problems=problems,
    )


def _items(root: Path, rows: Iterable[Mapping[str, str | None]]) -> tuple[list[Item], list[Problem]]:
    items: list[Item] = []
    problems: list[Problem] = []
    seen: set[str] = set()
    for line, row in enumerate(rows, start=2):
        place = f"{root / TABLE}:{line}"
        cells = {name: (row.get(name) or "").strip() for name in NEEDED}
        name, side = cells["midi_filename"], cells["split"]
        file = root / name
        if not name or ".." in Path(name).parts or Path(name).is_absolute():
            problems.append(Problem(place, f"{name!r} is no name of a file in the dataset"))
        elif name in seen:
            problems.append(Problem(place, f"{name!r} stands in an earlier line"))
        elif side not in _SIDES:
            problems.append(Problem(place, f"its split is {side!r}, none of {', '.join(_SIDES)}"))
        elif not file.is_file():
            problems.append(Problem(str(file), f"is named in {TABLE} but isn't there"))
        else:
            seen.add(name)
            extra = {
                "drummer": cells["drummer"],
                "style": cells["style"],
                "bpm": cells["bpm"],
                "metre": cells["time_signature"].replace("-", "/"),
                "kind": (row.get("beat_type") or "").strip(),
            }
            items.append(Item(str(file), group=cells["session"], split=side, extra=extra))
    return items, problems


def _find(path: Path) -> Path | None:
    for folder in (path, path / "groove"):
        try:
            with (folder / TABLE).open(newline="", encoding="utf-8-sig", errors="replace") as file:
                header = next(csv.reader(file), [])
        except (OSError, csv.Error):
            continue
        if set(NEEDED) <= set(header):
            return folder
    return None
