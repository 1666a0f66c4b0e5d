"""Dataset `pop909`: POP909 in its published layout, a numbered folder per song.

`NNN/NNN.mid` has the tracks MELODY, BRIDGE and PIANO; `beat_midi.txt` a beat a line (time, first of two beats,
first of a bar), `chord_midi.txt` begin, end and chord label, `key_audio.txt` begin, end and key; times in s
(Wang et al., 2020).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kelly_core.data import Dataset, Item, Problem
from kelly_core.errors import DataError
from kelly_core.features.midi import parse_key
from kelly_harmony.chords import NONE, parse_label
from kelly_harmony.keys import key_number
from kelly_harmony.lead import Lead, bars_of_downbeats, chord_per_beat, melody_features, metre_features

NAME = "pop909"
LICENCE = "MIT"
CITATION = (
    "Wang Z, Chen K, Jiang J, Zhang Y, Xu M, Dai S, Bin G, Xia G (2020). POP909: A Pop-song Dataset for Music "
    "Arrangement Generation. ISMIR"
)
BEATS, CHORDS, KEYS = "beat_midi.txt", "chord_midi.txt", "key_audio.txt"
SAME = {"018": "017", "805": "262", "666": "492"}
"""Songs whose melody is (nearly) that of another, found by `kelly_core.features.midi.tunes`."""
_NUMBER = re.compile(r"\d{3}$")


def recognises(path: Path) -> bool:
    """Whether numbered folders with a song and its chords lie here, or in a folder `POP909`."""
    return _find(Path(path)) is not None


def open_pop909(path: Path, options: Mapping[str, Any]) -> Dataset:  # noqa: ARG001 - the set has none
    """List the songs; versions of one song are one group.

    Args:
        path: The folder of the numbered folders, or one above.
        options: None are used.

    Raises:
        DataError: There are no such folders, or none is complete.
    """
    root = _find(Path(path).absolute())
    if root is None:
        raise DataError(
            f"holds no numbered folders with a song and its {CHORDS}",
            where=str(path),
            hint="unpack POP909 there: 001/001.mid, 001/chord_midi.txt, ...",
            code="data.layout",
        )
    items, problems = [], []
    for folder in sorted(root.iterdir()):
        if not _NUMBER.match(folder.name) or not folder.is_dir():
            continue
        missing = [
            name for name in (f"{folder.name}.mid", BEATS, CHORDS, KEYS) if not (folder / name).is_file()
        ]
        if missing:
            problems.append(Problem(str(folder), f"lacks {', '.join(missing)}"))
            continue
        group = SAME.get(folder.name, folder.name)
        items.append(Item(str(folder / f"{folder.name}.mid"), group=group, extra={"kind": NAME}))
    if not items:
        raise DataError(
            "holds no complete song", where=str(root), hint=f"the first: {problems[0]}", code="data.empty"
        )
    return Dataset(NAME, root, items, licence=LICENCE, citation=CITATION, group_kind="song", problems=problems)


def read_song(path: Path) -> Lead:
    """A song: melody track, annotated beats, chords and keys.

    Args:
        path: Its MIDI file; the annotations lie beside it.

    Raises:
        DataError: A file can't be read or makes no sense.
    """
    from kelly_core.features.midi import read_midi

    path = Path(path)
    midi = read_midi(path)
    named = [track for track, name in enumerate(midi.names) if name.strip().upper() == "MELODY"]
    if not named:
        raise DataError(
            "it has no track MELODY", where=str(path), hint="unpack POP909 again", code="data.dataset-file"
        )
    notes = midi.notes[midi.notes["track"] == named[0]]
    beats = _rows(path.with_name(BEATS), 3)
    times = np.array([float(row[0]) for row in beats])
    if len(times) < 2 or np.any(np.diff(times) <= 0) or times[-1] > 24 * 3600:
        raise DataError(
            "its beats don't ascend",
            where=str(path.with_name(BEATS)),
            hint="unpack it again",
            code="data.dataset-file",
        )
    edges = np.append(times, 2 * times[-1] - times[-2])
    count = len(times)
    position = np.arange(count + 1)
    begin, end = (np.interp(t, edges, position) for t in (notes["onset"], notes["onset"] + notes["duration"]))
    before = notes["onset"] < edges[0]  # interpolation would move it to the first beat
    melody = melody_features(begin[~before], end[~before], notes["pitch"][~before], count)
    place, length, bar = bars_of_downbeats(np.array([float(row[2]) > 0 for row in beats]))
    intervals, labels = _segments(path.with_name(CHORDS))
    return Lead(
        melody,
        metre_features(place, length, bar, melody[:, -1]),
        _keys(path.with_name(KEYS), edges),
        chord_per_beat(edges, intervals, _chords(labels, path.with_name(CHORDS)), NONE),
        edges,
        intervals,
        labels,
        path.stem,
    )


def _chords(labels: tuple[str, ...], path: Path) -> NDArray[np.int64]:
    try:
        return np.array([parse_label(label) for label in labels], np.int64)
    except ValueError as error:
        raise DataError(
            str(error), where=str(path), hint="labels are like A:min7/b3, or N", code="data.dataset-file"
        ) from None


def _keys(path: Path, edges: NDArray[np.float64]) -> NDArray[np.int64]:
    """The key at the middle of each beat; before the first annotated key that one, after the last the last."""
    intervals, names = _segments(path)
    if not names:
        raise DataError("names no key", where=str(path), hint="unpack it again", code="data.dataset-file")
    keys = np.array([key_number(parse_key(name)) for name in names], np.int64)
    at = np.searchsorted(intervals[:, 0], (edges[1:] + edges[:-1]) / 2, side="right") - 1
    return keys[np.maximum(at, 0)]


def _segments(path: Path) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    rows = _rows(path, 3)
    intervals = np.array([(float(row[0]), float(row[1])) for row in rows]).reshape(-1, 2)
    if np.any(np.diff(intervals[:, 0]) < 0) or np.any(intervals[:, 1] < intervals[:, 0]):
        raise DataError(
            "its times don't ascend", where=str(path), hint="unpack it again", code="data.dataset-file"
        )
    return intervals, tuple(row[2] for row in rows)


def _rows(path: Path, columns: int) -> list[list[str]]:
    """Cells of a table of annotations; the first two of each row are finite numbers."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = "is no text" if isinstance(error, UnicodeDecodeError) else f"can't be read ({error.strerror})"
        raise DataError(reason, where=str(path), hint="unpack POP909 again", code="data.dataset-file") from None
    rows = []
    for number, line in enumerate(lines, 1):
        cells = line.split()
        if not cells:
            continue
        try:
            good = len(cells) == columns and np.isfinite([float(cell) for cell in cells[:2]]).all()
        except ValueError:
            good = False
        if not good:
            raise DataError(
                f"{line[:60]!r} isn't {columns} columns that begin with two times",
                where=f"{path}:{number}",
                hint="unpack POP909 again",
                code="data.dataset-file",
            )
        rows.append(cells)
    return rows


def _find(path: Path) -> Path | None:
    try:
        for folder in (path, path / "POP909", *sorted(path.glob("POP909*/POP909"))):
            if folder.is_dir() and any(
                _NUMBER.match(child.name) and (child / CHORDS).is_file() for child in folder.iterdir()
            ):
                return folder
    except OSError:
        return None
    return None
