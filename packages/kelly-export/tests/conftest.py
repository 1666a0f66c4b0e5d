"""Networks with state whose Core ML files keep it, written once for the tests about them."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from kelly_core.contract import ArtifactInfo, Contract, GoldenVector, StateInfo, TensorInfo
from kelly_core.export import ExportBundle
from kelly_core.runtime import ModuleRunner, Runtime
from kelly_core.verify import (
    ParityReport,
    export_verified,
    from_reset,
    golden_inputs,
    parity_cases,
    random_inputs,
)
from kelly_export.plugin import kelly_exporters


class Steps(nn.Module):
    """A step in a call: two memories of one shape, one quick and one slow; scores of three labels."""

    inputs = (TensorInfo(name="input", shape=["batch", 4]),)
    outputs = (TensorInfo(name="output", shape=["batch", 3]),)
    state = (
        StateInfo(name="quick", shape=["batch", 5], reset=0.25),
        StateInfo(name="slow", shape=["batch", 5]),
    )
    labels = ("low", "mid", "high")

    def __init__(self) -> None:
        super().__init__()
        self.enter, self.keep = nn.Linear(4, 5), nn.Linear(5, 5)
        self.head = nn.Linear(10, 3)

    def forward(self, note, quick, slow):
        quick = torch.tanh(self.enter(note) + self.keep(quick))
        slow = 0.9 * slow + quick
        return self.head(torch.cat((quick, slow), dim=1)), quick, slow


class Frames(nn.Module):
    """Any number of frames in a call, and a recurrent layer."""

    inputs = (TensorInfo(name="input", shape=["batch", "frames", 4]),)
    outputs = (TensorInfo(name="output", shape=["batch", "frames", 3]),)
    state = (StateInfo(name="memory", shape=["batch", 2, 5]),)
    labels = ()

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.GRU(4, 5, num_layers=2, batch_first=True)
        self.head = nn.Linear(5, 3)

    def forward(self, frames, memory):
        hidden, last = self.layers(frames, memory.transpose(0, 1).contiguous())
        return self.head(hidden), last.transpose(0, 1)


class Late(nn.Module):
    """The second state is what the first one was."""

    inputs = (TensorInfo(name="input", shape=["batch", 4]),)
    outputs = (TensorInfo(name="output", shape=["batch", 4]),)
    state = (StateInfo(name="last", shape=["batch", 4]), StateInfo(name="before", shape=["batch", 4]))
    labels = ()

    def forward(self, note, last, before):
        return note + 0.5 * last + 0.25 * before, note, last


@dataclass(frozen=True)
class Written:
    """A network and its file."""

    path: Path
    bundle: ExportBundle
    info: ArtifactInfo
    report: ParityReport


class Stateful:
    """The networks by name, their contracts and files."""

    kinds = {kind.__name__: kind for kind in (Steps, Frames, Late)}
    exporters = {spec.name: spec for spec in kelly_exporters()}
    spec = exporters["coreml-state"]

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files: dict[str, Written] = {}

    def contract(self, name: str, **changes: Any) -> Contract:
        kind = self.kinds[name]
        known = {
            "model_id": "toy",
            "model_version": "0.1.0",
            "task": "toy_task",
            "architecture_type": "toy",
            "parameters": 0,
            "inputs": list(kind.inputs),
            "outputs": list(kind.outputs),
            "state": list(kind.state),
            "labels": list(kind.labels),
            "window": {"frames": 12},
            "latency_budget_ms": 5.0,
            "run_id": "run",
            "checkpoint_sha256": "0" * 64,
        }
        return Contract(**{**known, **changes})

    def bundle(self, name: str) -> ExportBundle:
        torch.manual_seed(0)
        module, bare = self.kinds[name]().eval(), self.contract(name)
        runner = ModuleRunner(module, bare)
        golden = [
            GoldenVector.of(case, inputs, {"output": runner.run(from_reset(bare, inputs))["output"]})
            for case, inputs in golden_inputs(bare, random_inputs(bare, 1), random_inputs(bare, 3)).items()
        ]
        contract = bare.model_copy(update={"golden": golden})
        example = from_reset(contract, random_inputs(contract, 1))
        return ExportBundle(module, contract, example, {"labels": '["low"]'})

    def written(self, name: str) -> Written:
        """The file, written at the first call."""
        if name not in self.files:
            bundle, path = self.bundle(name), self.folder / f"{name}{self.spec.suffix}"
            self.files[name] = Written(
                path, bundle, *export_verified(bundle, self.spec, path, self.cases(bundle.contract))
            )
        return self.files[name]

    def copied(self, name: str, folder: Path) -> tuple[Path, ExportBundle]:
        """A file that a test may damage."""
        found = self.written(name)
        return shutil.copytree(found.path, folder / found.path.name), found.bundle

    def cases(self, contract: Contract):
        return parity_cases(contract, random_inputs(contract, 1), random_inputs(contract, 3))

    def problems(self, path: Path, bundle: ExportBundle, *, name: str = "coreml-state", blind: bool = False):
        """What inspection finds; blind: without the trained network."""
        runtime = Runtime.of(self.exporters[name])
        return runtime.inspection(path, bundle.contract, None if blind else bundle.module).problems

    def spec_at(self, path: Path):
        """The protocol buffer of a file."""
        return self._model_at(path).get_spec()

    def program_at(self, path: Path):
        """The operations of a file."""
        from kelly_export.coreml.inspect import load_program

        return load_program(self._model_at(path))

    def _model_at(self, path: Path):
        from kelly_export.coreml.tools import quiet

        with quiet() as ct:
            return ct.models.MLModel(str(path), skip_model_load=True)


@pytest.fixture(scope="session")
def stateful(tmp_path_factory):
    pytest.importorskip("coremltools")
    torch.set_num_threads(1)
    return Stateful(tmp_path_factory.mktemp("stateful"))
