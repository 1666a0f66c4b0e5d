"""What the registry holds: pydantic models that the JSON Schema and every check are derived from.

Every path in the registry is relative to the registry's own folder and has forward slashes. Losses are means
per item; metrics are shares between 0 and 1 unless their name says otherwise; intervals are 95 %.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, model_validator

from kelly_core.config import StrictModel

REGISTRY_VERSION = "1.1"

Status = Literal["stub", "training", "trained", "production", "deprecated"]
RelativePath = Annotated[
    str,
    Field(
        pattern=r"^[^/\\:][^\\:]*$",
        description="path relative to the registry's folder, with forward slashes",
        examples=["emotionrecognizer.onnx"],
    ),
]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", description="SHA-256, hexadecimal")]
Timestamp = Annotated[
    str,
    Field(
        pattern=r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2})?$",
        description="date and time, ISO 8601",
        examples=["2025-12-23T10:00:00"],
    ),
]
ExportKey = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*_path$")]

FORMAT_OF_EXPORTER = {"rtneural": "rtneural-json"}
"""Where the registry's name of a format differs from the exporter's."""
PRIMARY_ORDER = ("rtneural", "onnx", "torchscript", "coreml")
"""Which artefact an entry's `file` names: the first of these that exists, else the first at all."""


class RegistryModel(StrictModel):
    """Base of everything in the registry: JSON has no NaN."""

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, protected_namespaces=(), allow_inf_nan=False
    )


class Interval(RegistryModel):
    """A measured figure with its 95 % interval, where one was computed."""

    value: float = Field(description="the figure")
    low: float | None = Field(default=None, description="lower end of its 95 % interval")
    high: float | None = Field(default=None, description="upper end of its 95 % interval")

    @model_validator(mode="after")
    def _ordered(self) -> Interval:
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError(f"low {self.low} is above high {self.high}")
        return self


Metrics = dict[str, dict[str, Interval]]
"""`{split: {metric: interval}}`."""


class Training(RegistryModel):
    """How the model was trained."""

    epochs: int | None = Field(None, ge=0, description="passes over the training data")
    train_loss: float | None = Field(None, description="mean training loss of the shipped weights")
    val_loss: float | None = Field(None, description="mean validation loss of the shipped weights")
    git_commit: str | None = Field(None, description="commit of the code, with -dirty when files differed")
    training_date: Timestamp | None = None
    seconds: float | None = Field(None, ge=0, description="wall-clock time of training, s")


class FileRef(RegistryModel):
    """A file and what it must contain."""

    file: RelativePath
    sha256: Sha256


class Artifact(FileRef):
    """An exported file and whether it computes what the trained model computes."""

    bytes: int = Field(ge=0, description="size; of a folder, of all files in it")
    verified: bool = Field(False, description="passed parity against the trained model")
    verified_at: Timestamp | None = None
    max_abs_diff: float | None = Field(None, ge=0, description="largest absolute difference of outputs")


class ModelEntry(RegistryModel):
    """One model. Only the first five fields are required; the rest fills as it is trained and exported."""

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$", description="name of the model's files")
    file: RelativePath | None = Field(description="the artefact to load first")
    format: str | None = Field(description="format of `file`: onnx, rtneural-json, torchscript, ...")
    task: str = Field(description="what it does, e.g. emotion_embedding")
    status: Status = Field(description="how far it is")
    training: Training = Field(default=Training(), description="its last training")
    exports: dict[ExportKey, RelativePath | None] = Field(
        default={}, description="artefacts by kind: onnx_path, coreml_path, torchscript_path, ..."
    )
    name: str | None = Field(None, description="short name on the command line, e.g. emotion")
    model_version: str | None = Field(default=None, description="version of the package that brings the model")
    architecture_type: str | None = Field(default=None, description="which of the model's networks it is")
    parameters: int | None = Field(None, ge=0, description="trainable numbers")
    synthetic_data: bool = Field(False, description="trained on made, not recorded, data")
    dataset: str | None = Field(None, description="dataset plugin that read the data")
    data_hash: str | None = Field(None, description="hash over the decoded data; changes when any sample does")
    run_id: str | None = Field(None, description="folder below logs/training")
    config: RelativePath | None = Field(None, description="resolved configuration of the run")
    metrics: Metrics = Field(default={}, description="split -> metric -> figure")
    baselines: dict[str, Metrics] = Field(default={}, description="baseline -> split -> metric -> figure")
    artifacts: dict[str, Artifact] = Field(default={}, description="exported files by exporter name")
    contract: FileRef | None = Field(default=None, description="what a program needs to use it")
    checkpoint: FileRef | None = Field(default=None, description="its weights")
    card: RelativePath | None = Field(None, description="model card")
    created_at: Timestamp | None = None
    updated_at: Timestamp | None = None


class Registry(RegistryModel):
    """All models of a workspace."""

    registry_version: str = Field(
        REGISTRY_VERSION,
        pattern=r"^1\.\d+$",
        description="version of this format; a reader refuses a newer one",
    )
    models: list[ModelEntry] = Field(default=[], description="one entry each")

    @model_validator(mode="after")
    def _unique(self) -> Registry:
        ids = [entry.id for entry in self.models]
        twice = sorted({one for one in ids if ids.count(one) > 1})
        if twice:
            raise ValueError(f"model {twice[0]!r} is listed more than once")
        return self
