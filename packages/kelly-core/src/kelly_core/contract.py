"""The contract: one generated JSON file per trained model that every consumer reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from kelly_core import atomic
from kelly_core.config.base import StrictModel
from kelly_core.errors import ContractError
from kelly_core.specs import TensorSpec

CONTRACT_VERSION = "1.0"


class TensorInfo(StrictModel):
    """A named tensor: `shape` has sizes and names of varying dimensions."""

    name: str
    shape: list[int | str]
    dtype: str = "float32"
    unit: str = ""
    low: float | None = None
    high: float | None = None

    @classmethod
    def from_spec(cls, spec: TensorSpec) -> TensorInfo:
        """The same, from a plugin's declaration."""
        return cls(
            name=spec.name,
            shape=list(spec.shape),
            dtype=spec.dtype,
            unit=spec.unit,
            low=spec.low,
            high=spec.high,
        )


class StateInfo(TensorInfo):
    """A recurrent state tensor and the value every element has after a reset."""

    reset: float = 0.0


class Pooling(StrictModel):
    """What the host does with a frame-by-frame network's outputs over time."""

    kind: str = Field(description="none, or mean_plus_max: mean of the first half + max of the second half")
    meaning: str = ""


class ArtifactInfo(StrictModel):
    """An exported file beside the contract."""

    file: str
    sha256: str
    bytes: int


class GoldenVector(StrictModel):
    """Inputs and the outputs that the trained model gave for them, as nested lists."""

    name: str
    inputs: dict[str, Any]
    outputs: dict[str, Any]


class Contract(StrictModel):
    """Everything a consumer has to know to run the model."""

    contract_version: str = CONTRACT_VERSION
    model_id: str
    model_version: str
    task: str
    architecture_type: str
    parameters: int
    inputs: list[TensorInfo]
    outputs: list[TensorInfo]
    state: list[StateInfo] = []
    pooling: Pooling = Pooling(kind="none")
    labels: list[str] = []
    features: dict[str, Any] = Field(
        default={}, description="front end: sample rate, hop, bands, ... with units in the key"
    )
    window: dict[str, int] = Field(
        default={}, description="frames the network was trained on, look-back and look-ahead, in frames"
    )
    latency_budget_ms: float
    synthetic_data: bool = False
    run_id: str
    checkpoint_sha256: str
    artifacts: dict[str, ArtifactInfo] = {}
    golden: list[GoldenVector] = []

    def save(self, path: Path) -> None:
        """Write it atomically."""
        atomic.write_json(path, self.model_dump(mode="json"))

    @classmethod
    def load(cls, path: Path) -> Contract:
        """Read and check it.

        Raises:
            ContractError: It is missing, not JSON, or not a contract of this version.
        """
        try:
            return cls.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            raise ContractError(
                "there is no contract", where=str(path), hint="train and export the model first"
            ) from None
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"])) or "file"
            raise ContractError(
                f"not a valid contract: {place}: {first['msg']}",
                where=str(path),
                hint="export the model again; a contract is generated, never edited",
            ) from None
