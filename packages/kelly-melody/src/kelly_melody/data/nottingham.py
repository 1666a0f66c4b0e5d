"""Dataset `nottingham`: the cleaned Nottingham Music Database as published with MIDI files.

Read are `MIDI/melody/*.mid`; a tune's name and mode come from `ABC_cleaned/*.abc`, where `jigs12.mid` is the
tune `X: 12` of `jigs.abc`. Groups are tunes: files that hold one tune (transposed, nearly alike) stay together.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from kelly_core.data import Dataset, Item
from kelly_core.data.listing import find_files
from kelly_core.data.midi_folder import open_midi_folder
from kelly_core.errors import DataError, UserError
from kelly_core.features.midi import SUFFIXES, parse_key

NAME = "nottingham"
LICENCE = "GPL-3.0"
CITATION = (
    "Nottingham Music Database, collected by Eric Foxley; cleaned ABC and MIDI by Jukedeck, "
    "github.com/jukedeck/nottingham-dataset"
)
LONGEST_TEXT = 8 << 20
"""Bytes of an .abc file that are looked at."""
_NUMBER = re.compile(r"(.*?)(\d+)$")


def recognises(path: Path) -> bool:
    """Whether there are melodies and ABC files, here or in a folder of the archive's name."""
    return _find(Path(path)) is not None


def open_nottingham(path: Path, options: Mapping[str, Any]) -> Dataset:
    """List the melodies.

    Args:
        path: Folder of `MIDI` and `ABC_cleaned`, or one above.
        options: Those of `midi-folder`.

    Raises:
        DataError: There are no such folders, or no melody can be used.
    """
    root = _find(Path(path).absolute())
    if root is None:
        raise DataError(
            "holds no folders MIDI/melody and ABC_cleaned",
            where=str(path),
            hint="unpack the dataset's archive there, or: kelly data get nottingham",
            code="data.layout",
        )
    listed = open_midi_folder(root / "MIDI" / "melody", options)
    headers = _headers(root / "ABC_cleaned")
    items = [replace(item, extra=_extra(item, headers)) for item in listed.items]
    return replace(
        listed, name=NAME, root=root, items=items, licence=LICENCE, citation=CITATION, group_kind="tune"
    )


def _extra(item: Item, headers: Mapping[tuple[str, int], Mapping[str, str]]) -> dict[str, str]:
    found = _NUMBER.fullmatch(Path(item.path).stem)
    collection, number = (found[1], int(found[2])) if found else (Path(item.path).stem, 0)
    return {"collection": collection, **headers.get((collection, number), {})}


def _headers(folder: Path) -> dict[tuple[str, int], dict[str, str]]:
    """Title and key of each tune by file and number; what can't be read is left out."""
    found: dict[tuple[str, int], dict[str, str]] = {}
    for file in sorted(folder.glob("*.abc")):
        try:
            with file.open("rb") as opened:
                text = opened.read(LONGEST_TEXT).decode("latin-1")
        except OSError:
            continue
        tune: dict[str, str] = {}
        for line in text.splitlines():
            name, _, value = line.partition(":")
            value = value.strip()
            if name == "X" and value.isdecimal():
                tune = found.setdefault((file.stem, int(value)), {})
            elif name == "T" and "title" not in tune:
                tune["title"] = value
            elif name == "K" and "key" not in tune and _is_key(value):
                tune["key"] = value
    return found


def _is_key(text: str) -> bool:
    try:
        parse_key(text)
    except UserError:
        return False
    return True


def _find(path: Path) -> Path | None:
    try:
        below = sorted(path.glob("nottingham-dataset*"))
    except OSError:
        return None
    for folder in (path, *below):
        melodies = folder / "MIDI" / "melody"
        try:
            if (folder / "ABC_cleaned").is_dir() and next(iter(find_files(melodies, SUFFIXES)), None):
                return folder
        except (DataError, OSError):
            continue
    return None
