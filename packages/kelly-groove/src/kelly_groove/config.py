"""Every setting of GroovePredictor: what it knows, network, data."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from kelly_core.config import OptimizerConfig, ScheduleConfig, StrictModel, TrainConfig, setting
from kelly_groove.grid import N_DRUMS

RECENT = 8
"""Past steps whose hits `live` is also shown one by one; its memory is never shorter."""
LONGEST_GAP = 64
"""`live` is told how many steps ago a drum was last hit, up to this."""


class NetworkConfig(StrictModel):
    """Sizes of the network."""

    width: int = setting(384, "width of the layers", ge=4, le=1024)
    depth: int = setting(1, "layers after the first", ge=0, le=8)
    embedding: int = setting(16, "numbers that stand for a style", ge=1, le=256)
    span: int = setting(
        256, "live: steps among which like places are looked for", unit="16ths", ge=LONGEST_GAP, le=4096
    )


class GrooveConfig(TrainConfig):
    """Settings of `kelly train groove`."""

    model_id: Literal["groovepredictor"] = setting(
        "groovepredictor", "name of the model's files and registry entry"
    )
    task: Literal["groove_prediction"] = setting("groove_prediction", "task name in the registry")
    architecture_type: Literal["conv", "mlp"] = setting(
        "conv",
        "conv: dense layers on a wide window of the part, drum by drum, with input live also on what was "
        "played so far; mlp: all drums at once, for RTNeural and C++, with input score only",
    )
    input: Literal["score", "live"] = setting(
        "score", "score: what is written; live: also what this drummer played so far"
    )
    output_size: Annotated[int, Field(ge=N_DRUMS, le=N_DRUMS)] = setting(N_DRUMS, "drum classes")
    network: NetworkConfig = setting(NetworkConfig, "sizes of the network")
    epochs: int = setting(8, "passes over the training data", unit="epochs", ge=1, le=100_000)
    batch_size: int | None = setting(
        1024, "examples per step over all processes; null: the device's recommendation", ge=1, le=65_536
    )
    learning_rate: float = setting(2e-3, "peak learning rate", gt=0.0, le=10.0)
    optimizer: OptimizerConfig = setting(
        lambda: OptimizerConfig(weight_decay=0.02), "what turns gradients into steps"
    )
    schedule: ScheduleConfig = setting(lambda: ScheduleConfig(warmup=0.2), "how the learning rate moves")
    weight_averaging: float = setting(
        0.995, "decay per step of the averaged weights that are evaluated and shipped; 0: off", ge=0.0, lt=1.0
    )
    dropout: float = setting(0.4, "share of activations dropped after each layer", ge=0.0, lt=1.0)
    hide_style: float = setting(
        0.2, "how often a training example isn't told its style, or its family", ge=0.0, le=1.0
    )
    timing_unit: float = setting(20.0, "error of timing that weighs 1 in the loss", unit="ms", gt=0.0)
    velocity_unit: float = setting(20.0, "error of velocity that weighs 1 in the loss", gt=0.0)
    loss_bend: float = setting(
        0.3, "errors below this many units count squared, those above linearly", ge=0.01, le=10.0
    )

    @model_validator(mode="after")
    def _mlp_hears_nobody(self) -> GrooveConfig:
        if self.architecture_type == "mlp" and self.input != "score":
            raise ValueError("architecture_type mlp has no memory of a drummer; choose conv, or input score")
        return self
