"""From listed clips to training examples: log-mels through the cache, one source per side of the split."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kelly_core.data import Dataset, Item
from kelly_core.data.feature_set import FeatureSet, build_features
from kelly_core.data.splits import describe_split
from kelly_core.errors import DataError
from kelly_core.features.audio import FEATURE_VERSION, LogMel, MelConfig
from kelly_core.features.cache import FeatureCache
from kelly_core.task import Context, Prepared, Split
from kelly_emotion.config import EmotionConfig
from kelly_emotion.data.source import ClipSource, MelStore
from kelly_emotion.labels import EMOTIONS


@dataclass(frozen=True, slots=True)
class FrontEnd:
    """From decoded audio to what is cached; picklable, for several workers.

    Attributes:
        mel: Front end settings.
        duration: Longest part used, s.
        speed: Playback speed: 1.1 is shorter and higher.
    """

    mel: MelConfig
    duration: float
    speed: float = 1.0

    def __call__(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """(samples,) at the front end's rate -> (frames, n_mels), dB."""
        samples = samples[: int(self.duration * self.mel.sample_rate)]
        if self.speed != 1.0:
            import soxr

            samples = soxr.resample(samples, self.mel.sample_rate * self.speed, self.mel.sample_rate)
        return np.ascontiguousarray(LogMel(self.mel)(samples).T)

    def key(self) -> dict[str, Any]:
        """What the cache is keyed by."""
        return {**self.mel.as_dict(), "duration": self.duration, "speed": self.speed}


def prepare(config: EmotionConfig, dataset: Dataset, split: Split, context: Context) -> Prepared:
    """Log-mels through the cache; the training side also at the configured speeds.

    Raises:
        DataError: A side of the split has no usable clip, or `strict_data` is on and one is unusable.
    """
    used = np.sort(np.concatenate(list(split.values())))
    base = _features(config, [dataset.items[index] for index in used], 1.0, context)
    recorded = {int(index): array for index, array in zip(used, base.arrays, strict=True) if array is not None}
    sources = {}
    for side, indices in split.items():
        kept = [int(index) for index in indices if int(index) in recorded]
        if len(indices) and not kept:
            raise DataError(
                f"no usable clip is left for {side} ({len(base.problems)} of {len(used)} are unusable)",
                where=str(dataset.root),
                hint="look at the reasons with `kelly data validate`, or add recordings",
                code="data.nothing-left",
            )
        if kept:
            items = [dataset.items[index] for index in kept]
            stores = {1.0: MelStore([recorded[index] for index in kept])}
            if side == "train":
                stores |= _other_speeds(config, items, context)
            sources[side] = _source(config, items, stores)
    summary = _summary(config, dataset, split, sources)
    return Prepared(sources, base.problems, base.content_hash, summary)


def mel_config(config: EmotionConfig) -> MelConfig:
    """The front end's settings."""
    return MelConfig(**config.features.model_dump())


def _other_speeds(config: EmotionConfig, items: Sequence[Item], context: Context) -> dict[float, MelStore]:
    speeds = [speed for speed in config.augment.speeds if speed != 1.0]
    features = {speed: _features(config, items, speed, context) for speed in speeds}
    return {
        speed: MelStore([array for array in of_speed.arrays if array is not None])
        for speed, of_speed in features.items()
    }


def _features(config: EmotionConfig, items: Sequence[Item], speed: float, context: Context) -> FeatureSet:
    mel = mel_config(config)
    front_end = FrontEnd(mel, config.duration, speed)
    return build_features(
        items,
        front_end,
        FeatureCache(context.cache, front_end.key(), FEATURE_VERSION),
        context.progress,
        context.workers,
        sample_rate=mel.sample_rate,
        strict=config.strict_data,
        description="log-mels" if speed == 1.0 else f"log-mels at speed {speed:g}",
    )


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


def _summary(
    config: EmotionConfig, dataset: Dataset, split: Split, sources: Mapping[str, ClipSource]
) -> dict[str, Any]:
    seconds = config.features.hop_length / config.features.sample_rate
    hours = {
        side: round(float(source.store.lengths.sum()) * seconds / 3600, 4) for side, source in sources.items()
    }
    return {"split": describe_split(dataset.items, split), "hours": hours, "classes": list(EMOTIONS)}


def _inverse_frequency(targets: NDArray[np.int64]) -> NDArray[np.float32]:
    """Weight of each clip (clips,): the inverse of its class's count, scaled to mean 1."""
    counts = np.bincount(targets)
    present = int((counts > 0).sum())
    return (len(targets) / (present * counts[targets])).astype(np.float32)
