"""From listed clips to training examples: log-mels through the cache, one source per side of the split."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from kelly_core.data import Dataset, Item
from kelly_core.sound.clips import SoundToMel, hear
from kelly_core.sound.store import MelStore
from kelly_core.task import Context, Prepared, Split
from kelly_emotion.config import EmotionConfig
from kelly_emotion.data.source import ClipSource
from kelly_emotion.labels import EMOTIONS


def prepare(config: EmotionConfig, dataset: Dataset, split: Split, context: Context) -> Prepared:
    """Log-mels through the cache; the training side also at the configured speeds.

    Raises:
        DataError: A side of the split has no usable clip, or `strict_data` is on and one is unusable.
    """
    heard = hear(dataset, split, _to_mel(config, 1.0), context, strict=config.strict_data)
    sources = {}
    for side, clips in heard.sides.items():
        stores = {1.0: MelStore(clips.mels)}
        if side == "train":
            stores |= _other_speeds(config, clips.items, context)
        sources[side] = _source(config, clips.items, stores)
    summary = {**heard.summary, "classes": list(EMOTIONS)}
    return Prepared(sources, heard.problems, heard.content_hash, summary)


def _to_mel(config: EmotionConfig, speed: float) -> SoundToMel:
    return SoundToMel(config.features.front_end(), config.duration, speed)


def _other_speeds(config: EmotionConfig, items: Sequence[Item], context: Context) -> dict[float, MelStore]:
    stores = {}
    for speed in config.augment.speeds:
        if speed != 1.0:
            found = _to_mel(config, speed).of_items(items, context, strict=config.strict_data)
            stores[speed] = MelStore([array for array in found.arrays if array is not None])
    return stores


def _source(config: EmotionConfig, items: Sequence[Item], stores: Mapping[float, MelStore]) -> ClipSource:
    columns = {name for item in items for name in item.extra}
    targets = np.array([EMOTIONS.index(item.label) for item in items], dtype=np.int64)
    weighted = config.class_weights
    return ClipSource(
        stores=stores,
        targets=targets,
        weights=_inverse_frequency(targets) if weighted else np.ones(len(targets), dtype=np.float32),
        groups=np.array([item.group for item in items]),
        paths=[item.path for item in items],
        window=config.input_size,
        reach=2 * math.ceil(config.input_size * (1 + config.augment.time_stretch) / 2),
        extra={name: np.array([item.extra.get(name, "") for item in items]) for name in sorted(columns)},
    )


def _inverse_frequency(targets: NDArray[np.int64]) -> NDArray[np.float32]:
    """Weight of each clip (clips,): the inverse of its class's count, scaled to mean 1."""
    counts = np.bincount(targets)
    present = int((counts > 0).sum())
    return (len(targets) / (present * counts[targets])).astype(np.float32)
