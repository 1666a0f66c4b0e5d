"""RTNeural JSON and C++ over 500 frames of real files, fed as `kelly predict` does, are what torch computes."""

from __future__ import annotations

import os
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch

from kelly_core.cli import run
from kelly_core.contract import BATCH, Contract
from kelly_core.pipeline.export import export_model
from kelly_core.plugins import PluginHost
from kelly_core.runtime import ModuleRunner, runtime_for
from kelly_core.testing import untrained
from kelly_core.workspace import Workspace
from kelly_export.cpp import why_not

SHARED = Path(os.environ.get("KELLY_SHARED", "missing")) / "data"
pytestmark = pytest.mark.skipif(not SHARED.is_dir(), reason="KELLY_SHARED names no folder with the real sets")
torch.set_num_threads(1)
FRAMES = 500
FILES = {"melody": 5, "groove": 4, "harmony": 8}
PACKS = {"emotion": "ravdess_speech.tar", "groove": "groove_gmd.tar.xz"}
CHAINS = {
    "dynamics": {},
    "emotion": {"architecture_type": "streaming"},
    "groove": {"architecture_type": "mlp"},
    "harmony": {"architecture_type": "frames"},
    "melody": {"architecture_type": "frames", "network": {"width": 48, "layers": 1, "hidden": 48}},
}
FORMATS = ["rtneural", *([] if why_not() else ["cpp"])]


def lively(module):
    """Weights that begin at zero say something, norms are those of trained networks, inputs are scaled."""
    for part in module.modules():
        if isinstance(part, torch.nn.BatchNorm2d | torch.nn.BatchNorm1d):
            part.running_mean.normal_(std=0.3)
            part.running_var.uniform_(0.5, 2.0)
    for parameter in module.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.1)


def files(name: str, folder: Path, count: int) -> list[str]:
    """The first real files for a model, read out of their pack."""
    found = []
    with tarfile.open(SHARED / PACKS.get(name, "nottingham.tar.xz")) as pack:
        for member in pack:
            if member.name.endswith((".mid", ".flac")):
                place = folder / f"{len(found)}{Path(member.name).suffix}"
                place.write_bytes(pack.extractfile(member).read())
                found.append(str(place))
            if len(found) == count:
                break
    return found


def recorded(monkeypatch, words) -> list:
    """What torch was given and what it gave, call by call, while a command ran."""
    calls, kept = [], ModuleRunner.run

    def run_and_keep(self, inputs):
        outputs = kept(self, inputs)
        calls.append((dict(inputs), outputs))
        return outputs

    monkeypatch.setattr(ModuleRunner, "run", run_and_keep)
    assert run(words) == 0
    monkeypatch.setattr(ModuleRunner, "run", kept)
    return calls


def frames_of(contract: Contract, calls) -> int:
    (first, *_) = contract.inputs
    sizes = [dict(zip(first.shape, inputs[first.name].shape, strict=True)) for inputs, _ in calls]
    return sum(one[BATCH] * one.get(contract.chain.time, 1) for one in sizes)


def largest_difference(contract: Contract, runner, calls) -> float:
    """Over all outputs, in units of 1 or of the output's size; state goes on from the runner's own."""
    own, said, worst = {}, {}, 0.0
    for inputs, expected in calls:
        goes_on = bool(said) and all(
            np.array_equal(inputs[state.name], said[state.next_name]) for state in contract.state
        )
        state = {one.name: own[one.next_name] for one in contract.state} if goes_on else {}
        own, said = runner.run({**inputs, **state}), expected
        for info in contract.outputs:
            size = max(1.0, float(np.abs(expected[info.name]).max()))
            worst = max(worst, float(np.abs(own[info.name] - expected[info.name]).max()) / size)
    return worst


@pytest.mark.parametrize("name", CHAINS)
def test_500_real_frames_are_what_torch_computes(name, tmp_path, monkeypatch):
    monkeypatch.setenv("KELLY_WORKSPACE", str(tmp_path))
    workspace, host = Workspace(tmp_path), PluginHost()
    spec = host.model(name)
    trained = untrained(workspace, name, spec.config_class()(**CHAINS[name]), change=lively)
    results = export_model(trained, workspace, host, FORMATS)
    contract = Contract.load(workspace.contract(spec.model_id))
    (tmp_path / "out").mkdir()
    chosen = files(name, tmp_path, FILES.get(name, 12))
    options = ["-o", str(tmp_path / "out")] if name != "emotion" else []
    calls = recorded(monkeypatch, ["predict", name, *chosen, *options, "--runtime", "torch"])
    assert frames_of(contract, calls) >= FRAMES
    for result in results:
        runner = runtime_for(result.format, host).open(result.path, contract)
        assert largest_difference(contract, runner, calls) < 1e-5
