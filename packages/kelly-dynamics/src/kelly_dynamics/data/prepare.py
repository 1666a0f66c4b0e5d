"""From listed performances to training examples, through the cache."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kelly_core.data import Dataset, Item, Problem
from kelly_core.data.processes import each
from kelly_core.data.splits import describe_split
from kelly_core.errors import DataError
from kelly_core.features.cache import FeatureCache, file_state
from kelly_core.task import Context, Prepared, Split
from kelly_dynamics.config import DynamicsConfig
from kelly_dynamics.data.read import table_or_reason
from kelly_dynamics.data.source import NoteSource
from kelly_dynamics.features.table import FEATURE_VERSION, INPUTS

_NO_RATE = 0
"""Stands where the cache keeps a sample rate for sounds."""
_SHARD = 64


def prepare(config: DynamicsConfig, dataset: Dataset, split: Split, context: Context) -> Prepared:
    """Tables of every performance, one source per side.

    Raises:
        DataError: A side has no usable performance, or `strict_data` is on and one is unusable.
    """
    used = np.sort(np.concatenate(list(split.values())))
    items = [dataset.items[int(index)] for index in used]
    keys, tables, problems = _tables(items, context, strict=config.strict_data)
    sources = {}
    for side, indices in split.items():
        kept = [dataset.items[int(index)] for index in indices if dataset.items[int(index)].path in tables]
        if len(indices) and not kept:
            raise DataError(
                f"no usable performance is left for {side}",
                where=str(dataset.root),
                hint="look at the reasons with `kelly data validate`",
                code="data.nothing-left",
            )
        if kept:
            kept_tables = [tables[item.path] for item in kept]
            notes_of_epoch = min(config.epoch_notes, sum(map(len, kept_tables))) if side == "train" else 0
            sources[side] = NoteSource(
                tables=kept_tables,
                n_inputs=len(INPUTS[config.input]),
                window=config.window,
                drawn=notes_of_epoch // config.window,
                groups=np.array([item.group for item in kept]),
                paths=[item.path for item in kept],
                extra={"composer": np.array([item.extra.get("composer", "") for item in kept])},
            )
    total = hashlib.sha256("\n".join(sorted(keys.values())).encode()).hexdigest()
    notes = {side: int(source.lengths.sum()) for side, source in sources.items()}
    summary = {"split": describe_split(dataset.items, split), "notes": notes, "input": config.input}
    return Prepared(sources, problems, total, summary)


def _tables(
    items: Sequence[Item], context: Context, *, strict: bool
) -> tuple[dict[str, str], dict[str, NDArray[np.float32]], list[Problem]]:
    """Content key and table by path, and what can't be used."""
    cache = FeatureCache(context.cache, {"kind": "dynamics notes"}, FEATURE_VERSION)
    files = list(
        dict.fromkeys(name for item in items for name in (item.path, item.extra.get("score", "")) if name)
    )
    hashes = cache.known_contents(files, _NO_RATE)
    fresh = {name: (file_state(name), _sha256(name)) for name in files if name not in hashes}
    cache.remember_contents({name: (state, sha) for name, (state, sha) in fresh.items() if state}, _NO_RATE)
    hashes |= {name: sha for name, (_, sha) in fresh.items()}
    keys = {item.path: f"{hashes[item.path]} {hashes.get(item.extra.get('score', ''), '')}" for item in items}
    found = cache.get_many(list(dict.fromkeys(keys.values())))
    missing = [item for item in items if keys[item.path] not in found]
    problems: list[Problem] = []
    waiting: dict[str, NDArray[np.float32]] = {}
    if missing:
        pairs = [(item.path, item.extra.get("score") or None) for item in missing]
        done = context.progress.track(
            each(table_or_reason, pairs, context.workers), "reading performances", total=len(missing)
        )
        for item, result in zip(missing, done, strict=True):
            if isinstance(result, str):
                if strict:
                    raise DataError(
                        result,
                        where=item.path,
                        hint="mend it, or leave strict_data off",
                        code="data.dataset-file",
                    )
                problems.append(Problem(item.path, result))
                continue
            waiting[keys[item.path]] = result
            if len(waiting) >= _SHARD:
                cache.put_many(waiting)
                waiting = {}
        cache.put_many(waiting)
        found = cache.get_many(list(dict.fromkeys(keys.values())))
    tables = {path: found[key] for path, key in keys.items() if key in found}
    return {path: keys[path] for path in tables}, tables, problems


def _sha256(name: str) -> str:
    try:
        with Path(name).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DataError(
            f"can't be read: {error.strerror or error}", where=name, code="data.dataset-file"
        ) from error
