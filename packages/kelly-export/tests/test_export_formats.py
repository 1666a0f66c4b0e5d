"""Exporting through the gate: every network shape, both formats, damage, old files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import nn

from kelly_core.contract import ArtifactInfo, Contract, GoldenVector, StateInfo, TensorInfo
from kelly_core.errors import ContractError, KellyError, ParityError
from kelly_core.export import ExportBundle
from kelly_core.plugins import PluginHost
from kelly_core.runtime import ModuleRunner
from kelly_core.specs import LazyRef
from kelly_core.verify import (
    export_verified,
    from_reset,
    golden_inputs,
    parity_cases,
    random_inputs,
    verify_artifact,
    verify_model,
)
from kelly_core.workspace import Workspace
from kelly_export import onnx as onnx_format
from kelly_export import torchscript, verify_onnx_model
from kelly_export.plugin import kelly_exporters

torch.set_num_threads(1)
pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit:FutureWarning")
EXPORTERS = {spec.name: spec for spec in kelly_exporters() if spec.name in {"onnx", "torchscript"}}
LABELS = ["happy", "sad", "angry", "fear", "surprise", "disgust", "neutral"]


class Conv(nn.Module):
    """Convolutions, mean and max over time."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 6, 5, stride=2, padding=2)
        self.norm = nn.BatchNorm2d(6)
        self.head = nn.Linear(12, 7)

    def forward(self, mel):
        hidden = torch.relu(self.norm(self.conv(mel / 50.0))).mean(2)  # (batch, 6, frames / 2)
        return self.head(torch.cat([hidden.mean(2), hidden.amax(2)], 1))


class Recurrent(nn.Module):
    """A GRU over frames."""

    def __init__(self) -> None:
        super().__init__()
        self.gru = nn.GRU(64, 12, batch_first=True)
        self.head = nn.Linear(12, 7)

    def forward(self, mel):
        return self.head(self.gru(mel.squeeze(1).transpose(1, 2) / 50.0)[0].mean(1))


class Stepping(nn.Module):
    """A GRU with its state at the interface."""

    def __init__(self) -> None:
        super().__init__()
        self.gru = nn.GRU(64, 5, batch_first=True)
        self.head = nn.Linear(5, 7)

    def forward(self, mel, memory):
        hidden, last = self.gru(mel.squeeze(1).transpose(1, 2) / 50.0, memory.unsqueeze(0))
        return self.head(hidden[:, -1]), last.squeeze(0)


class Frozen(nn.Module):
    """Decides in Python by the size of its input, which a trace can't follow."""

    def forward(self, mel):
        frames = int(mel.shape[3])
        return mel.mean((1, 2))[:, :7] * frames


def bundle_of(module, state=()):
    torch.manual_seed(0)
    module = module().eval()
    bare = Contract(
        model_id="toy",
        model_version="0.1.0",
        task="toy_task",
        architecture_type="cnn",
        parameters=sum(p.numel() for p in module.parameters()),
        inputs=[TensorInfo(name="input", shape=["batch", 1, 64, "frames"], unit="dB", low=-100.0, high=40.0)],
        outputs=[TensorInfo(name="logits", shape=["batch", 7], unit="logit")],
        state=list(state),
        labels=LABELS,
        window={"frames": 128},
        latency_budget_ms=5.0,
        run_id="run",
        checkpoint_sha256="0" * 64,
    )
    runner = ModuleRunner.of(module, bare)
    golden = []
    for name, inputs in golden_inputs(bare, random_inputs(bare, 1), random_inputs(bare, 3)).items():
        given = runner.run(from_reset(bare, inputs))
        golden.append(GoldenVector.of(name, inputs, {"logits": given["logits"]}))
    contract = bare.model_copy(update={"golden": golden})
    metadata = {"labels": '["happy"]', "checkpoint_sha256": "0" * 64}
    return ExportBundle(module, contract, cases_of(contract)["batch 1"].inputs, metadata)


def cases_of(contract):
    extremes = {"silence": {"input": np.full((1, 1, 64, 128), -100.0, np.float32)}}
    return parity_cases(contract, random_inputs(contract, 1), random_inputs(contract, 3), extremes)


def shipped(folder, bundle, *formats):
    """A workspace with verified artefacts of the bundle and their contract."""
    workspace = Workspace(folder)
    artifacts = {}
    for name in formats:
        path = workspace.artifact("toy", EXPORTERS[name].suffix)
        artifacts[name], _ = export_verified(bundle, EXPORTERS[name], path, cases_of(bundle.contract))
    contract = bundle.contract.model_copy(update={"artifacts": artifacts})
    contract.save(workspace.contract("toy"))
    return workspace


