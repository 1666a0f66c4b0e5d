"""Read a dataset's `metadata.csv` or `metadata.json`: one row per file, every mistake named by file and line.

CSV has a header and one row per file; commas, semicolons or tabs. JSON is `{"samples": [{"file": ...}]}`.
Files are named relative to the folder of the metadata file.
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kelly_core.errors import DataError

Place = Callable[[int], str]
"""`file:line` of a record, from its number."""
NAMES = ("metadata.csv", "metadata.json")
"""What a folder's metadata file may be called, the first present counts."""
COLUMNS: dict[str, tuple[str, ...]] = {
    "file": ("file", "filename", "file_name", "filepath", "path"),
    "label": ("label", "emotion", "class"),
    "speaker": ("speaker", "speaker_id", "actor", "singer", "performer"),
    "fold": ("fold",),
    "split": ("split", "subset"),
}
"""Meaning of a column and the names it may have; the first one present counts, the others stay extras."""
_SPLITS = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
}


@dataclass(frozen=True, slots=True)
class Row:
    """What the metadata says about one file.

    Attributes:
        path: The file, absolute; not looked for yet.
        line: Where it is described: line of a CSV, number of the sample in a JSON.
        label: As written.
        group: The speaker, else the file's relative name without suffix.
        fold, split: If given; split is `"train"`, `"validation"` or `"test"`.
        extra: All other columns, as text; empty ones left out.
    """

    path: str
    line: int
    label: str
    group: str
    fold: str | None
    split: str | None
    extra: Mapping[str, str]

    def group_by(self, columns: Iterable[str]) -> str:
        """What stands in the first of these columns that isn't empty; where all are, `group`."""
        return next((self.extra[name] for name in columns if self.extra.get(name)), self.group)


@dataclass(frozen=True, slots=True)
class Metadata:
    """All rows of a metadata file, and whether they name speakers."""

    rows: list[Row]
    has_speakers: bool


def find_metadata(folder: Path) -> Path | None:
    """The folder's metadata file; a CSV goes before a JSON."""
    return next((folder / name for name in NAMES if (folder / name).is_file()), None)


