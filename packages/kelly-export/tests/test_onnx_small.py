"""ONNX in fewer bits: within what is declared, smaller, and every weight accounted for."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper
from torch import nn

from kelly_core.contract import ArtifactInfo, Contract, TensorInfo
from kelly_core.errors import ParityError
from kelly_core.export import ExportBundle
from kelly_core.verify import export_verified, parity_cases, random_inputs
from kelly_export import onnx_small
from kelly_export.onnx import read_metadata
from kelly_export.plugin import kelly_exporters

torch.set_num_threads(1)
EXPORTERS = {spec.name: spec for spec in kelly_exporters() if spec.name in {"onnx-fp16", "onnx-int8"}}


class Network(nn.Module):
    """Convolution, batch norm, dense layers."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 48, 5, stride=2, padding=2)
        self.norm = nn.BatchNorm2d(48)
        self.head = nn.Sequential(nn.Linear(96, 64), nn.ReLU(), nn.Linear(64, 7))

    def forward(self, mel):
        hidden = torch.relu(self.norm(self.conv(mel / 50.0))).mean(2)
        return self.head(torch.cat([hidden.mean(2), hidden.amax(2)], 1))


@pytest.fixture(scope="module")
def bundle():
    torch.manual_seed(0)
    contract = Contract(
        model_id="toy",
        model_version="0.1.0",
        task="toy_task",
        architecture_type="cnn",
        parameters=0,
        inputs=[TensorInfo(name="input", shape=["batch", 1, 64, "frames"], low=-100.0, high=40.0)],
        outputs=[TensorInfo(name="logits", shape=["batch", 7])],
        labels=list("abcdefg"),
        window={"frames": 64},
        latency_budget_ms=5.0,
        run_id="run",
        checkpoint_sha256="0" * 64,
    )
    return ExportBundle(Network().eval(), contract, random_inputs(contract, 1), {"labels": "abc"})


def cases_of(contract):
    return parity_cases(contract, random_inputs(contract, 1), random_inputs(contract, 3))


@pytest.mark.parametrize(("name", "share"), [("onnx-fp16", 0.7), ("onnx-int8", 0.6)])
def test_a_small_file_is_smaller_and_close(tmp_path, bundle, name, share, capfd, recwarn):
    spec = EXPORTERS[name]
    path, whole = tmp_path / f"toy{spec.suffix}", tmp_path / "toy.onnx"
    info, report = export_verified(bundle, spec, path, cases_of(bundle.contract))
    assert (info.lossy, report.lossy, report.verdict) == (spec.lossy, spec.lossy, "pass")
    assert 0.0 < report.max_abs < 0.1
    assert any("weights are the trained model's, rounded" in fact for fact in report.facts)
    assert ArtifactInfo.of(path).sha256 == info.sha256
    onnx_small.full.export(bundle, whole)
    assert path.stat().st_size < share * whole.stat().st_size
    assert read_metadata(path) == {"labels": "abc"}
    assert capfd.readouterr() == ("", "")
    assert [str(w.message) for w in recwarn] == []


@pytest.mark.parametrize("name", EXPORTERS)
def test_a_weight_one_percent_off_is_found(tmp_path, bundle, name, monkeypatch):
    spec = EXPORTERS[name]
    right = spec.export.resolve()

    def damaged(bundle, path):
        right(bundle, path)
        model = onnx.load(path)
        weights = [t for t in model.graph.initializer if t.data_type in {1, 3, 10} and len(t.dims) >= 2]
        weight = max(weights, key=lambda t: len(t.raw_data))
        values = numpy_helper.to_array(weight).copy()
        at = np.abs(values.astype(np.float64)).argmax()
        changed = (
            values.flat[at] * 1.01 if values.dtype.kind == "f" else values.flat[at] - np.sign(values.flat[at])
        )
        values.flat[at] = changed
        weight.CopyFrom(numpy_helper.from_array(values, weight.name))
        onnx.save(model, path)

    monkeypatch.setattr(onnx_small, spec.export.target.split(":")[1], damaged)
    with pytest.raises(ParityError, match="is not the trained model's, rounded"):
        export_verified(bundle, spec, tmp_path / "toy.onnx", cases_of(bundle.contract))
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_differs_by_more_than_declared_is_refused(tmp_path, bundle, monkeypatch):
    other = ExportBundle(Network().eval(), bundle.contract, bundle.example, {})
    with torch.no_grad():
        other.module.head[2].weight.mul_(8.0)
    right = onnx_small.export_fp16
    monkeypatch.setattr(onnx_small, "export_fp16", lambda _bundle, path: right(other, path))
    monkeypatch.setattr(onnx_small, "inspect", lambda *_: onnx_small.Inspection())
    with pytest.raises(ParityError, match=r"it differs by \d"):
        export_verified(bundle, EXPORTERS["onnx-fp16"], tmp_path / "toy.onnx", cases_of(bundle.contract))
