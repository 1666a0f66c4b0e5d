"""Every setting of GroovePredictor: what it knows, network, data."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from kelly_core.config import OptimizerConfig, ScheduleConfig, StrictModel, TrainConfig, setting
from kelly_groove.grid import N_DRUMS

RECENT = 16
"""Past steps whose hits `live` is also shown one by one; its memory is never shorter."""


class NetworkConfig(StrictModel):
    """Sizes of the network."""

    width: int = setting(128, "width of the encoder of what is written", ge=4, le=1024)
    depth: int = setting(1, "further layers of the encoder", ge=0, le=8)
    embedding: int = setting(16, "numbers that stand for a style", ge=1, le=256)
    heads: int = setting(4, "live: ways of comparing two places of the part", ge=1, le=32)
    key_size: int = setting(16, "live: numbers by which places are compared", ge=1, le=128)
    span: int = setting(128, "live: steps that are remembered", unit="16ths", ge=RECENT, le=4096)
    hidden: int = setting(128, "live: width of the layers that correct the prediction", ge=4, le=1024)


class GrooveConfig(TrainConfig):
    """Settings of `kelly train groove`."""

    model_id: Literal["groovepredictor"] = setting(
        "groovepredictor", "name of the model's files and registry entry"
    )
    task: Literal["groove_prediction"] = setting("groove_prediction", "task name in the registry")
    architecture_type: Literal["conv"] = setting(
        "conv", "conv: a wide window of the part; with input live also attention over what was played"
    )
    input: Literal["score", "live"] = setting(
        "score", "score: what is written; live: also what this drummer played so far"
    )
    output_size: Annotated[int, Field(ge=N_DRUMS, le=N_DRUMS)] = setting(N_DRUMS, "drum classes")
    network: NetworkConfig = setting(NetworkConfig, "sizes of the network")
    epochs: int = setting(12, "passes over the training data", unit="epochs", ge=1, le=100_000)
    batch_size: int | None = setting(
        8, "examples per step over all processes; null: the device's recommendation", ge=1, le=65_536
    )
    crop: int = setting(512, "length of a training example", unit="16ths", ge=16, le=16_384)
    learning_rate: float = setting(3e-3, "peak learning rate", gt=0.0, le=10.0)
    optimizer: OptimizerConfig = setting(
        lambda: OptimizerConfig(weight_decay=0.02), "what turns gradients into steps"
    )
    schedule: ScheduleConfig = setting(lambda: ScheduleConfig(warmup=0.2), "how the learning rate moves")
    dropout: float = setting(0.1, "share of activations dropped after each layer", ge=0.0, lt=1.0)
    hide_style: float = setting(
        0.2, "how often a training example isn't told its style, or its family", ge=0.0, le=1.0
    )
    gain: float = setting(0.1, "largest change of a training example's velocities", ge=0.0, le=0.5)
    timing_unit: float = setting(20.0, "error of timing that weighs 1 in the loss", unit="ms", gt=0.0)
    velocity_unit: float = setting(20.0, "error of velocity that weighs 1 in the loss", gt=0.0)
    loss_bend: float = setting(
        0.3, "errors below this many units count squared, those above linearly", ge=0.01, le=10.0
    )
