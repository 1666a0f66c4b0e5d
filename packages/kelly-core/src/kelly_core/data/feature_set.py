"""Features of a whole dataset: through the cache where they are known, computed in parallel where not."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kelly_core.data.audio_files import content_hash, read_audio
from kelly_core.data.dataset import Item, Problem
from kelly_core.data.processes import each
from kelly_core.errors import DataError
from kelly_core.features.cache import FeatureCache, file_state
from kelly_core.progress import Progress, Silent

Compute = Callable[[NDArray[np.float32]], NDArray[Any]]
"""Features of one clip: (samples,) mono -> array of any shape. Must be picklable for several workers."""
_SHARD_BYTES = 64 << 20
_SHARD_ITEMS = 4096


@dataclass(frozen=True, slots=True)
class FeatureSet:
    """Features in the order of the items.

    Attributes:
        arrays: One per item, read-only and memory-mapped; None where the file can't be used.
        content_hashes: Decoded-content hash per item; None where the file can't be used.
        problems: The files that can't be used, with reasons.
        content_hash: SHA-256 over content and label of every usable item, whatever its place or name.
    """

    arrays: list[NDArray[Any] | None]
    content_hashes: list[str | None]
    problems: list[Problem]
    content_hash: str


def build_features(
    items: Sequence[Item],
    compute: Compute,
    cache: FeatureCache,
    progress: Progress | None = None,
    workers: int = 1,
    *,
    sample_rate: int = 16_000,
    strict: bool = False,
    description: str = "features",
) -> FeatureSet:
    """Features of every item, from the cache or computed now; work done is kept if it is interrupted.

    Args:
        items: What to read.
        compute: Features of one decoded clip. Its settings belong into the cache's `key_config`, and so
            does `sample_rate`.
        cache: Where features are kept.
        progress: Where the work reports.
        workers: Processes that may share the work where it is long; more than one needs joblib.
        sample_rate: Rate that clips are read at, in Hz.
        strict: Whether an unusable file is an error.
        description: What the progress shows.

    Raises:
        DataError: `strict` and a file can't be used.
    """
    paths = [item.path for item in items]
    contents = cache.known_contents(paths, sample_rate)
    arrays = cache.get_many(list(contents.values()))
    missing = [path for path in dict.fromkeys(paths) if contents.get(path) not in arrays]
    reasons: dict[str, str] = {}
    waiting = _Waiting(cache, sample_rate)
    try:
        done = each(_one, [(path, compute, sample_rate) for path in missing], workers)
        follow = (progress or Silent()).track(done, description, total=len(missing)) if missing else done
        for result in follow:
            if result.array is None:
                if strict:
                    raise DataError(
                        result.reason,
                        where=result.path,
                        hint="mend it, or leave strict_data off",
                        code="data.sound",
                    )
                reasons[result.path] = result.reason
                contents.pop(result.path, None)
            else:
                contents[result.path] = result.content
                waiting.add(result)
    finally:
        waiting.flush()
    arrays |= cache.get_many([key for key in set(contents.values()) if key not in arrays]) if missing else {}
    arrays = waiting.unsaved | arrays
    return FeatureSet(
        [arrays.get(contents[path]) if path in contents else None for path in paths],
        [contents.get(path) for path in paths],
        [Problem(path, reason) for path, reason in reasons.items()],
        _content_hash_of_all(items, contents),
    )


@dataclass(frozen=True, slots=True)
class _Result:
    path: str
    state: tuple[int, int] | None
    content: str = ""
    array: NDArray[Any] | None = None
    reason: str = ""


class _Waiting:
    """Results on their way into the cache, written in shards of a good size."""

    def __init__(self, cache: FeatureCache, sample_rate: int) -> None:
        self._cache = cache
        self._sample_rate = sample_rate
        self._results: list[_Result] = []
        self._bytes = 0
        self.unsaved: dict[str, NDArray[Any]] = {}

    def add(self, result: _Result) -> None:
        self._results.append(result)
        self._bytes += 0 if result.array is None else result.array.nbytes
        if self._bytes >= _SHARD_BYTES or len(self._results) >= _SHARD_ITEMS:
            self.flush()

    def flush(self) -> None:
        arrays = {r.content: r.array for r in self._results if r.array is not None}
        self._cache.put_many({key: array for key, array in arrays.items() if array.size})
        self.unsaved.update({key: array for key, array in arrays.items() if not array.size})
        self._cache.remember_contents(
            {r.path: (r.state, r.content) for r in self._results if r.state is not None}, self._sample_rate
        )
        self._results, self._bytes = [], 0


def _one(path: str, compute: Compute, sample_rate: int) -> _Result:
    state = file_state(path)
    try:
        samples = read_audio(path, sample_rate)
        return _Result(path, state, content_hash(samples), np.asarray(compute(samples)))
    except DataError as error:
        return _Result(path, state, reason=error.message)


def _content_hash_of_all(items: Sequence[Item], contents: dict[str, str]) -> str:
    lines = sorted(f"{contents[item.path]} {item.label}" for item in items if item.path in contents)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
