"""From listed performances to training examples, one source per side of the split."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from kelly_core.data import Dataset, Item, Problem
from kelly_core.data.splits import describe_split
from kelly_core.errors import DataError
from kelly_core.task import Context, Prepared, Split
from kelly_groove.config import GrooveConfig
from kelly_groove.data.read import read_performance
from kelly_groove.data.source import GrooveSource
from kelly_groove.grid import Performance


def prepare(config: GrooveConfig, dataset: Dataset, split: Split, context: Context) -> Prepared:
    """Read every performance of the split; a thousand files take about two seconds, so nothing is cached.

    Raises:
        DataError: A side of the split has no usable file, or `strict_data` is on and one is unusable.
    """
    used = np.sort(np.concatenate(list(split.values())))
    read: dict[int, Performance] = {}
    problems: list[Problem] = []
    digest = hashlib.sha256()
    for index in context.progress.track(used.tolist(), "reading MIDI", len(used)):
        item = dataset.items[index]
        try:
            read[index] = read_performance(Path(item.path), _style(item))
        except DataError as error:
            if config.strict_data:
                raise
            problems.append(Problem(item.path, error.message))
        else:
            digest.update(read[index].hits.tobytes() + read[index].steps.tobytes())
    sources = {}
    for side, indices in split.items():
        kept = [int(index) for index in indices if int(index) in read]
        if len(indices) and not kept:
            raise DataError(
                f"no usable file is left for {side} ({len(problems)} of {len(used)} are unusable)",
                where=str(dataset.root),
                hint=f"the first: {problems[0].path}: {problems[0].reason}",
                code="data.nothing-left",
            )
        if kept:
            sources[side] = _source(config, dataset, kept, [read[index] for index in kept], side)
    return Prepared(sources, problems, digest.hexdigest(), _summary(dataset, split, sources))


def _style(item: Item) -> str:
    return item.extra.get("style") or item.label


def _source(
    config: GrooveConfig, dataset: Dataset, kept: list[int], performances: list[Performance], side: str
) -> GrooveSource:
    items = [dataset.items[index] for index in kept]
    columns = sorted({name for item in items for name in item.extra})
    return GrooveSource(
        performances,
        [item.path for item in items],
        np.array([item.group for item in items]),
        config.network.span if config.input == "live" else 0,
        config.hide_style if side == "train" else 0.0,
        {name: np.array([item.extra.get(name, "") for item in items]) for name in columns},
    )


def _summary(dataset: Dataset, split: Split, sources: dict[str, GrooveSource]) -> dict[str, Any]:
    def minutes(source: GrooveSource) -> float:
        return sum(float((15.0 / p.steps["bpm"]).sum()) for p in source.performances) / 60

    return {
        "split": describe_split(dataset.items, split),
        "hours": {side: round(minutes(source) / 60, 4) for side, source in sources.items()},
        "hits": {side: sum(len(p.hits) for p in source.performances) for side, source in sources.items()},
    }
