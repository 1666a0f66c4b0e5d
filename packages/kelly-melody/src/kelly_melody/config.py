"""Every setting of MelodyTransformer: network, data, augmentation."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import model_validator

from kelly_core.config import OptimizerConfig, ScheduleConfig, StrictModel, TrainConfig, setting
from kelly_melody.polymusic.config import KeysConfig


class NetworkConfig(StrictModel):
    """Sizes of the network."""

    width: int = setting(128, "width of what goes into the backbone and comes out of it", ge=4, le=2048)
    layers: int = setting(2, "layers of the backbone", ge=1, le=16)
    heads: int = setting(4, "transformer: heads of a layer; must divide the width", ge=1, le=64)
    span: int = setting(96, "transformer: tokens that are seen", unit="tokens", ge=2, le=4096)
    kernel: int = setting(3, "tcn: steps that a layer joins", unit="steps", ge=2, le=16)
    hidden: int = setting(128, "width of the dense layers behind the backbone", ge=4, le=2048)

    @model_validator(mode="after")
    def _heads_fit(self) -> NetworkConfig:
        if self.width % self.heads:
            raise ValueError(f"width {self.width} isn't a multiple of {self.heads} heads")
        return self


class MelodyConfig(TrainConfig):
    """Settings of `kelly train melody`."""

    model_id: Literal["melodytransformer"] = setting(
        "melodytransformer", "name of the model's files and registry entry"
    )
    task: Literal["melody_generation"] = setting("melody_generation", "task name in the registry")
    architecture_type: Literal["transformer", "lstm", "frames", "tcn"] = setting(
        "transformer",
        "transformer: causal attention; lstm: recurrent layers; frames: one chain of dense and recurrent "
        "layers, for RTNeural and C++; tcn: dilated convolutions",
    )
    head: Literal["notes", "keys"] = setting(
        "notes",
        "notes: the next note of a melody; keys: which of 88 keys sound in the next frame of a piano roll",
    )
    keys: KeysConfig = setting(
        KeysConfig, "head `keys`: which piano rolls, and what stands around the backbone"
    )
    network: NetworkConfig = setting(NetworkConfig, "sizes of the network")
    epochs: int = setting(8, "passes over the training data", unit="epochs", ge=1, le=100_000)
    batch_size: int | None = setting(
        16, "examples per step over all processes; null: the device's recommendation", ge=1, le=65_536
    )
    crop: int = setting(96, "longest training example", unit="tokens", ge=8, le=16_384)
    learning_rate: float = setting(3e-3, "peak learning rate", gt=0.0, le=10.0)
    optimizer: OptimizerConfig = setting(
        lambda: OptimizerConfig(weight_decay=0.02), "what turns gradients into steps"
    )
    schedule: ScheduleConfig = setting(lambda: ScheduleConfig(warmup=0.2), "how the learning rate moves")
    dropout: float = setting(0.2, "share of activations dropped after each layer", ge=0.0, lt=1.0)
    transpose: float = setting(
        0.25, "how often a training example is moved to another key, up to six semitones", ge=0.0, le=1.0
    )

    @model_validator(mode="after")
    def _frames_are_for_notes(self) -> MelodyConfig:
        if self.architecture_type == "frames" and self.head != "notes":
            raise ValueError("architecture_type frames has no head keys; choose lstm, tcn or transformer")
        return self

    @classmethod
    def recipe(cls, architecture_type: str) -> dict[str, Any]:
        """Defaults that differ for one architecture, chosen on validation tunes."""
        if architecture_type in {"lstm", "frames"}:
            return {"learning_rate": 4e-3, "crop": 192, "network": {"layers": 1}}
        return {}