def read_metadata(path: Path, *, needed: Collection[str] = ("file", "label")) -> Metadata:
    """Read the rows; no file that they name is touched.

    Args:
        path: The metadata file.
        needed: Meanings (keys of `COLUMNS`) that every row must fill in.

    Raises:
        DataError: Bad JSON or CSV, a missing column, an empty file name or label, a file named twice or
            outside of the folder, an unknown split; with file and line.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(
            f"is not UTF-8 text (byte {error.start})",
            where=str(path),
            hint="save it with encoding UTF-8",
            code="data.metadata",
        ) from None
    except OSError as error:
        raise DataError(f"can't be read: {error.strerror}", where=str(path), code="data.metadata") from None
    is_json = path.suffix.lower() == ".json"
    records = _json_records(text, path) if is_json else _csv_records(text, path, needed)

    def place(line: int) -> str:
        return f"{path}:{_line_of_sample(text, line) if is_json else line}"

    root = os.path.abspath(path.parent)  # noqa: PTH100 - keeps symbolic links
    return _rows(records, root, place, path, needed)


def _rows(
    records: Iterable[tuple[int, dict[str, str]]], root: str, place: Place, path: Path, needed: Collection[str]
) -> Metadata:
    rows: list[Row] = []
    seen: dict[str, int] = {}
    shared: dict[str, str] = {}  # columns repeat few values; keep one string of each
    has_speakers = False
    for line, record in records:
        found = {meaning: _take(record, names) for meaning, names in COLUMNS.items()}
        for meaning in needed:
            if not found[meaning]:
                raise DataError(
                    f"has no {meaning}",
                    where=place(line),
                    hint=f"fill in {meaning!r}, or delete the row",
                    code="data.metadata",
                )
        target = _inside(root, found["file"], place, line)
        if (earlier := seen.setdefault(target, line)) != line:
            raise DataError(
                f"names {found['file']!r}, which {place(earlier)} names already",
                where=place(line),
                hint="keep one of the two",
                code="data.metadata",
            )
        has_speakers = has_speakers or bool(found["speaker"])
        rows.append(
            Row(
                target,
                line,
                shared.setdefault(found["label"], found["label"]),
                found["speaker"] or os.path.splitext(os.path.relpath(target, root))[0],  # noqa: PTH122
                found["fold"] or None,
                _split(found["split"], place, line),
                {key: shared.setdefault(value, value) for key, value in record.items() if value},
            )
        )
    if not rows:
        raise DataError(
            "describes no files", where=str(path), hint="add one row per file", code="data.metadata"
        )
    return Metadata(rows, has_speakers)


def _take(record: dict[str, str], names: tuple[str, ...]) -> str:
    name = next((name for name in names if name in record), None)
    return record.pop(name).strip() if name else ""


def _inside(root: str, file: str, place: Place, line: int) -> str:
    target = os.path.normpath(os.path.join(root, file.replace("\\", "/")))  # noqa: PTH118 - 10x a Path's speed
    if not target.startswith(root + os.sep):
        raise DataError(
            f"names {file!r}, which lies outside of {root}",
            where=place(line),
            hint="move the file below the metadata's folder and name it relative to that",
            code="data.metadata",
        )
    return target


def _split(text: str, place: Place, line: int) -> str | None:
    if not text:
        return None
    try:
        return _SPLITS[text.lower()]
    except KeyError:
        raise DataError(
            f"has split {text!r}",
            where=place(line),
            hint="use train, validation or test",
            code="data.metadata",
        ) from None


def _csv_records(text: str, path: Path, needed: Collection[str]) -> Iterator[tuple[int, dict[str, str]]]:
    header_line = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=header_line.count)
    reader = csv.reader(text.splitlines(keepends=True), delimiter=delimiter, strict=True)
    try:
        header = [name.strip().lower() for name in next(reader, [])]
        _check_header(header, path, needed)
        for cells in reader:
            if not any(cells):
                continue
            if len(cells) > len(header):
                raise DataError(
                    f"has {len(cells)} cells, the header has {len(header)}",
                    where=f"{path}:{reader.line_num}",
                    hint="put quotes around text that holds the separator",
                    code="data.metadata",
                )
            yield reader.line_num, dict(zip(header, cells, strict=False))
    except csv.Error as error:
        raise DataError(
            f"is not proper CSV: {error}", where=f"{path}:{reader.line_num}", code="data.metadata"
        ) from None


def _check_header(header: list[str], path: Path, needed: Collection[str]) -> None:
    for meaning in needed:
        if not any(name in header for name in COLUMNS[meaning]):
            raise DataError(
                f"has no column {meaning!r}; its columns are {', '.join(map(repr, header)) or 'none'}",
                where=f"{path}:1",
                hint=f"the first line names the columns; {meaning!r} is needed",
                code="data.metadata",
            )
    twice = next((name for name in header if header.count(name) > 1), None)
    if twice is not None:
        raise DataError(
            f"names the column {twice!r} twice",
            where=f"{path}:1",
            hint="rename one of them",
            code="data.metadata",
        )


def _json_records(text: str, path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        raise DataError(
            f"is not proper JSON: {error.msg} at column {error.colno}",
            where=f"{path}:{error.lineno}",
            code="data.metadata",
        ) from None
    samples = content.get("samples") if isinstance(content, dict) else None
    if not isinstance(samples, list):
        raise DataError(
            "holds no list named 'samples'",
            where=f"{path}:1",
            hint='write {"samples": [{"file": "happy/a.wav", "label": "happy"}, ...]}',
            code="data.metadata",
        )
    for number, sample in enumerate(samples, 1):
        if not isinstance(sample, dict):
            raise DataError(
                f"sample {number} is no object but {json.dumps(sample)[:40]}",
                where=f"{path}:{_line_of_sample(text, number)}",
                code="data.metadata",
            )
        yield number, {key.lower(): _as_text(value) for key, value in sample.items()}


def _as_text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        return ", ".join(map(_as_text, value))
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _line_of_sample(text: str, number: int) -> int:
    """Line where the n-th sample starts; only needed for an error, so the text is walked again."""
    decoder = json.JSONDecoder()
    at = text.index("[", text.index('"samples"')) + 1
    for count in range(1, number + 1):
        while text[at].isspace() or text[at] == ",":
            at += 1
        if count < number:
            _, at = decoder.raw_decode(text, at)
    return text.count("\n", 0, at) + 1
