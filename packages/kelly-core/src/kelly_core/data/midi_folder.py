"""Dataset `midi-folder`: any tree of MIDI files; metadata.csv or metadata.json adds columns.

Every file is read once to find those that can't be used and those that are one tune (transposed, faster,
nearly alike), which become one group, so that no split puts a tune on two sides.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from kelly_core.data.dataset import Dataset, Item, Problem
from kelly_core.data.listing import find_files, holds_any
from kelly_core.data.metadata import find_metadata, read_metadata
from kelly_core.errors import DataError
from kelly_core.features.midi.read import SUFFIXES, read_midi
from kelly_core.features.midi.tunes import Joined, same_tunes, tune_runs

NAME = "midi-folder"
GROUPS = ("group", "song", "tune", "piece", "title", "session", "drummer")
"""Columns that say what must stay together, the first present counts; else a speaker column, else the tune."""


def recognises(path: Path) -> bool:
    """Whether there is a MIDI file anywhere below."""
    return holds_any(path, SUFFIXES)


def open_midi_folder(path: Path, options: Mapping[str, Any]) -> Dataset:  # noqa: ARG001 - it has none
    """List the files, with the metadata's columns and the name of their folder (`folder`) as extras.

    Args:
        path: The folder.
        options: None are used.

    Raises:
        DataError: There is no usable MIDI file, or the metadata has a mistake.
    """
    root = Path(path).absolute()
    metadata = find_metadata(root)
    items = _listed(root, metadata) if metadata else _found(root)
    usable, problems, runs = [], [], []
    for item in items:
        state = _state(item.path)
        read = _runs(item.path, *state) if state else "is named in the metadata but isn't there"
        if isinstance(read, str):
            problems.append(Problem(item.path, read))
        else:
            usable.append(item)
            runs.append(read)
    if not usable:
        hint = f"the first: {problems[0]}" if problems else "give another folder"
        raise DataError("holds no MIDI file that can be used", where=str(root), hint=hint, code="data.empty")
    grouped, joined = _joined(usable, same_tunes(runs))
    notes = [f"{joined} files are tunes that others hold too; each tune stays on one side"] if joined else []
    return Dataset(NAME, root, grouped, group_kind="tune", problems=problems, notes=notes)


def _listed(root: Path, metadata: Path) -> list[Item]:
    rows = read_metadata(metadata, needed=("file",)).rows
    items = []
    for row in rows:
        extra = {"folder": _folder(root, row.path), **row.extra}
        items.append(Item(row.path, row.label, row.group_by(GROUPS), row.split, row.fold, extra))
    return sorted(items, key=lambda item: item.path)


def _found(root: Path) -> list[Item]:
    paths = sorted(find_files(root, SUFFIXES))
    names = [os.path.splitext(os.path.relpath(path, root))[0] for path in paths]  # noqa: PTH122
    return [
        Item(path, group=name, extra={"folder": _folder(root, path)})
        for path, name in zip(paths, names, strict=True)
    ]


def _folder(root: Path, path: str) -> str:
    parts = Path(path).relative_to(root).parts
    return parts[0] if len(parts) > 1 else ""


def _state(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)  # noqa: PTH116 - a Path per file costs more than the call
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns


@lru_cache(maxsize=100_000)
def _runs(path: str, size: int, mtime_ns: int) -> frozenset[int] | str:  # noqa: ARG001 - the cache's key
    """A file's runs, or the reason why it can't be used."""
    try:
        notes = read_midi(Path(path)).notes
    except DataError as error:
        return error.message
    return tune_runs(notes) if len(notes) else "it holds no notes"


def _joined(items: Iterable[Item], tunes: list[int]) -> tuple[list[Item], int]:
    """Items whose groups are merged where they share a tune, and how many share one."""
    items = list(items)
    names = sorted({item.group for item in items})
    number = {name: at for at, name in enumerate(names)}
    sets = Joined(len(names))
    for item, tune in zip(items, tunes, strict=True):
        sets.join(number[item.group], number[items[tune].group])
    sizes = Counter(tunes)
    grouped = [replace(item, group=names[sets.root(number[item.group])]) for item in items]
    return grouped, sum(sizes[tune] > 1 for tune in tunes)
