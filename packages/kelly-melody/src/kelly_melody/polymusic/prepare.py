"""From listed pieces to training examples, one source per side of the split."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from kelly_core.data import Dataset, Problem
from kelly_core.data.splits import describe_split
from kelly_core.errors import DataError
from kelly_core.task import Context, Prepared, Split
from kelly_melody.config import MelodyConfig
from kelly_melody.polymusic.data import read_rolls
from kelly_melody.polymusic.source import RollSource


def prepare(config: MelodyConfig, dataset: Dataset, split: Split, context: Context) -> Prepared:
    """Read the pieces of the split; a whole set takes a second, so nothing is cached.

    Raises:
        DataError: The data holds no piano rolls, a side has no usable piece, or `strict_data` is on and a piece
            can't be used.
    """
    used = sorted({int(index) for indices in split.values() for index in indices})
    files = sorted({dataset.items[index].path for index in used})
    if not all(dataset.items[index].part for index in used):
        raise DataError(
            f"dataset {dataset.name!r} holds no piano rolls, which `head: keys` learns from",
            where=str(dataset.root),
            hint="give a folder with JSB_Chorales.mat and the like, or leave `head: notes`",
            code="data.layout",
        )
    rolls = {
        (file, part): roll
        for file in context.progress.track(files, "reading piano rolls", len(files))
        for part, roll in read_rolls(Path(file)).items()
    }
    problems: list[Problem] = []
    digest = hashlib.sha256()
    sources: dict[str, RollSource] = {}
    for side, indices in split.items():
        kept, names = [], []
        for index in indices:
            item = dataset.items[int(index)]
            roll = rolls[item.path, item.part]
            if isinstance(roll, str):
                if config.strict_data:
                    raise DataError(
                        roll,
                        where=f"{item.path}: {item.part}",
                        hint="mend it, or leave strict_data off",
                        code="data.dataset-file",
                    )
                problems.append(Problem(f"{item.path}: {item.part}", roll))
                continue
            kept.append(roll)
            names.append(item.group)
            digest.update(f"{side} {len(roll)} ".encode() + roll.tobytes())
        if len(indices) and not kept:
            raise DataError(
                f"no usable piece is left for {side}",
                where=str(dataset.root),
                hint=f"the first reason: {problems[0].reason}",
                code="data.nothing-left",
            )
        if kept:
            keys = config.keys
            sources[side] = RollSource(kept, names, keys.candidates, keys.crop, keys.warm)
    summary = {
        "split": describe_split(dataset.items, split),
        "frames": {side: sum(map(len, source.rolls)) for side, source in sources.items()},
        "pieces_that_stand_in_train_too": _repeated(sources),
    }
    return Prepared(sources, problems, digest.hexdigest(), summary)


def _repeated(sources: Mapping[str, RollSource]) -> dict[str, int]:
    """How many pieces of the other sides are the same as one of training; published splits aren't mended."""
    known = {roll.tobytes() for roll in sources["train"].rolls} if "train" in sources else set()
    return {
        side: sum(roll.tobytes() in known for roll in source.rolls)
        for side, source in sources.items()
        if side != "train"
    }
