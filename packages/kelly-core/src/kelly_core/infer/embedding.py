"""Files as vectors, and tables of them that other programs and datasets can read."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kelly_core import atomic
from kelly_core.errors import UserError

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class FileEmbedding:
    """A file as vectors.

    Attributes:
        path: The file.
        seconds: Its length.
        embedding: (dims,) of the whole file.
        windows: (windows, dims of a window) of its parts, in order.
        times: Start and end of each window in seconds.
    """

    path: Path
    seconds: float
    embedding: Floats
    windows: Floats
    times: Sequence[tuple[float, float]]

    def similarity(self, other: FileEmbedding) -> float:
        """Cosine to another file's embedding: 1 for the same direction, 0 for nothing in common."""
        lengths = np.linalg.norm(self.embedding) * np.linalg.norm(other.embedding)
        return float(self.embedding @ other.embedding / lengths)

    def as_dict(self, *, windows: bool = False) -> dict[str, Any]:
        """Plain values for JSON; with `windows` those of its parts too."""
        plain: dict[str, Any] = {
            "file": str(self.path),
            "seconds": round(self.seconds, 3),
            "embedding": _numbers(self.embedding),
        }
        if windows:
            plain["windows"] = [
                {"start": round(start, 3), "end": round(end, 3), "embedding": _numbers(row)}
                for (start, end), row in zip(self.times, self.windows, strict=True)
            ]
        return plain


def check_table(path: Path) -> None:
    """Refuse a table's name before any work is done.

    Raises:
        UserError: Its suffix names no format.
    """
    if path.suffix.lower() not in WRITERS:
        raise UserError(
            f"embeddings aren't written as {path.suffix or 'a file without a suffix'}",
            where=str(path),
            hint=f"give a name that ends with {', '.join(WRITERS)}",
            code="usage.output",
        )


def write_table(
    path: Path, files: Sequence[Path], found: Sequence[FileEmbedding], *, windows: bool = False
) -> int:
    """Write embeddings in the format that the suffix names, whole or not at all.

    `.csv` has a row for each file, or with `windows` one for each part with its `start` and `end`; `.json` has
    the files, with `windows` their parts too. In both, files below the table's folder are named relative to
    it, as `metadata.csv` names them. `.npz` has `files`, `seconds`, `embeddings`, and the parts as `windows`,
    `window_file` (row in `files`), `window_start`, `window_end`. `.npy` has the files' embeddings alone, in
    the order of `files`, NaN where one couldn't be used.

    Args:
        path: Where to.
        files: All files that were asked for.
        found: Those that could be used, at least one.
        windows: Whether the parts are wanted in CSV and JSON.

    Returns:
        How many rows were written.

    Raises:
        UserError: The suffix names no format, or the file can't be written.
    """
    check_table(path)
    try:
        with atomic.replacing(path) as part:
            return WRITERS[path.suffix.lower()](part, path.parent, files, found, windows)
    except OSError as error:
        raise UserError(
            f"the embeddings can't be written: {error.strerror or error}",
            where=str(path),
            hint="check the folder's permissions and the free space",
            code="usage.output",
        ) from None


def _npy(part: Path, _: Path, files: Sequence[Path], found: Sequence[FileEmbedding], __: bool) -> int:
    by_path = {one.path: one.embedding for one in found}
    blank = np.full(len(found[0].embedding), np.nan, np.float32)
    with part.open("wb") as file:
        np.save(file, np.stack([by_path.get(name, blank) for name in files]))
    return len(files)


def _npz(part: Path, folder: Path, _: Sequence[Path], found: Sequence[FileEmbedding], __: bool) -> int:
    times = np.array([time for one in found for time in one.times], dtype=np.float64).reshape(-1, 2)
    columns: dict[str, Any] = {
        "files": np.array([_named(one.path, folder) for one in found]),
        "seconds": np.array([one.seconds for one in found]),
        "embeddings": np.stack([one.embedding for one in found]),
        "windows": np.concatenate([one.windows for one in found]),
        "window_file": np.repeat(np.arange(len(found)), [len(one.windows) for one in found]),
        "window_start": times[:, 0],
        "window_end": times[:, 1],
    }
    with part.open("wb") as file:  # given a name, NumPy may add a suffix of its own
        np.savez(file, **columns)
    return len(found)


def _csv(part: Path, folder: Path, _: Sequence[Path], found: Sequence[FileEmbedding], windows: bool) -> int:
    rows = list(_window_rows(found, folder) if windows else _file_rows(found, folder))
    lines = io.StringIO()
    writer = csv.writer(lines, lineterminator="\n")
    leading = ["file", "start", "end"] if windows else ["file", "seconds"]
    writer.writerow([*leading, *(f"e{at}" for at in range(len(rows[0]) - len(leading)))])
    writer.writerows(rows)
    part.write_text(lines.getvalue(), encoding="utf-8")
    return len(rows)


def _file_rows(found: Iterable[FileEmbedding], folder: Path) -> Iterable[list[Any]]:
    return ([_named(one.path, folder), round(one.seconds, 3), *_numbers(one.embedding)] for one in found)


def _window_rows(found: Iterable[FileEmbedding], folder: Path) -> Iterable[list[Any]]:
    return (
        [_named(one.path, folder), round(start, 3), round(end, 3), *_numbers(row)]
        for one in found
        for (start, end), row in zip(one.times, one.windows, strict=True)
    )


def _json(part: Path, folder: Path, _: Sequence[Path], found: Sequence[FileEmbedding], windows: bool) -> int:
    rows = [{**one.as_dict(windows=windows), "file": _named(one.path, folder)} for one in found]
    part.write_text(json.dumps({"samples": rows}, ensure_ascii=False) + "\n", encoding="utf-8")
    return len(rows)


Writer = Callable[[Path, Path, Sequence[Path], Sequence[FileEmbedding], bool], int]
"""`write(part, folder, files, found, windows)`: writes `part`, later to stand in `folder`; rows written."""
WRITERS: dict[str, Writer] = {".csv": _csv, ".json": _json, ".npz": _npz, ".npy": _npy}
"""By suffix."""


def _named(path: Path, folder: Path) -> str:
    """A file's name in a table that stands in `folder`."""
    absolute, root = (Path(os.path.abspath(one)) for one in (path, folder))  # noqa: PTH100 - keeps links
    return absolute.relative_to(root).as_posix() if absolute.is_relative_to(root) else str(path)


def _numbers(row: Floats) -> list[float]:
    """Six decimals: embeddings are of the order of 1."""
    return [round(float(value), 6) for value in row]
