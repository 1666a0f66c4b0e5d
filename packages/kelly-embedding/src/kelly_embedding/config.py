"""Every setting of the audio autoencoder: windows, network, augmentation."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from kelly_core.config import EarlyStoppingConfig, OptimizerConfig, ScheduleConfig, TrainConfig, setting
from kelly_core.sound.settings import FeatureConfig

Width = Annotated[int, Field(ge=1, le=1024)]


class EmbeddingConfig(TrainConfig):
    """Settings of `kelly train audio-autoencoder`."""

    model_id: Literal["audioautoencoder"] = setting(
        "audioautoencoder", "name of the model's files and registry entry"
    )
    task: Literal["audio_embedding"] = setting("audio_embedding", "task name in the registry")
    architecture_type: Literal["conv", "linear"] = setting(
        "conv",
        "conv: a projection that begins as principal components, corrected by 2-D convolutions; "
        "linear: the projection alone",
    )
    input_size: int = setting(16, "length of the window at the interface", unit="frames", ge=8, le=128)
    embedding_size: int = setting(32, "length of a window's embedding", unit="numbers", ge=2, le=256)
    channels: list[Width] = setting(
        lambda: [16, 32, 64],
        "conv: output channels of each convolution; each halves bands and frames",
        min_length=1,
        max_length=4,
    )
    decoder_width: int = setting(
        256, "width of the decoder's hidden layer; the decoder isn't exported", ge=1, le=4096
    )
    floor_db: float = setting(
        -80.0, "levels below count as this one, to the network and in its error", unit="dB", ge=-100.0, le=0.0
    )
    gain_db: float = setting(
        10.0, "largest change of level while training, up or down; 0: off", unit="dB", ge=0.0, le=40.0
    )
    duration: float = setting(30.0, "longest part of a file that is trained on", unit="s", ge=1.0, le=600.0)
    epochs: int = setting(20, "passes over the training data", unit="epochs", ge=1, le=100_000)
    batch_size: int | None = setting(
        64, "items per step over all processes; null: the device's recommendation", ge=1, le=65_536
    )
    learning_rate: float = setting(3e-3, "peak learning rate", gt=0.0, le=10.0)
    optimizer: OptimizerConfig = setting(
        lambda: OptimizerConfig(gradient_clip=20.0), "what turns gradients into steps"
    )
    schedule: ScheduleConfig = setting(lambda: ScheduleConfig(warmup=0.2), "how the learning rate moves")
    early_stopping: EarlyStoppingConfig = setting(
        lambda: EarlyStoppingConfig(patience=10), "when to stop early"
    )
    features: FeatureConfig = setting(FeatureConfig, "from sound to log-mel picture")

    @model_validator(mode="after")
    def _smaller_than_the_window(self) -> Self:
        numbers = self.features.n_mels * self.input_size
        if self.embedding_size > numbers // 2:
            raise ValueError(
                f"embedding_size ({self.embedding_size}) is more than half of what a window has "
                f"({self.features.n_mels} bands x {self.input_size} frames), so nothing would be learned"
            )
        return self
