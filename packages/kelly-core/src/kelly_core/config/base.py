"""The configuration every model shares. A model package derives its own from `TrainConfig`."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict


def setting(default: Any, meaning: str, *, unit: str | None = None, **constraints: Any) -> Any:
    """A pydantic field that documents itself: meaning, unit and range are shown wherever the key is.

    Args:
        default: The value, or a callable that makes it (for lists and nested blocks).
        meaning: One sentence: what it does.
        unit: What one number means (`"s"`, `"Hz"`, `"epochs"`).
        constraints: pydantic's own: `ge`, `gt`, `le`, `lt`, `min_length`, ...
    """
    extra: JsonDict | None = {"unit": unit} if unit else None
    if callable(default):
        return Field(default_factory=default, description=meaning, json_schema_extra=extra, **constraints)
    return Field(default, description=meaning, json_schema_extra=extra, **constraints)


class StrictModel(BaseModel):
    """Unknown keys and wrong types are errors; values can't be changed after validation."""

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, protected_namespaces=(), allow_inf_nan=False
    )


class SplitConfig(StrictModel):
    """How items are divided. Groups (speaker, tune, drummer) never stand on two sides."""

    by: Literal["auto", "declared", "fold", "group"] = setting(
        "auto",
        "declared: the dataset's own split column; fold: test on one fold; group: by hash of the group; "
        "auto: the first of these that the dataset has",
    )
    validation: float = setting(0.1, "share of groups held out to choose epoch and settings", ge=0.02, le=0.5)
    test: float = setting(0.1, "share of groups held out for the final figures", ge=0.0, le=0.5)
    test_fold: str = setting("0", "fold used as test data when splitting by fold")
    seed: int = setting(0, "seed of the split; the same seed gives the same split", ge=0)


class OptimizerConfig(StrictModel):
    """What turns gradients into steps."""

    name: Literal["adamw", "adam", "sgd"] = setting("adamw", "algorithm")
    weight_decay: float = setting(0.01, "decoupled weight decay; none on biases and norms", ge=0.0, le=1.0)
    momentum: float = setting(0.9, "momentum of sgd", ge=0.0, lt=1.0)
    gradient_clip: float = setting(1.0, "largest gradient norm; 0 switches clipping off", ge=0.0)


class ScheduleConfig(StrictModel):
    """How the learning rate moves over the run."""

    name: Literal["one_cycle", "cosine", "step", "plateau", "constant"] = setting("one_cycle", "shape")
    warmup: float = setting(0.3, "share of all steps spent rising to the peak", ge=0.0, le=0.9)
    step_every: int = setting(30, "step: epochs between two drops", unit="epochs", ge=1)
    factor: float = setting(0.1, "step and plateau: what the rate is multiplied by", gt=0.0, lt=1.0)
    patience: int = setting(5, "plateau: epochs without improvement before a drop", unit="epochs", ge=1)


class EarlyStoppingConfig(StrictModel):
    """When to stop before the last epoch."""

    patience: int = setting(
        0, "looks at validation data without a better metric before stopping; 0 never stops", ge=0
    )
    min_delta: float = setting(0.0, "smallest change that counts as better", ge=0.0)


class CheckpointConfig(StrictModel):
    """What is kept on disk while training."""

    every: int = setting(5, "epochs between two epoch_N.pt files; 0 keeps none", unit="epochs", ge=0)
    keep: int = setting(3, "how many epoch_N.pt files are kept, newest first; 0 keeps all", ge=0)
    samples_every: int = setting(10, "epochs between two folders of sample predictions; 0: none", ge=0)


class TrainConfig(StrictModel):
    """Settings of a training run that don't depend on the model."""

    model_id: str = setting("", "name of the model's files and registry entry")
    task: str = setting("", "task name in the registry")
    architecture_type: str = setting("", "which network")

    epochs: int = setting(100, "passes over the training data", unit="epochs", ge=1, le=100_000)
    batch_size: int | None = setting(
        None, "items per step over all processes; null: the device's recommendation", ge=1, le=65_536
    )
    learning_rate: float = setting(1e-3, "peak learning rate", gt=0.0, le=10.0)
    seed: int = setting(0, "seed of weights, order, augmentation and split of randomness", ge=0, lt=2**32)

    device: str = setting("auto", "auto measures the candidates; else a device name (`kelly doctor`)")
    devices: int = setting(1, "processes or GPUs to train on", ge=1, le=1024)
    strategy: Literal["auto", "ddp"] = setting("auto", "how several processes share the work")
    precision: Literal["32-true", "16-mixed", "bf16-mixed"] = setting("32-true", "number format of training")

    data_root: str | None = setting(None, "folder of raw/, processed/, cache/; ${VAR:-default} works")
    dataset: str | None = setting(None, "dataset plugin; null: the one that recognises the data")
    strict_data: bool = setting(False, "stop at the first unusable file instead of leaving it out")
    split: SplitConfig = setting(SplitConfig, "how items are divided")

    optimizer: OptimizerConfig = setting(OptimizerConfig, "what turns gradients into steps")
    schedule: ScheduleConfig = setting(ScheduleConfig, "how the learning rate moves")
    weight_averaging: float = setting(
        0.99, "decay per step of the averaged weights that are evaluated and shipped; 0: off", ge=0.0, lt=1.0
    )
    validate_every: int = setting(
        1, "epochs between two looks at validation data; the last epoch always gets one", unit="epochs", ge=1
    )
    early_stopping: EarlyStoppingConfig = setting(EarlyStoppingConfig, "when to stop early")
    checkpoint: CheckpointConfig = setting(CheckpointConfig, "what is kept on disk")

    export_onnx: bool = setting(False, "write models/<model_id>.onnx after training")
    export_torchscript: bool = setting(False, "write models/<model_id>.pt after training")
    export_coreml: bool = setting(False, "write models/<model_id>.mlpackage after training")
    export_rtneural: bool = setting(False, "write models/<model_id>.json after training")

    @classmethod
    def recipe(cls, architecture_type: str) -> dict[str, Any]:  # noqa: ARG003 - the default has none
        """Defaults that differ for one architecture, as nested values; chosen on validation data."""
        return {}

    def requested_exports(self) -> list[str]:
        """Names of the exporters whose `export_NAME` key is on."""
        names = ("onnx", "torchscript", "coreml", "rtneural")
        return [name for name in names if getattr(self, f"export_{name}")]