@pytest.fixture(scope="module")
def conv():
    return bundle_of(Conv)


@pytest.mark.parametrize("name", EXPORTERS)
@pytest.mark.parametrize("module", [Conv, Recurrent])
def test_every_network_passes_the_gate_in_every_format(tmp_path: Path, module, name):
    bundle = bundle_of(module)
    path = tmp_path / f"toy{EXPORTERS[name].suffix}"
    info, report = export_verified(bundle, EXPORTERS[name], path, cases_of(bundle.contract))
    assert report.passed
    assert report.max_abs < 1e-4
    assert {row.case for row in report.rows} == {
        "batch 1", "batch 3", "frames 147", "batch 2, frames 96", "after another call", "silence",
    }  # fmt: skip
    assert info == ArtifactInfo.of(path)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("name", EXPORTERS)
def test_recurrent_state_goes_in_and_comes_out(tmp_path: Path, name):
    bundle = bundle_of(Stepping, [StateInfo(name="memory", shape=["batch", 5])])
    spec, path = EXPORTERS[name], tmp_path / f"toy{EXPORTERS[name].suffix}"
    export_verified(bundle, spec, path, cases_of(bundle.contract))
    runner = spec.open_runner.resolve()(path, bundle.contract, 1)
    mel = random_inputs(bundle.contract, 3)["input"]
    start = {"memory": np.zeros((3, 5), np.float32)}
    whole = runner.run({"input": mel, **start})
    half = runner.run({"input": mel[..., :50], **start})
    rest = runner.run({"input": mel[..., 50:], "memory": half["next_memory"]})
    np.testing.assert_allclose(rest["logits"], whole["logits"], atol=1e-5)
    shipped(tmp_path, bundle, name)
    assert [r.passed for r in verify_model(Workspace(tmp_path), PluginHost(), "toy")] == [True]


def test_an_onnx_file_carries_names_symbols_metadata_and_opset(tmp_path: Path, conv):
    path = tmp_path / "toy.onnx"
    export_verified(conv, EXPORTERS["onnx"], path, cases_of(conv.contract))
    assert onnx_format.read_metadata(path) == dict(conv.metadata)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    assert [(t.name, t.shape) for t in session.get_inputs()] == [("input", ["batch", 1, 64, "frames"])]
    assert [(t.name, t.shape) for t in session.get_outputs()] == [("logits", ["batch", 7])]
    assert session.get_modelmeta().custom_metadata_map == dict(conv.metadata)
    assert [(o.domain, o.version) for o in onnx.load(path).opset_import] == [("", onnx_format.OPSET)]


def test_a_torchscript_file_carries_metadata(tmp_path: Path, conv):
    path = tmp_path / "toy.pt"
    export_verified(conv, EXPORTERS["torchscript"], path, cases_of(conv.contract))
    assert torchscript.read_metadata(path) == dict(conv.metadata)


def test_exporting_says_nothing(tmp_path: Path, conv, recwarn, capfd):
    for spec in EXPORTERS.values():
        export_verified(conv, spec, tmp_path / f"toy{spec.suffix}", cases_of(conv.contract))
    assert [str(w.message) for w in recwarn] == []
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", EXPORTERS)
def test_a_network_that_freezes_a_size_is_refused_and_the_old_file_stays(tmp_path: Path, name):
    bundle = bundle_of(Frozen)
    path = tmp_path / f"toy{EXPORTERS[name].suffix}"
    path.write_bytes(b"the old good one")
    with pytest.raises(ParityError) as caught:
        export_verified(bundle, EXPORTERS[name], path, cases_of(bundle.contract))
    assert "frames" in str(caught.value)
    assert str(path.name) in str(caught.value)
    assert path.read_bytes() == b"the old good one"
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def export_damaged(bundle, path):
    """An exporter that gets one weight wrong by 1 %."""
    onnx_format.export(bundle, path)
    damage_onnx(path)


def export_with_company(bundle, path):
    """An exporter that leaves weights beside its file."""
    onnx_format.export(bundle, path)
    path.with_suffix(".data").write_bytes(b"weights")


def export_raising(bundle, path):
    """An exporter that gives up half-way."""
    path.write_bytes(b"half")
    raise RuntimeError("operator aten::unknown is not supported")


