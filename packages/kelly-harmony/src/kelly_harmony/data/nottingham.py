"""Dataset `nottingham-chords`: the cleaned Nottingham Music Database as MIDI, melody and chords on two tracks.

Layout of jukedeck/nottingham-dataset: `MIDI/*.mid` hold both (`MIDI/melody` and `MIDI/chords` the same apart,
which aren't read). Tunes that others hold too, transposed or nearly alike, are one group.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from kelly_core.data import Dataset, Item, Problem
from kelly_core.errors import DataError

NAME = "nottingham-chords"
LICENCE = "GPL-3.0"
CITATION = "Nottingham Music Database (Foxley); cleaned by Jukedeck, github.com/jukedeck/nottingham-dataset"
_TUNE = re.compile(r"(ashover|hpps|jigs|morris|playford|reels|slip|waltzes|xmas).*\.mid$")


def recognises(path: Path) -> bool:
    """Whether a folder `MIDI` holds the database's books of tunes, here or one below."""
    return _find(Path(path)) is not None


def open_nottingham(path: Path, options: Mapping[str, Any]) -> Dataset:  # noqa: ARG001 - the set has none
    """List the tunes that have chords.

    Args:
        path: The repository's folder, or its `MIDI`.
        options: None are used.

    Raises:
        DataError: There is no such folder, or no tune in it can be used.
    """
    from kelly_core.features.midi.tunes import same_tunes

    root = _find(Path(path).absolute())
    if root is None:
        raise DataError(
            "holds no folder MIDI with the tunes of the Nottingham database",
            where=str(path),
            hint="unpack jukedeck/nottingham-dataset there: MIDI/jigs1.mid, ...",
            code="data.layout",
        )
    items, problems, runs = [], [], []
    for file in sorted(root.iterdir()):
        if not _TUNE.match(file.name):
            continue
        found = _runs(str(file), file.stat().st_mtime_ns)
        if isinstance(found, str):
            problems.append(Problem(str(file), found))
        else:
            items.append(str(file))
            runs.append(found)
    if not items:
        hint = f"the first: {problems[0]}" if problems else "unpack it again"
        raise DataError("holds no tune that can be used", where=str(root), hint=hint, code="data.empty")
    tunes = same_tunes(runs)
    listed = [
        Item(item, group=Path(items[tune]).stem, extra={"kind": NAME})
        for item, tune in zip(items, tunes, strict=True)
    ]
    twice = len(tunes) - len(set(tunes))
    notes = [f"{twice} tunes are others again; each tune stays on one side"] if twice else []
    return Dataset(
        NAME,
        root,
        listed,
        licence=LICENCE,
        citation=CITATION,
        group_kind="tune",
        problems=problems,
        notes=notes,
    )


@lru_cache(maxsize=10_000)
def _runs(path: str, mtime_ns: int) -> frozenset[int] | str:  # noqa: ARG001 - the cache's key
    """The runs of a tune's melody, or why it can't be used."""
    from kelly_core.features.midi import read_midi
    from kelly_core.features.midi.tunes import tune_runs
    from kelly_harmony.data.tracks import chord_track, melody_track, notes_of

    try:
        midi = read_midi(Path(path))
        melody = melody_track(midi)
    except DataError as error:
        return error.message
    if chord_track(midi, melody) is None:
        return "no track of it plays chords"
    return tune_runs(notes_of(midi, melody))


def _find(path: Path) -> Path | None:
    try:
        for folder in (path / "MIDI", path, *sorted(path.glob("nottingham-dataset*/MIDI"))):
            if folder.is_dir() and any(_TUNE.match(child.name) for child in folder.iterdir()):
                return folder
    except OSError:
        return None
    return None
