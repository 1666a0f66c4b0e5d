"""The dataset `asap`: (n)ASAP as published, `metadata.csv` beside composers' folders of scores and matches."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kelly_core.data import Dataset, Item, Problem
from kelly_core.data.demo import MARKER
from kelly_core.errors import DataError

NAME = "asap"
LICENCE = "CC BY-NC-SA 4.0"
CITATION = "Peter et al. (2023), TISMIR 6(1); Foscarin et al. (2020), ISMIR"
METADATA = "metadata.csv"
COLUMNS = ("composer", "title", "xml_score", "robust_note_alignment", "match_file")
KEPT_APART = (
    ("Chopin", r"Etudes_op_10_3"),
    ("Chopin", r"Ballades_2"),
    ("Mozart", r"Piano_Sonatas_11-\d"),
    ("Mozart", r"Piano_Sonatas_12-\d"),
)
"""Pieces that Vienna 4x22 and Batik hold too (op. 10 no. 3, op. 38, K. 331, K. 332): in no split."""


def recognises(path: Path) -> bool:
    """Whether `metadata.csv` with the published columns lies in the folder, or in one folder below."""
    return _find(Path(path)) is not None


def open_asap(path: Path, options: Mapping[str, Any]) -> Dataset:  # noqa: ARG001 - an opener's signature
    """List the performances whose notes are aligned reliably.

    Args:
        path: Folder of `metadata.csv`, or the one above, as an unpacked archive of the repository leaves it.
        options: None are known.

    Raises:
        DataError: There is no table, it lacks columns, or no row of it can be used.
    """
    path = Path(path).absolute()
    root = _find(path) or path
    rows = _rows(root / METADATA)
    return listed(NAME, root, rows, licence=LICENCE, citation=CITATION)


def listed(name: str, root: Path, rows: list[dict[str, str]], **about: Any) -> Dataset:
    """A dataset from rows of the table, one item per usable performance.

    Raises:
        DataError: No row can be used.
    """
    items, problems, left_out = [], [], Counter[str]()
    for row in rows:
        composer, title = row["composer"].strip(), row["title"].strip()
        match, score = row["match_file"].strip(), row["xml_score"].strip()
        if any(composer == who and re.fullmatch(what, title) for who, what in KEPT_APART):
            left_out["performances of pieces that other sets hold too, left out"] += 1
        elif not match or _number(row["robust_note_alignment"]) != 1.0:
            left_out["performances without a robust alignment left out"] += 1
        elif not _inside(root, match) or not _inside(root, score):
            problems.append(Problem(match, "the table names a file outside the data's folder"))
        elif not (root / match).is_file():
            problems.append(Problem(str(root / match), "the table names it, but it isn't there"))
        else:
            here = (root / score).is_file()
            extra = {"composer": composer, "title": title, "score": str(root / score) if here else ""}
            items.append(Item(str(root / match), group=f"{composer}: {title}", extra=extra))
    if not items:
        raise DataError(
            f"none of the {len(rows)} performances in its table can be used",
            where=str(root / METADATA),
            hint="take the release with note alignments (.match files), (n)ASAP 2.0 or newer",
            code="data.empty",
        )
    return Dataset(
        name,
        root,
        sorted(items, key=lambda item: item.path),
        group_kind="piece",
        problems=problems,
        notes=[f"{count} {what}" for what, count in sorted(left_out.items())],
        **about,
    )


def _find(path: Path) -> Path | None:
    for table in (path / METADATA, *sorted(path.glob(f"*/{METADATA}"))):
        try:
            with table.open(encoding="utf-8-sig", newline="") as file:
                made = (table.parent / MARKER).exists()  # synthetic data must not pass for the real set
                if set(COLUMNS) <= set(next(csv.reader(file), [])) and not made:
                    return table.parent
        except (OSError, UnicodeError, csv.Error):
            continue
    return None


def _rows(table: Path) -> list[dict[str, str]]:
    try:
        with table.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            missing = [name for name in COLUMNS if name not in (reader.fieldnames or [])]
            if missing:
                raise DataError(
                    f"lacks the column(s) {', '.join(missing)}",
                    where=str(table),
                    hint="take metadata.csv of (n)ASAP 2.0 or newer, which knows note alignments",
                    code="data.layout",
                )
            return [{name: row[name] or "" for name in COLUMNS} for row in reader]
    except FileNotFoundError:
        raise DataError(
            "there is no table", where=str(table), hint="give the folder of metadata.csv", code="data.layout"
        ) from None
    except (OSError, UnicodeError, csv.Error) as error:
        raise DataError(f"can't be read: {error}", where=str(table), code="data.dataset-file") from error


def _inside(root: Path, name: str) -> bool:
    return (root / name).resolve().is_relative_to(root.resolve())


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
