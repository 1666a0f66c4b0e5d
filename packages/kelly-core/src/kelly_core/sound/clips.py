"""From listed sound files to log-mels, through the feature cache, side by side of a split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kelly_core.data import Dataset, Item, Problem
from kelly_core.data.feature_set import FeatureSet, build_features
from kelly_core.data.splits import describe_split
from kelly_core.errors import DataError
from kelly_core.features.audio import FEATURE_VERSION, LogMel, MelConfig
from kelly_core.features.cache import FeatureCache

if TYPE_CHECKING:  # torch stays out of the processes that compute features
    from kelly_core.task import Context, Split


@dataclass(frozen=True, slots=True)
class SoundToMel:
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

    def of_items(self, items: Sequence[Item], context: Context, *, strict: bool) -> FeatureSet:
        """Log-mels of items, from the cache or computed now.

        Raises:
            DataError: `strict` and a file can't be used.
        """
        return build_features(
            items,
            self,
            FeatureCache(context.cache, self.key(), FEATURE_VERSION),
            context.progress,
            context.workers,
            sample_rate=self.mel.sample_rate,
            strict=strict,
            description="log-mels" if self.speed == 1.0 else f"log-mels at speed {self.speed:g}",
        )


@dataclass(frozen=True, slots=True)
class Clips:
    """The usable clips of one side of a split.

    Attributes:
        items: What is known of each.
        mels: (frames, n_mels) of each, dB, memory-mapped.
    """

    items: Sequence[Item]
    mels: Sequence[NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class Heard:
    """A split dataset as log-mels.

    Attributes:
        sides: Clips by side; a side without items is left out.
        problems: The files that can't be used, with reasons.
        content_hash: SHA-256 over what was decoded.
        summary: For run, registry and card: counts per side, and hours of sound.
    """

    sides: Mapping[str, Clips]
    problems: Sequence[Problem]
    content_hash: str
    summary: Mapping[str, Any]


def hear(dataset: Dataset, split: Split, to_mel: SoundToMel, context: Context, *, strict: bool) -> Heard:
    """Log-mels of every item that the split uses.

    Args:
        dataset: Whose items.
        split: Which of them on which side.
        to_mel: What is computed of each.
        context: Cache, progress and workers.
        strict: Whether an unusable file is an error.

    Raises:
        DataError: A side of the split has no usable clip, or `strict` and one is unusable.
    """
    used = np.sort(np.concatenate(list(split.values())))
    base = to_mel.of_items([dataset.items[index] for index in used], context, strict=strict)
    mels = {int(index): array for index, array in zip(used, base.arrays, strict=True) if array is not None}
    sides = {}
    for side, indices in split.items():
        kept = [int(index) for index in indices if int(index) in mels]
        if len(indices) and not kept:
            raise DataError(
                f"no usable clip is left for {side} ({len(base.problems)} of {len(used)} are unusable)",
                where=str(dataset.root),
                hint="look at the reasons with `kelly data validate`, or add recordings",
                code="data.nothing-left",
            )
        if kept:
            sides[side] = Clips([dataset.items[index] for index in kept], [mels[index] for index in kept])
    frames = {side: sum(len(mel) for mel in clips.mels) for side, clips in sides.items()}
    summary = {
        "split": describe_split(dataset.items, split),
        "hours": {side: round(count / to_mel.mel.frame_rate / 3600, 4) for side, count in frames.items()},
    }
    return Heard(sides, base.problems, base.content_hash, summary)
