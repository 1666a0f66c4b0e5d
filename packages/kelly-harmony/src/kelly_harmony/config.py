"""Every setting of HarmonyPredictor: networks, loss, data."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from kelly_core.config import OptimizerConfig, ScheduleConfig, StrictModel, TrainConfig, setting
from kelly_harmony.chords import N_CHORDS


class MlpConfig(StrictModel):
    """Sizes of `mlp`."""

    width: int = setting(160, "width of the dense layers", ge=4, le=2048)
    entry: int = setting(48, "numbers that stand for a beat", ge=2, le=512)
    window: int = setting(32, "past beats that are seen, the newest included", unit="beats", ge=1, le=512)
    span: int = setting(256, "beats whose passages are remembered; 0: none", unit="beats", ge=0, le=4096)
    heads: int = setting(4, "ways of comparing passages", ge=1, le=16)


class GruConfig(StrictModel):
    """Sizes of `gru`."""

    width: int = setting(128, "width of the dense and the recurrent layer", ge=4, le=2048)


class FramesConfig(StrictModel):
    """Sizes of `frames`."""

    width: int = setting(192, "width of the convolution and of the layer behind it", ge=4, le=2048)
    entry: int = setting(48, "numbers that stand for a beat", ge=2, le=512)
    window: int = setting(32, "past beats that are seen, the newest included", unit="beats", ge=2, le=512)


class TcnConfig(StrictModel):
    """Sizes of `tcn`."""

    width: int = setting(128, "channels", ge=4, le=2048)
    layers: int = setting(7, "layers of three taps, of dilation 1, 2, 4, ...", ge=1, le=10)
    look_ahead: int = setting(
        63,
        "beats heard ahead at most; 0 for none, 63 lets the first six layers hear both sides alike",
        unit="beats",
        ge=0,
    )


class HarmonyConfig(TrainConfig):
    """Settings of `kelly train harmony`."""

    model_id: Literal["harmonypredictor"] = setting(
        "harmonypredictor", "name of the model's files and registry entry"
    )
    task: Literal["harmony_prediction"] = setting("harmony_prediction", "task name in the registry")
    architecture_type: Literal["mlp", "gru", "frames", "tcn"] = setting(
        "mlp",
        "mlp: a wide window of the past and attention over like passages; gru: recurrent; "
        "frames: one chain of layers on a window of the past, for RTNeural and C++; "
        "tcn: dilated convolutions that also hear ahead, for files",
    )
    output_size: Annotated[int, Field(ge=N_CHORDS, le=N_CHORDS)] = setting(N_CHORDS, "chords")
    mlp: MlpConfig = setting(MlpConfig, "sizes of mlp")
    gru: GruConfig = setting(GruConfig, "sizes of gru")
    frames: FramesConfig = setting(FramesConfig, "sizes of frames")
    tcn: TcnConfig = setting(TcnConfig, "sizes of tcn")
    epochs: int = setting(12, "passes over the training data", unit="epochs", ge=1, le=100_000)
    batch_size: int | None = setting(
        8, "examples per step over all processes; null: the device's recommendation", ge=1, le=65_536
    )
    crop: int = setting(256, "longest training example", unit="beats", ge=16, le=16_384)
    learning_rate: float = setting(3e-3, "peak learning rate", gt=0.0, le=10.0)
    optimizer: OptimizerConfig = setting(
        lambda: OptimizerConfig(weight_decay=0.05), "what turns gradients into steps"
    )
    schedule: ScheduleConfig = setting(lambda: ScheduleConfig(warmup=0.2), "how the learning rate moves")
    weight_averaging: float = setting(
        0.98, "decay per step of the averaged weights that are evaluated and shipped; 0: off", ge=0.0, lt=1.0
    )
    dropout: float = setting(0.3, "share of channels dropped after each layer", ge=0.0, lt=1.0)
    label_smoothing: float = setting(
        0.05, "share of certainty that is taken from the right class", ge=0.0, lt=1.0
    )
    quality_weight: float = setting(
        0.3, "weight of the whole vocabulary in the loss, beside 1 for the 25 classes", ge=0.0, le=10.0
    )

    @classmethod
    def recipe(cls, architecture_type: str) -> dict[str, Any]:
        """Settings that suit one architecture: a recurrent layer is quicker on many tunes at once."""
        return {"batch_size": 32, "learning_rate": 6e-3} if architecture_type == "gru" else {}
