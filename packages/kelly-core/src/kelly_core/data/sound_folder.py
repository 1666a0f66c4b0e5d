"""Dataset `sound-folder`: any tree of sound files, without labels; metadata.csv or metadata.json adds columns.

What lies in one folder is taken for one recording session and stays on one side of a split, unless there are
too few folders to divide; metadata with a speaker or a group column says better.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kelly_core.data.audio_files import CONVERTIBLE, READABLE
from kelly_core.data.dataset import Dataset, Item, Problem
from kelly_core.data.listing import find_files, holds_any
from kelly_core.data.metadata import find_metadata, read_metadata
from kelly_core.errors import DataError

NAME = "sound-folder"
GROUPS = ("group", "session", "recording", "album")
"""Columns that say what must stay together, the first present counts; else a speaker column, else the file."""
FEWEST_FOLDERS = 5
"""With fewer folders, each file is a group of its own: a split needs some to choose from."""


def recognises(path: Path) -> bool:
    """Whether there is a sound file anywhere below."""
    return holds_any(path, READABLE)


def open_sound_folder(path: Path, options: Mapping[str, Any]) -> Dataset:  # noqa: ARG001 - it has none
    """List the files; none is opened, so a missing or damaged one shows when its features are computed.

    Args:
        path: The folder.
        options: None are used.

    Raises:
        DataError: There is no sound file that is read directly, or the metadata has a mistake.
    """
    root = Path(path).absolute()
    metadata = find_metadata(root)
    if metadata is not None:
        read = read_metadata(metadata, needed=("file",))
        items = [
            Item(row.path, row.label, row.group_by(GROUPS), row.split, row.fold, row.extra) for row in read.rows
        ]
        kind = "speaker" if read.has_speakers else "file"
        named = any(item.extra.get(name) for item in items for name in GROUPS)
        return _dataset(root, items, [], "session" if named else kind)
    readable, problems = list_sounds(root)
    names = {file: os.path.splitext(os.path.relpath(file, root))[0] for file in readable}  # noqa: PTH122
    folders = {file: os.path.dirname(name) for file, name in names.items()}  # noqa: PTH120
    by_folder = len(set(folders.values())) >= FEWEST_FOLDERS
    groups = {file: folders[file] or name for file, name in names.items()} if by_folder else names
    items = [Item(file, group=groups[file]) for file in readable]
    return _dataset(root, items, problems, "folder" if by_folder else "file")


def list_sounds(root: Path) -> tuple[list[str], list[Problem]]:
    """Sound files below a folder: those that are read directly, and those that only an import can read.

    Raises:
        DataError: A folder can't be listed.
    """
    readable, problems = [], []
    for file in find_files(root, READABLE | CONVERTIBLE):
        suffix = os.path.splitext(file)[1]  # noqa: PTH122 - 10x a Path's speed
        if suffix.lower() in READABLE:
            readable.append(file)
        else:
            problems.append(Problem(file, f"{suffix} isn't read directly; convert with `kelly data import`"))
    return readable, problems


def _dataset(root: Path, items: list[Item], problems: list[Problem], kind: str) -> Dataset:
    if not items:
        raise DataError(
            "holds no sound file that can be used",
            where=str(root),
            hint=f"the first: {problems[0]}" if problems else "give another folder",
            code="data.empty",
        )
    items.sort(key=lambda item: item.path)
    return Dataset(NAME, root, items, group_kind=kind, problems=problems)