def test_the_gate_names_case_output_and_difference(tmp_path: Path, conv, monkeypatch):
    spec = replace(EXPORTERS["onnx"], export=LazyRef("kelly_export.onnx:damaged"))
    monkeypatch.setattr(onnx_format, "damaged", export_damaged, raising=False)
    with pytest.raises(ParityError, match=r"case 'batch 1', output 'logits': it differs by 0\.\d+"):
        export_verified(conv, spec, tmp_path / "toy.onnx", cases_of(conv.contract))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("broken", "words"),
    [(export_with_company, "instead of 'toy.onnx' alone"), (export_raising, "operator aten::unknown")],
)
def test_a_failing_exporter_leaves_nothing(tmp_path: Path, conv, monkeypatch, broken, words):
    spec = replace(EXPORTERS["onnx"], export=LazyRef("kelly_export.onnx:broken"))
    monkeypatch.setattr(onnx_format, "broken", broken, raising=False)
    with pytest.raises(ParityError, match=words):
        export_verified(conv, spec, tmp_path / "toy.onnx", cases_of(conv.contract))
    assert list(tmp_path.iterdir()) == []


def test_verify_passes_good_artefacts(tmp_path: Path, conv):
    workspace = shipped(tmp_path, conv, *EXPORTERS)
    reports = verify_model(workspace, PluginHost(), "toy")
    assert [report.passed for report in reports] == [True, True]
    both = {"one", "two, shortened"}
    assert {row.case for row in reports[0].rows} == both | {f"{name}, after another call" for name in both}
    assert verify_onnx_model(str(tmp_path / "models" / "toy.onnx")).passed


def test_verify_finds_a_weight_that_is_one_percent_off(tmp_path: Path, conv):
    workspace = shipped(tmp_path, conv, *EXPORTERS)
    damage_onnx(tmp_path / "models" / "toy.onnx")
    damage_torchscript(tmp_path / "models" / "toy.pt")
    for report in verify_model(workspace, PluginHost(), "toy"):
        assert not report.passed
        assert "checksum" in report.problems[0]
        assert any("differs by" in line for line in report.failures())  # the numbers alone would show it
    with pytest.raises(ParityError, match="checksum"):
        verify_onnx_model(tmp_path / "models" / "toy.onnx")


@pytest.mark.parametrize("name", ["toy.onnx", "toy.pt"])
@pytest.mark.parametrize("keep", [0, 100, -1])
def test_verify_reports_a_truncated_file(tmp_path: Path, conv, name, keep):
    workspace = shipped(tmp_path, conv, *EXPORTERS)
    path = tmp_path / "models" / name
    path.write_bytes(path.read_bytes()[: keep if keep >= 0 else -200])
    report = verify_artifact(path, workspace, PluginHost())
    assert not report.passed
    assert any("not a usable" in problem for problem in report.problems)


def test_verify_onnx_model_refuses_what_is_no_onnx(tmp_path: Path, conv):
    shipped(tmp_path, conv, "onnx")
    path = tmp_path / "models" / "toy.onnx"
    path.write_bytes(b"RIFF....WAVE")
    with pytest.raises(ParityError, match="not valid ONNX"):
        verify_onnx_model(path)
    with pytest.raises(ContractError, match="no such file"):
        verify_onnx_model(tmp_path / "other.onnx")


def test_an_artefact_of_another_interface_is_named(tmp_path: Path, conv):
    path = tmp_path / "toy.onnx"
    export_verified(conv, EXPORTERS["onnx"], path, cases_of(conv.contract))
    other = conv.contract.model_copy(update={"inputs": [TensorInfo(name="notes", shape=["batch", 4])]})
    with pytest.raises(KellyError, match=r"takes \['input'\].*says \['notes'\]"):
        EXPORTERS["onnx"].open_runner.resolve()(path, other, 1)


def damage_onnx(path: Path) -> None:
    model = onnx.load(path)
    weight = max(model.graph.initializer, key=lambda t: len(t.raw_data))
    values = onnx.numpy_helper.to_array(weight).copy()
    values.flat[np.abs(values).argmax()] *= 1.01
    weight.CopyFrom(onnx.numpy_helper.from_array(values, weight.name))
    onnx.save(model, path)


def damage_torchscript(path: Path) -> None:
    module = torch.jit.load(str(path))
    with torch.no_grad():
        weight = max(module.parameters(), key=lambda p: p.numel())
        flat = weight.view(-1)
        flat[flat.abs().argmax()] *= 1.01
    torch.jit.save(module, str(path))
