"""Dataset `polymusic`: Boulanger-Lewandowski's piano rolls as MATLAB files, with their standard splits.

Each file (`JSB_Chorales.mat`, `MuseData.mat`, `Nottingham.mat`, `Piano_midi.mat`) holds `traindata`,
`validdata` and `testdata`: cells of (frames, 88) matrices of 0 and 1, the keys of a piano from A0 to C8
(Boulanger-Lewandowski, Bengio and Vincent, 2012, in the form that Bai, Kolter and Koltun published, 2018).
All pieces were brought to a common key by those who made the set.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kelly_core.data import Dataset, Item
from kelly_core.errors import DataError
from kelly_melody.polymusic.config import SETS
from kelly_melody.polymusic.memory import KEYS

NAME = "polymusic"
CITATION = (
    "Boulanger-Lewandowski N, Bengio Y, Vincent P (2012). Modeling temporal dependencies in high-dimensional "
    "sequences. ICML"
)
VARIABLES = {"traindata": "train", "validdata": "validation", "testdata": "test"}
SHORTEST = 2
"""Frames of a piece that there is something to predict of."""


def recognises(path: Path) -> bool:
    """Whether one of the four files lies in the folder."""
    return any((Path(path) / f"{name}.mat").is_file() for name in SETS)


def open_polymusic(path: Path, options: Mapping[str, Any]) -> Dataset:
    """List the pieces of one set; none is decoded.

    Args:
        path: Folder of the files.
        options: `rolls`: which set; `JSB_Chorales` where it isn't said.

    Raises:
        DataError: The set's file isn't there, is no MATLAB file, or lacks a side of the split.
    """
    root = Path(path).absolute()
    file = root / f"{options.get('rolls', SETS[0])}.mat"
    items = []
    for variable, count in _sizes(file).items():
        side = VARIABLES[variable]
        items += [
            Item(str(file), group=f"{file.stem} {side} {number}", split=side, part=f"{variable} {number}")
            for number in range(count)
        ]
    return Dataset(
        NAME,
        root,
        items,
        licence="none stated",
        citation=CITATION,
        group_kind="piece",
        notes=[f"{file.stem}, the published split"],
    )


def read_rolls(file: Path) -> dict[str, NDArray[np.uint8] | str]:
    """Every piece of a file by its part (`"traindata 0"`): (frames, 88), or the reason why it can't be used.

    Raises:
        DataError: It can't be read as a MATLAB file, or lacks a side of the split.
    """
    from scipy.io import loadmat

    _sizes(file)
    try:
        content = loadmat(file, variable_names=list(VARIABLES))
    except Exception as error:
        raise _unreadable(file, error) from error
    return {
        f"{variable} {number}": _roll(cell)
        for variable in VARIABLES
        for number, cell in enumerate(np.ravel(content[variable]))
    }


def _roll(cell: Any) -> NDArray[np.uint8] | str:
    """A piece, or what is wrong with it."""
    array = np.asarray(cell)
    if array.ndim != 2 or array.shape[1] != KEYS:
        return f"its shape is {array.shape}, not (frames, {KEYS})"
    if array.dtype.kind not in "biuf" or not np.isin(array, (0, 1)).all():
        return "it holds something else than 0 and 1"
    if len(array) < SHORTEST:
        return f"it has {len(array)} frame(s); the shortest that can be used has {SHORTEST}"
    return np.ascontiguousarray(array, np.uint8)


def _sizes(file: Path) -> dict[str, int]:
    """How many pieces each variable holds, from the file's headers."""
    from scipy.io import whosmat

    if not file.is_file():
        there = [name for name in SETS if (file.parent / f"{name}.mat").is_file()]
        hint = (
            f"found: {', '.join(there)}; choose one with --set keys.rolls={there[0]}"
            if there
            else "give the folder that holds Nottingham.mat, JSB_Chorales.mat and the like"
        )
        raise DataError(f"there is no {file.name}", where=str(file.parent), hint=hint, code="data.layout")
    try:
        found = {name: (int(np.prod(shape)), kind) for name, shape, kind in whosmat(file)}
    except Exception as error:
        raise _unreadable(file, error) from error
    missing = [name for name in VARIABLES if name not in found]
    if missing:
        raise DataError(
            f"lacks {', '.join(missing)}; it holds {', '.join(found) or 'nothing'}",
            where=str(file),
            hint="the published files have traindata, validdata and testdata",
            code="data.layout",
        )
    for name in VARIABLES:
        size, kind = found[name]
        if kind != "cell" or not size:
            what = "is empty" if kind == "cell" else f"is of kind {kind}, not cell"
            hint = "the published files have a cell per side, a matrix in it for each piece"
            raise DataError(f"{name} {what}", where=str(file), hint=hint, code="data.dataset-file")
    return {name: found[name][0] for name in VARIABLES}


def _unreadable(file: Path, error: Exception) -> DataError:
    # scipy has a dozen exceptions for files that aren't what they say, some of them plain KeyErrors.
    return DataError(
        f"can't be read as a MATLAB file: {error or type(error).__name__}",
        where=str(file),
        hint="take it from the source again; HDF5 files (MATLAB 7.3) have to be saved as version 7",
        code="data.dataset-file",
    )
