"""Every setting of EmotionRecognizer: network, features, labels, augmentation."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from kelly_core.config import OptimizerConfig, ScheduleConfig, StrictModel, TrainConfig, setting
from kelly_core.sound.settings import FeatureConfig
from kelly_emotion.labels import EMOTIONS

Width = Annotated[int, Field(ge=1, le=4096)]
Speed = Annotated[float, Field(ge=0.5, le=2.0)]


class AugmentConfig(StrictModel):
    """What varies from epoch to epoch, on the training side only; each is off at 0 (speeds: at [1.0])."""

    speeds: list[Speed] = setting(
        lambda: [0.9, 1.0, 1.1],
        "playback speeds of the sound itself, cached; higher is faster and higher in pitch",
        min_length=1,
        max_length=7,
    )
    time_stretch: float = setting(0.2, "tempo changes by up to this share; 0: off", ge=0.0, le=0.5)
    pitch_shift: float = setting(2.0, "largest shift up or down; 0: off", unit="mel bands", ge=0.0, le=8.0)
    formant_shift: float = setting(0.1, "the mel axis is scaled by up to this share; 0: off", ge=0.0, le=0.3)
    noise: float = setting(0.0, "share of the windows that get noise; 0: off", ge=0.0, le=1.0)
    gain_db: float = setting(10.0, "largest change of level up or down; 0: off", unit="dB", ge=0.0, le=40.0)
    spec_augment: int = setting(2, "masks along each of frequency and time; 0: off", unit="masks", ge=0, le=8)
    mixup: float = setting(0.0, "parameter of the Beta distribution of the blend; 0: off", ge=0.0, le=4.0)

    @field_validator("speeds")
    @classmethod
    def _own_speed_included(cls, speeds: list[float]) -> list[float]:
        if 1.0 not in speeds:
            raise ValueError("must include 1.0, the recording's own speed")
        return speeds


class LabelConfig(StrictModel):
    """How a dataset's labels become the seven classes."""

    synonyms: dict[str, str] = setting(
        dict, "further labels of your data and the class each stands for, e.g. {joyous: happy}"
    )
    calm: Literal["drop", "neutral"] = setting("drop", "clips labelled calm: leave out, or count as neutral")

    @field_validator("synonyms")
    @classmethod
    def _known_classes(cls, synonyms: dict[str, str]) -> dict[str, str]:
        for label, emotion in synonyms.items():
            if emotion not in EMOTIONS:
                raise ValueError(f"{label!r} is mapped to {emotion!r}, which is none of {', '.join(EMOTIONS)}")
        return synonyms


class EmotionConfig(TrainConfig):
    """Settings of `kelly train emotion`."""

    model_id: Literal["emotionrecognizer"] = setting(
        "emotionrecognizer", "name of the model's files and registry entry"
    )
    task: Literal["emotion_embedding"] = setting("emotion_embedding", "task name in the registry")
    architecture_type: Literal["cnn", "streaming", "mlp"] = setting(
        "cnn",
        "cnn: 2-D convolutions over a window; streaming: causal, frame by frame with state; "
        "mlp: dense layers on statistics over the window",
    )
    input_size: int = setting(128, "length of the window at the interface", unit="frames", ge=32, le=1024)
    output_size: int = setting(len(EMOTIONS), "number of classes", unit="classes")
    epochs: int = setting(90, "passes over the training data", unit="epochs", ge=1, le=100_000)
    batch_size: int | None = setting(
        32, "items per step over all processes; null: the device's recommendation", ge=1, le=65_536
    )
    learning_rate: float = setting(5e-3, "peak learning rate", gt=0.0, le=10.0)
    optimizer: OptimizerConfig = setting(
        lambda: OptimizerConfig(weight_decay=0.02, gradient_clip=2.0), "what turns gradients into steps"
    )
    schedule: ScheduleConfig = setting(lambda: ScheduleConfig(warmup=0.25), "how the learning rate moves")
    validate_every: int = setting(
        2, "epochs between two looks at validation data; the last epoch always gets one", unit="epochs", ge=1
    )
    hidden_layers: list[Width] = setting(
        list, "widths of the dense layers between pooling and output", max_length=8
    )
    dropout: float = setting(0.15, "share of activations dropped before the dense layers", ge=0.0, lt=1.0)
    label_smoothing: float = setting(0.1, "share of the target spread over all classes", ge=0.0, lt=1.0)
    class_weights: bool = setting(True, "weigh each class by the inverse of its count")
    duration: float = setting(10.0, "longest part of a clip that is used", unit="s", ge=1.0, le=10.0)
    features: FeatureConfig = setting(FeatureConfig, "from sound to log-mel picture")
    labels: LabelConfig = setting(LabelConfig, "how the data's labels become the seven classes")
    augment: AugmentConfig = setting(AugmentConfig, "what varies from epoch to epoch while training")

    @classmethod
    def recipe(cls, architecture_type: str) -> dict[str, Any]:
        """What `streaming` and `mlp` need beside the defaults, which are those of `cnn`.

        Chosen on held-out training speakers of RAVDESS.
        """
        mild = {"speeds": [1.0], "time_stretch": 0.12, "pitch_shift": 1.0, "formant_shift": 0.04}
        recipes: dict[str, dict[str, Any]] = {
            "streaming": {"epochs": 50, "augment": {**mild, "mixup": 0.3}},
            "mlp": {
                "epochs": 50,
                "learning_rate": 2e-3,
                "dropout": 0.3,
                "optimizer": {"weight_decay": 0.05, "gradient_clip": 2.0},
                "augment": {**mild, "spec_augment": 0},
            },
        }
        return recipes.get(architecture_type, {})

    @field_validator("output_size")
    @classmethod
    def _one_output_per_class(cls, value: int) -> int:
        if value != len(EMOTIONS):
            raise ValueError(f"must be {len(EMOTIONS)}, one for each of {', '.join(EMOTIONS)}")
        return value
