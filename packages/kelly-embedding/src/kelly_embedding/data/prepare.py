"""From listed clips to windows: log-mels through the cache, one source per side of the split."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from kelly_core.data import Dataset
from kelly_core.errors import DataError
from kelly_core.sound.clips import Clips, SoundToMel, hear
from kelly_core.sound.store import MelStore
from kelly_core.task import Context, Prepared, Split
from kelly_embedding.config import EmbeddingConfig
from kelly_embedding.data.source import WindowSource

MOST_CLASSES, FEWEST_PER_CLASS = 50, 5
"""Labels beyond this are names rather than classes: nothing is probed."""


def prepare(config: EmbeddingConfig, dataset: Dataset, split: Split, context: Context) -> Prepared:
    """Windows of every side; the test side of a labelled set also knows the training side.

    Raises:
        DataError: A side of the split has no usable clip, there is a single window to learn from, or
            `strict_data` is on and a clip is unusable.
    """
    mel = config.features.front_end()
    heard = hear(dataset, split, SoundToMel(mel, config.duration), context, strict=config.strict_data)
    classes = _classes(heard.sides.get("train"))
    sources = {side: _source(config, clips, classes) for side, clips in heard.sides.items()}
    if "train" in sources:
        if len(sources["train"]) < 2:
            seconds = config.input_size / mel.frame_rate
            raise DataError(
                f"the training side is a single window of {seconds:.2g} s",
                where=str(dataset.root),
                hint="add recordings",
            )
        if classes and "test" in sources:
            sources["test"] = replace(sources["test"], known=sources["train"])
    return Prepared(sources, heard.problems, heard.content_hash, heard.summary)


def _classes(train: Clips | None) -> list[str]:
    """Names of the classes that the training side has enough clips of; empty where there are none to probe."""
    labels = [item.label for item in train.items] if train is not None else []
    found = sorted(set(labels))
    enough = 2 <= len(found) <= MOST_CLASSES and len(labels) >= FEWEST_PER_CLASS * len(found)
    return found if enough and all(found) else []


def _source(config: EmbeddingConfig, clips: Clips, classes: list[str]) -> WindowSource:
    number = {name: at for at, name in enumerate(classes)}
    return WindowSource(
        store=MelStore(clips.mels),
        window=config.input_size,
        targets=np.array([number.get(item.label, -1) for item in clips.items], dtype=np.int64),
        groups=np.array([item.group for item in clips.items]),
        paths=[item.path for item in clips.items],
        classes=classes,
    )
