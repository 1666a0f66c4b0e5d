"""The contract: one generated JSON file per trained model that every consumer reads."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationError

from kelly_core import atomic
from kelly_core.config.base import StrictModel
from kelly_core.errors import ContractError
from kelly_core.host_step import HostStep
from kelly_core.specs import TensorSpec

CONTRACT_VERSION = "1.0"
SCHEMA_FILE = "contract.schema.json"
BATCH = "batch"
"""Name of the symbolic dimension that counts independent examples."""


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

    @property
    def next_name(self) -> str:
        """Name of the output that carries its value for the following call."""
        return f"next_{self.name}"


class Pooling(StrictModel):
    """What the host does with a frame-by-frame network's outputs over time."""

    kind: str = Field(description="none, or mean_plus_max: mean of the first half + max of the second half")
    meaning: str = ""


class ChainTensor(StrictModel):
    """A tensor as a part of a frame: its numbers without batch and time, in C order."""

    name: str
    size: int = Field(description="numbers in the frame")
    one_hot: bool = Field(default=False, description="an index; in the frame a 1 at its place among zeros")


class ChainState(StrictModel):
    """A state tensor as memory of a layer."""

    name: str
    axes: list[int] = Field(
        description="axes of the tensor, without the batch, in the layer's order: (past, features, channels)"
    )
    at: int | None = Field(default=None, description="index into its first axis, where layers share a tensor")


class ChainInfo(StrictModel):
    """How runtimes that compute frame by frame see the tensors; parts of a frame stand side by side."""

    time: str = Field(default="", description="the dimension that counts frames; empty: a call is a frame")
    inputs: list[ChainTensor] = []
    outputs: list[ChainTensor] = Field(
        default=[], description="the outputs; behind them, what host steps alone take"
    )
    state: list[ChainState] = Field(default=[], description="in the order of the layers")
    host: list[HostStep] = Field(default=[], description="what is done with a frame behind the last layer")

    @property
    def finished(self) -> list[ChainTensor]:
        """Parts of a frame that are left after the host's steps: the model's outputs."""
        taken = {step.weights for step in self.host}
        return [slot for slot in self.outputs if slot.name not in taken]


class ArtifactInfo(StrictModel):
    """An exported file beside the contract."""

    file: str
    sha256: str
    bytes: int
    lossy: float = Field(
        default=0.0,
        description="largest difference from the trained model that the format may make, as a share of an "
        "output's largest value or of 1; 0: it computes what the model computes",
    )

    @classmethod
    def of(cls, path: Path) -> ArtifactInfo:
        """Measure a file, or a folder such as an `.mlpackage`.

        A folder's checksum is taken over the sorted names and checksums of its files.
        """
        if not path.is_dir():
            return cls(file=path.name, sha256=_sha256(path), bytes=path.stat().st_size)
        names = {part.relative_to(path).as_posix(): part for part in path.rglob("*") if part.is_file()}
        total = hashlib.sha256()
        for name, part in sorted(names.items()):
            total.update(f"{name}\0{_sha256(part)}\n".encode())
        size = sum(part.stat().st_size for part in names.values())
        return cls(file=path.name, sha256=total.hexdigest(), bytes=size)


class LatencyInfo(StrictModel):
    """How long a call takes, one thread, one item; times in ms over many calls after a warm-up."""

    runtime: str
    what: str = Field(description="whole, step, whole with front end; empty for what isn't a runtime")
    p50_ms: float
    p99_ms: float
    p999_ms: float
    max_ms: float
    calls: int
    load_ms: float | None = None
    first_ms: float | None = None
    memory_mib: float | None = Field(default=None, description="growth of a process that loads and calls it")
    hardware: str


class GoldenVector(StrictModel):
    """Inputs and the outputs that the trained model gave for them, as nested lists.

    Recurrent state is left out: it starts from its reset value. Run in chunks with the state passed on, a
    consumer has to get the same outputs.
    """

    name: str
    inputs: dict[str, Any]
    outputs: dict[str, Any]

    @classmethod
    def of(
        cls, name: str, inputs: Mapping[str, NDArray[Any]], outputs: Mapping[str, NDArray[Any]]
    ) -> GoldenVector:
        """Store arrays with the fewest digits that read back as the same float32."""
        return cls(
            name=name,
            inputs={key: _as_lists(value) for key, value in inputs.items()},
            outputs={key: _as_lists(value) for key, value in outputs.items()},
        )


class Contract(StrictModel):
    """Everything a consumer has to know to run the model.

    A model with recurrent state takes its state tensors after its inputs, by their own names, and gives
    their following values after its outputs, named `next_<name>`.
    """

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
    chain: ChainInfo | None = Field(
        default=None, description="set where the network is a chain of layers computed frame by frame"
    )
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
    artifacts: dict[str, ArtifactInfo] = Field(default={}, description="exported files by format")
    latency: list[LatencyInfo] = Field(default=[], description="as `kelly bench` measured it")
    golden: list[GoldenVector] = []

    @property
    def feeds(self) -> list[TensorInfo]:
        """Every tensor the artefact takes, in order: inputs, then state."""
        return [*self.inputs, *self.state]

    @property
    def fetches(self) -> list[TensorInfo]:
        """Every tensor the artefact gives, in order: outputs, then following state."""
        following = [
            TensorInfo(name=state.next_name, shape=state.shape, dtype=state.dtype, unit=state.unit)
            for state in self.state
        ]
        return [*self.outputs, *following]

    def golden_arrays(self) -> dict[str, tuple[dict[str, NDArray[Any]], dict[str, NDArray[Any]]]]:
        """Inputs and outputs of every golden vector by its name, as arrays of the contract's dtypes."""
        feeds = {info.name: info.dtype for info in self.feeds}
        fetches = {info.name: info.dtype for info in self.fetches}
        return {
            vector.name: (
                {key: np.asarray(value, feeds[key]) for key, value in vector.inputs.items()},
                {key: np.asarray(value, fetches[key]) for key, value in vector.outputs.items()},
            )
            for vector in self.golden
        }

    def save(self, path: Path) -> None:
        """Write it atomically, and its JSON Schema beside it."""
        atomic.write_text(path, _render(self.model_dump(mode="json")) + "\n")
        schema = path.parent / SCHEMA_FILE
        text = json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"
        if not schema.is_file() or schema.read_text() != text:
            atomic.write_text(schema, text)

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


def json_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of the contract file."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Contract.model_json_schema(mode="serialization"),
    }


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _as_lists(array: NDArray[Any]) -> Any:
    array = np.asarray(array)
    if array.dtype == np.float32:
        # str() gives the shortest decimal that is this float32; as a double it would be twice as long.
        array = np.array([float(str(v)) for v in array.ravel()], np.float64).reshape(array.shape)
    return array.tolist()


def _render(value: Any, indent: str = "") -> str:
    """JSON with one line per key and per list of plain values, so that golden vectors stay short."""
    inner = indent + "  "
    if isinstance(value, dict) and value:
        body = ",\n".join(f"{inner}{json.dumps(k)}: {_render(v, inner)}" for k, v in value.items())
        return f"{{\n{body}\n{indent}}}"
    if isinstance(value, list) and any(isinstance(v, dict) for v in value):
        body = ",\n".join(f"{inner}{_render(v, inner)}" for v in value)
        return f"[\n{body}\n{indent}]"
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
