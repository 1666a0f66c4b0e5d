"""Dataset `audio-folder`: a folder per class, or clips listed in `metadata.csv` or `metadata.json`."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kelly_core.data import Dataset, Item, Problem
from kelly_core.data.listing import sub_folders
from kelly_core.data.metadata import NAMES, find_metadata, read_metadata
from kelly_core.data.sound_folder import list_sounds
from kelly_core.errors import DataError
from kelly_emotion import demo
from kelly_emotion.data import ravdess
from kelly_emotion.labels import map_label, map_labels

NAME = "audio-folder"


def recognises(path: Path) -> bool:
    """Whether there is a metadata file, or a sub-folder whose name means one of the classes.

    RAVDESS and the generated set are left to their own readers, which know more: actors, published folds,
    that the sound is synthetic. `--dataset audio-folder` reads them this way all the same.
    """
    if ravdess.recognises(path) or demo.recognises(path):
        return False
    try:
        return find_metadata(path) is not None or any(map_label(name) for name in sub_folders(path))
    except (DataError, OSError):
        return False


def open_folder(path: Path, options: Mapping[str, Any]) -> Dataset:
    """List the clips; none is opened, so a missing or damaged one shows when its features are computed.

    Args:
        path: The folder.
        options: `synonyms`: labels and the class each means; `calm`: `"drop"` or `"neutral"`.

    Raises:
        DataError: There is nothing in it, the metadata has a mistake, or labels can't be mapped.
    """
    root = Path(path).absolute()
    metadata = find_metadata(root)
    return _open_listed(root, metadata, options) if metadata else _open_classes(root, options)


def _open_listed(root: Path, path: Path, options: Mapping[str, Any]) -> Dataset:
    listed = read_metadata(path)
    names, notes = _mapping(Counter(row.label for row in listed.rows), path, options)
    if all((root / name).is_file() for name in NAMES):
        notes.append(f"{NAMES[1]} is passed over, {NAMES[0]} counts")
    items = [
        Item(row.path, label, row.group, row.split, row.fold, row.extra)
        for row in listed.rows
        if (label := names[row.label]) is not None
    ]
    return _dataset(root, items, [], notes, "speaker" if listed.has_speakers else "file")


def _open_classes(root: Path, options: Mapping[str, Any]) -> Dataset:
    files = {name: list_sounds(root / name) for name in sub_folders(root)}
    counts = {name: len(readable) + len(others) for name, (readable, others) in files.items()}
    counts = {name: count for name, count in counts.items() if count}
    if not counts:
        raise DataError(
            "holds no sub-folders with sound files",
            where=str(root),
            hint="make one folder per class (happy/, sad/, ...), or write a metadata.csv with file,label",
            code="data.layout",
        )
    names, notes = _mapping(counts, root, options)
    items: list[Item] = []
    problems: list[Problem] = []
    for name in counts:
        label = names[name]
        if label is None:
            continue
        readable, others = files[name]
        problems += others
        items += [
            Item(path, label, os.path.splitext(path)[0][len(str(root)) + 1 :])  # noqa: PTH122 - 10x a Path's speed
            for path in readable
        ]
    return _dataset(root, items, problems, notes, "file")


def _mapping(
    counts: Mapping[str, int], where: Path, options: Mapping[str, Any]
) -> tuple[dict[str, str | None], list[str]]:
    calm = str(options.get("calm", "drop"))
    names = map_labels(counts, str(where), options.get("synonyms"), calm)
    dropped = sum(count for raw, count in counts.items() if names[raw] is None)
    return names, [f"{dropped} clips labelled calm left out"] if dropped else []


def _dataset(root: Path, items: list[Item], problems: list[Problem], notes: list[str], kind: str) -> Dataset:
    if not items:
        raise DataError(
            "holds no clip that can be used",
            where=str(root),
            hint="see `kelly data validate`",
            code="data.empty",
        )
    items.sort(key=lambda item: item.path)
    return Dataset(NAME, root, items, group_kind=kind, problems=problems, notes=notes)
