"""From listed files to training examples, one source per side of the split."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from kelly_core.data import Dataset, Problem
from kelly_core.data.splits import describe_split
from kelly_core.errors import DataError
from kelly_core.task import Context, Prepared, Split
from kelly_harmony.chords import N_QUALITIES, NAMES, NONE
from kelly_harmony.config import HarmonyConfig
from kelly_harmony.data.cached import read_items
from kelly_harmony.data.source import HarmonySource
from kelly_harmony.lead import Lead


def prepare(config: HarmonyConfig, dataset: Dataset, split: Split, context: Context) -> Prepared:
    """Read every tune of the split, through the cache.

    Raises:
        DataError: A side of the split has no usable file, or `strict_data` is on and one is unusable.
    """
    used = np.sort(np.concatenate(list(split.values())))
    read: dict[int, Lead] = {}
    problems: list[Problem] = []
    digest = hashlib.sha256()
    items = {int(index): dataset.items[index] for index in used.tolist()}
    found = read_items(items, context.cache)
    for index, lead in context.progress.track(found, "reading tunes", len(items)):
        if isinstance(lead, DataError):
            if config.strict_data:
                raise lead
            problems.append(Problem(items[index].path, lead.message))
            continue
        read[index] = lead
        for array in (lead.melody, lead.metre, lead.key, lead.chords):
            digest.update(array.tobytes())
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
            items = [dataset.items[index] for index in kept]
            groups = np.array([item.group for item in items])
            sources[side] = HarmonySource(
                [read[index] for index in kept], [item.path for item in items], groups, config.crop
            )
    return Prepared(sources, problems, digest.hexdigest(), _summary(dataset, split, sources))


def _summary(dataset: Dataset, split: Split, sources: dict[str, HarmonySource]) -> dict[str, Any]:
    # Where a trained model is measured there may be no training side.
    counted = sources.get("train") or next(iter(sources.values()))
    chords = np.concatenate([lead.chords for lead in counted.leads])
    known = chords[chords >= 0]
    shares = {
        name: round(float(((known < NONE) & (known % N_QUALITIES == at)).mean()), 4)
        for at, name in enumerate(NAMES)
    }
    return {
        "split": describe_split(dataset.items, split),
        "hours": {
            side: round(sum(float(lead.edges[-1] - lead.edges[0]) for lead in source.leads) / 3600, 4)
            for side, source in sources.items()
        },
        "beats": {side: sum(len(lead) for lead in source.leads) for side, source in sources.items()},
        "chord qualities": {**shares, "none": round(float((known == NONE).mean()), 4)},
    }
