"""The contract itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationError

from kelly_core import atomic
from kelly_core.config.base import StrictModel
from kelly_core.contract.artifacts import ArtifactInfo, LatencyInfo
from kelly_core.contract.chain import ChainInfo
from kelly_core.contract.golden import GoldenVector, OtherInterface
from kelly_core.contract.tensors import Pooling, StateInfo, TableInfo, TensorInfo
from kelly_core.errors import ContractError

CONTRACT_VERSION = "1.0"
UPGRADE = "upgrade kelly-core: `pip install -U kelly-core`"
"""What to do about a file that a newer Kelly made."""
SCHEMA_FILE = "contract.schema.json"


class Contract(StrictModel):
    """Everything a consumer has to know to run the model.

    A model with recurrent state takes its state tensors after its inputs, by their own names, and gives
    their following values after its outputs, named `next_<name>`.
    """

    contract_version: str = Field(
        default=CONTRACT_VERSION, description="version of this format; a reader refuses a newer one"
    )
    model_id: str = Field(description="name of the model's files")
    model_version: str = Field(description="version of the package that brings the model")
    task: str = Field(description="what the model does, e.g. emotion_embedding")
    architecture_type: str = Field(description="which of the model's networks it is")
    parameters: int = Field(description="trainable numbers")
    inputs: list[TensorInfo] = Field(description="what a call takes, in order")
    outputs: list[TensorInfo] = Field(description="what a call gives, in order")
    state: list[StateInfo] = Field(default=[], description="what goes from call to call, behind the inputs")
    pooling: Pooling = Field(
        default=Pooling(kind="none"), description="what the host does with outputs over time"
    )
    chain: ChainInfo | None = Field(
        default=None, description="set where the network is a chain of layers computed frame by frame"
    )
    labels: list[str] = Field(default=[], description="classes, in the order of the scores")
    features: dict[str, Any] = Field(
        default={}, description="front end: sample rate, hop, bands, ... with units in the key"
    )
    window: dict[str, int] = Field(
        default={}, description="frames the network was trained on, look-back and look-ahead, in frames"
    )
    tables: dict[str, TableInfo] = Field(
        default={}, description="numbers that a host needs beside the network, e.g. for decoding"
    )
    latency_budget_ms: float = Field(description="how long a call may take on one CPU thread, ms")
    synthetic_data: bool = Field(default=False, description="trained on made, not recorded, data")
    run_id: str = Field(description="folder below logs/training")
    checkpoint_sha256: str = Field(description="SHA-256 of the weights, hexadecimal")
    artifacts: dict[str, ArtifactInfo] = Field(default={}, description="exported files by format")
    latency: list[LatencyInfo] = Field(default=[], description="as `kelly bench` measured it")
    golden: list[GoldenVector] = Field(default=[], description="inputs with the trained model's answers")
    interfaces: dict[str, OtherInterface] = Field(
        default={}, description="other interfaces of exported files, e.g. sound in place of features"
    )

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

    def of_artifact(self, name: str) -> Contract:
        """The contract as a file of this format has it."""
        info = self.artifacts.get(name)
        return self.seen_as(info.interface) if info is not None and info.interface else self

    def seen_as(self, interface: str) -> Contract:
        """The contract of a file with one of the other interfaces.

        Raises:
            ContractError: There is no such interface.
        """
        if interface not in self.interfaces:
            raise ContractError(
                f"the contract of {self.model_id!r} has no interface {interface!r}",
                hint="export the model again",
            )
        other = self.interfaces[interface]
        changed = {
            "inputs": other.inputs,
            "outputs": other.outputs or self.outputs,
            "window": other.window,
            "golden": other.golden,
            "state": [],
            "chain": None,
        }
        return self.model_copy(update=changed)

    @property
    def interface(self) -> str:
        """Which of the other interfaces this is, as `seen_as` gives them; empty for its own."""
        return next((name for name, other in self.interfaces.items() if other.inputs == self.inputs), "")

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
            ContractError: It is missing, not JSON, no contract, or of a newer Kelly.
        """
        try:
            text = path.read_bytes()
        except FileNotFoundError:
            raise ContractError(
                "there is no contract",
                where=str(path),
                hint="train and export the model first",
                code="contract.missing",
            ) from None
        try:
            contract = cls.model_validate_json(text)
            _refuse_newer(contract.contract_version, path)
            return contract
        except ValidationError as error:
            _refuse_newer(_version_in(text), path)
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"])) or "file"
            raise ContractError(
                f"not a valid contract: {place}: {first['msg']}",
                where=str(path),
                hint="export the model again; a contract is generated, never edited",
                code="contract.invalid",
            ) from None


def json_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of the contract file."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Contract.model_json_schema(mode="serialization"),
    }


def is_newer(version: object, known: str) -> bool:
    """Whether a file's version is above the newest that is known; what is no version is not.

    >>> is_newer("1.10", "1.9"), is_newer("1.0", "1.0"), is_newer(None, "1.0")
    (True, False, False)
    """
    try:
        found = tuple(int(part) for part in str(version).split("."))
    except ValueError:
        return False
    return found > tuple(int(part) for part in known.split("."))


def _version_in(text: bytes) -> object:
    try:
        raw = json.loads(text)
    except ValueError:
        return None
    return raw.get("contract_version") if isinstance(raw, dict) else None


def _refuse_newer(version: object, path: Path) -> None:
    if is_newer(version, CONTRACT_VERSION):
        raise ContractError(
            f"the contract has version {version}, newer than what this Kelly reads ({CONTRACT_VERSION})",
            where=str(path),
            hint=UPGRADE,
            code="contract.newer",
        )


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
