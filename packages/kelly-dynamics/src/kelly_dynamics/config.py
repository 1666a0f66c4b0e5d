"""Every setting of DynamicsEngine."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from kelly_core.config import OptimizerConfig, ScheduleConfig, StrictModel, TrainConfig, setting

Width = Annotated[int, Field(ge=1, le=4096)]


class LossConfig(StrictModel):
    """How much each output counts; errors are in units of its spread over the training notes."""

    velocity: float = setting(1.0, "weight of velocity", ge=0.0, le=100.0)
    timing: float = setting(0.25, "weight of onset deviation", ge=0.0, le=100.0)
    articulation: float = setting(0.25, "weight of articulation", ge=0.0, le=100.0)
    expression: float = setting(0.25, "weight of expression", ge=0.0, le=100.0)
    shape: float = setting(
        0.0,
        "weight of velocity's error around the mean of each run of notes, however loud that is as a whole; "
        "nothing with `window: 1`",
        ge=0.0,
        le=100.0,
    )


class DynamicsConfig(TrainConfig):
    """Settings of `kelly train dynamics`."""

    model_id: Literal["dynamicsengine"] = setting(
        "dynamicsengine", "name of the model's files and registry entry"
    )
    task: Literal["dynamics_mapping"] = setting("dynamics_mapping", "task name in the registry")
    architecture_type: Literal["mlp", "tcn"] = setting(
        "mlp",
        "mlp: each note by its own context; tcn: dilated convolutions over the notes so far, and some ahead",
    )
    input: Literal["notes", "markings", "causal"] = setting(
        "notes",
        "notes: what a MIDI file says, 32 numbers; markings: also 24 of a MusicXML score and 21 of lines; "
        "causal: also 20 of the performance so far, for playing along",
    )
    epochs: int = setting(5, "passes over the training data", unit="epochs", ge=1, le=100_000)
    epoch_notes: int = setting(
        250_000,
        "notes that an epoch draws: a piece, a performance of it, a place in it; at most as many as there are; "
        "0: takes every note once",
        unit="notes",
        ge=0,
        le=1_000_000_000,
    )
    batch_size: int | None = setting(
        1024, "runs of notes per step over all processes; null: the device's recommendation", ge=1, le=65_536
    )
    learning_rate: float = setting(4e-3, "peak learning rate", gt=0.0, le=10.0)
    optimizer: OptimizerConfig = setting(
        lambda: OptimizerConfig(weight_decay=0.02), "what turns gradients into steps"
    )
    schedule: ScheduleConfig = setting(lambda: ScheduleConfig(warmup=0.2), "how the learning rate moves")
    weight_averaging: float = setting(
        0.999, "decay per step of the averaged weights that are evaluated and shipped; 0: off", ge=0.0, lt=1.0
    )
    window: int = setting(1, "neighbouring notes of one training example", unit="notes", ge=1, le=8192)
    hidden_layers: list[Width] = setting(lambda: [128, 64], "mlp: widths of the dense layers", max_length=8)
    channels: int = setting(64, "tcn: width of its layers", ge=4, le=512)
    layers: int = setting(7, "tcn: layers; each doubles what the last one saw", ge=1, le=12)
    look_ahead: int = setting(
        64,
        "tcn: notes it hears ahead; 0 with `input: causal`, where they aren't known",
        unit="notes",
        ge=0,
        le=512,
    )
    dropout: float = setting(0.1, "share of activations dropped while training", ge=0.0, lt=1.0)
    transpose: int = setting(
        3, "largest transposition while training, up or down", unit="semitones", ge=0, le=12
    )
    velocity_jitter: float = setting(
        0.1,
        "causal: how far the past is made louder or softer while training",
        unit="20 velocities",
        ge=0.0,
        le=2.0,
    )
    loss: LossConfig = setting(LossConfig, "how much each output counts")

    @classmethod
    def recipe(cls, architecture_type: str) -> dict[str, Any]:
        """What `tcn` needs beside the defaults, which are those of `mlp`."""
        if architecture_type == "tcn":
            return {
                "window": 256,
                "batch_size": 16,
                "epochs": 12,
                "learning_rate": 3e-3,
                "dropout": 0.2,
                "optimizer": {"weight_decay": 0.1},
                "weight_averaging": 0.99,
                "loss": {"shape": 1.0},
            }
        return {}
