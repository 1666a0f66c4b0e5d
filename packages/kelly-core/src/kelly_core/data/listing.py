"""List files below a folder by name alone: no file is opened or measured."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from pathlib import Path

from kelly_core.errors import DataError


def find_files(root: str | Path, suffixes: Collection[str], *, max_depth: int = 16) -> Iterator[str]:
    """Paths below `root` with one of these suffixes (lower case, with the dot); hidden names are passed over.

    Raises:
        DataError: A folder can't be listed.
    """
    for entry in _scan(root):
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            if max_depth > 0 and not _leads_back(entry):
                yield from find_files(entry.path, suffixes, max_depth=max_depth - 1)
        elif os.path.splitext(entry.name)[1].lower() in suffixes:  # noqa: PTH122 - 10x a Path's speed
            yield entry.path


def holds_any(root: str | Path, suffixes: Collection[str]) -> bool:
    """Whether there is a file with one of these suffixes anywhere below; not where a folder can't be listed."""
    try:
        return next(find_files(root, suffixes), None) is not None
    except (DataError, OSError):
        return False


def sub_folders(root: str | Path) -> list[str]:
    """Names of the folders directly below `root`, sorted, hidden ones left out."""
    return sorted(entry.name for entry in _scan(root) if entry.is_dir() and not entry.name.startswith("."))


def _leads_back(entry: os.DirEntry[str]) -> bool:
    """Whether a symbolic link points at a folder that it lies in."""
    if not entry.is_symlink():
        return False
    here, real = os.path.realpath(os.path.dirname(entry.path)), os.path.realpath(entry.path)  # noqa: PTH120
    return here == real or here.startswith(real + os.sep)


def _scan(folder: str | Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            found = list(entries)
    except OSError as error:
        raise DataError(
            f"the folder can't be listed: {error.strerror}",
            where=str(folder),
            hint="check path and permissions",
            code="data.unreadable",
        ) from None
    for entry in found:
        if not entry.name.isascii() and any("\ud800" <= letter <= "\udfff" for letter in entry.name):
            raise DataError(
                f"the name {entry.name!r} isn't valid UTF-8",
                where=str(folder),
                hint="rename it",
                code="data.unreadable",
            )
    return found
