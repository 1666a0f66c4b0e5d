"""Every setting of the model; `kelly config chroma-key` prints them with these meanings."""

from __future__ import annotations

from typing import Literal

from kelly_core.config import TrainConfig, setting


class ChromaKeyConfig(TrainConfig):
    """Settings of `kelly train chroma-key`."""

    model_id: Literal["chromakey"] = setting("chromakey", "name of the model's files and registry entry")
    task: Literal["key_detection"] = setting("key_detection", "task name in the registry")
    architecture_type: Literal["gru"] = setting("gru", "gru: a dense and a recurrent layer, beat by beat")
    width: int = setting(48, "numbers that the network remembers", ge=2, le=512)
    crop: int = setting(96, "longest training example", unit="beats", ge=4, le=4096)
    transpose: bool = setting(True, "whether training examples are moved to a random key")
    epochs: int = setting(40, "passes over the training data", unit="epochs", ge=1, le=100_000)
    batch_size: int | None = setting(
        16, "tunes per step over all processes; null: the device's recommendation", ge=1, le=65_536
    )
    learning_rate: float = setting(5e-3, "peak learning rate", gt=0.0, le=10.0)
