"""Core ML files: what is written, what inspection tells of sound and of damaged ones."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest
import torch
from torch import nn

from kelly_core.contract import Contract, GoldenVector, StateInfo, TensorInfo
from kelly_core.errors import MissingExtraError, ParityError
from kelly_core.export import ExportBundle
from kelly_core.plugins import PluginHost
from kelly_core.runtime import ModuleRunner, Runtime
from kelly_core.verify import (
    check_parity,
    export_verified,
    from_reset,
    golden_inputs,
    parity_cases,
    random_inputs,
    verify_model,
)
from kelly_core.workspace import Workspace
from kelly_export.plugin import kelly_exporters

pytest.importorskip("coremltools")
torch.set_num_threads(1)
EXPORTERS = {spec.name: spec for spec in kelly_exporters() if spec.name in {"coreml", "coreml-fp16", "mlmodel"}}
PROGRAMS = ["coreml", "coreml-fp16"]
ELSEWHERE = pytest.mark.skipif(sys.platform == "darwin", reason="here Core ML itself predicts")


class Classifier(nn.Module):
    """Convolution, batch norm, dense; scores of three labels."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(4, 16, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm1d(16)
        self.head = nn.Linear(16, 3)

    def forward(self, notes):
        hidden = torch.relu(self.norm(self.conv(notes.transpose(1, 2)))).mean(2)
        one = torch.ones(1, 1).expand(
            *hidden.shape[:-1], -1
        )  # sizes as numbers, which the converter stumbles on
        return self.head(hidden * one) + 0.01 * (1.0 / (hidden.mean(1, keepdim=True) + 0.01))


class Recurrent(nn.Module):
    """Recurrent layers with their state at the interface."""

    def __init__(self, kind) -> None:
        super().__init__()
        self.layers = kind(4, 5, num_layers=2, batch_first=True)
        self.head = nn.Linear(5, 3)

    def forward(self, notes, *state):
        first = [one.transpose(0, 1).contiguous() for one in state]
        hidden, last = self.layers(notes, first[0] if len(first) == 1 else tuple(first))
        last = (last,) if len(first) == 1 else last
        return self.head(hidden), *(one.transpose(0, 1) for one in last)


class Gru(Recurrent):
    states = 1

    def __init__(self) -> None:
        super().__init__(nn.GRU)


class Lstm(Recurrent):
    states = 2

    def __init__(self) -> None:
        super().__init__(nn.LSTM)


def bundle_of(kind):
    torch.manual_seed(0)
    module = kind()
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm1d):
            layer.running_mean.normal_()
            layer.running_var.uniform_(0.5, 2.0)
    module.eval()
    recurrent = isinstance(module, Recurrent)
    state = (
        [StateInfo(name=f"memory_{at}", shape=["batch", 2, 5]) for at in range(module.states)]
        if recurrent
        else []
    )
    bare = Contract(
        model_id="toy",
        model_version="0.1.0",
        task="toy_task",
        architecture_type="toy",
        parameters=0,
        inputs=[TensorInfo(name="input", shape=["batch", "notes", 4])],
        outputs=[TensorInfo(name="output", shape=["batch", "notes", 3] if recurrent else ["batch", 3])],
        state=state,
        labels=[] if recurrent else ["low", "mid", "high"],
        window={"frames": 12},
        latency_budget_ms=5.0,
        run_id="run",
        checkpoint_sha256="0" * 64,
    )
    runner = ModuleRunner(module, bare)
    golden = [
        GoldenVector.of(name, inputs, {"output": runner.run(from_reset(bare, inputs))["output"]})
        for name, inputs in golden_inputs(bare, random_inputs(bare, 1), random_inputs(bare, 3)).items()
    ]
    contract = bare.model_copy(update={"golden": golden})
    return ExportBundle(module, contract, cases_of(contract)["batch 1"].inputs, {"labels": '["low"]'})


def cases_of(contract):
    return parity_cases(contract, random_inputs(contract, 1), random_inputs(contract, 3))


def model_at(path):
    from kelly_export.coreml.tools import quiet

    with quiet() as ct:
        return ct.models.MLModel(str(path), skip_model_load=True)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Every kind of file of every network, written once."""
    folder = tmp_path_factory.mktemp("coreml")
    found = {}
    for kind in (Classifier, Gru, Lstm):
        bundle = bundle_of(kind)
        for name, spec in EXPORTERS.items():
            path = folder / f"{kind.__name__}{spec.suffix}"
            _, report = export_verified(bundle, spec, path, cases_of(bundle.contract))
            found[kind, name] = path, bundle, report
    return found


@pytest.mark.parametrize("name", EXPORTERS)
@pytest.mark.parametrize("kind", [Classifier, Gru, Lstm])
@ELSEWHERE
def test_elsewhere_a_file_is_inspected_and_not_run(written, kind, name):
    _, _, report = written[kind, name]
    assert report.verdict == "not run here"
    assert "macOS" in report.not_run
    assert any("weights are the trained model's" in fact for fact in report.facts)
    if name in PROGRAMS:
        assert any("computed op by op" in fact for fact in report.facts)


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize("kind", [Classifier, Gru, Lstm])
def test_the_program_is_the_network(written, kind, name):
    from kelly_export.coreml.inspect import load_program
    from kelly_export.coreml.mil import MilRunner

    path, bundle, _ = written[kind, name]
    runner = MilRunner(load_program(model_at(path)), bundle.contract)
    lossy = EXPORTERS[name].lossy
    reference = ModuleRunner(bundle.module, bundle.contract)
    report = check_parity(reference, runner, cases_of(bundle.contract), lossy=lossy)
    assert report.require().max_abs < (0.01 if lossy else 1e-5)


@pytest.mark.parametrize("name", EXPORTERS)
def test_labels_names_and_metadata_are_in_the_file(written, name):
    path, bundle, _ = written[Classifier, name]
    description = model_at(path).get_spec().description
    assert [f.name for f in description.input] == ["input"]
    assert {f.name for f in description.output} == {"output", "label", "label_probs"}
    assert description.predictedFeatureName == "label"
    assert description.metadata.userDefined["labels"] == bundle.metadata["labels"]
    stateful = model_at(written[Lstm, name][0]).get_spec().description
    assert {f.name for f in stateful.output} == {"output", "next_memory_0", "next_memory_1"}


def test_exporting_says_nothing(tmp_path, written, recwarn, capfd):
    bundle = bundle_of(Classifier)
    export_verified(bundle, EXPORTERS["coreml"], tmp_path / "toy.mlpackage", cases_of(bundle.contract))
    assert [str(w.message) for w in recwarn] == []
    assert capfd.readouterr() == ("", "")


def changed_program(path, change):
    """The ML program written again with one constant changed."""
    weights = path / "Data" / "com.apple.CoreML" / "weights" / "weight.bin"
    values = np.frombuffer(weights.read_bytes(), np.uint8).copy()
    change(values)
    weights.write_bytes(values.tobytes())


def scaled(needle, factor):
    """A change of stored bytes: the first number of a weight times a factor."""

    def change(stored):
        raw = needle.tobytes()
        at = stored.tobytes().find(raw)
        assert at >= 0
        wrong = needle.copy()
        wrong.flat[np.abs(wrong).argmax()] *= factor
        stored[at : at + len(raw)] = np.frombuffer(wrong.tobytes(), np.uint8)

    return change


def inspected(name, path, bundle, *, blind=False):
    runtime = Runtime.of(EXPORTERS[name])
    return runtime.inspection(path, bundle.contract, None if blind else bundle.module)


@pytest.fixture
def copied(tmp_path, written):
    import shutil

    def copy(kind, name):
        path, bundle, _ = written[kind, name]
        target = tmp_path / path.name
        shutil.copytree(path, target) if path.is_dir() else shutil.copy(path, target)
        return target, bundle

    return copy


@pytest.mark.parametrize(("name", "dtype"), [("coreml", np.float32), ("coreml-fp16", np.float16)])
def test_a_weight_one_percent_off_is_found(copied, name, dtype):
    path, bundle = copied(Classifier, name)
    assert inspected(name, path, bundle).problems == ()
    weight = bundle.module.conv.weight.detach().numpy().astype(dtype)
    changed_program(path, scaled(weight, 1.01))
    problems = inspected(name, path, bundle).problems
    assert "conv" in problems[0]
    assert "not the trained model's" in problems[0]


def test_without_the_checkpoint_the_golden_vectors_find_a_wrong_weight(copied):
    path, bundle = copied(Classifier, "coreml")
    changed_program(path, scaled(bundle.module.conv.weight.detach().numpy(), 1.5))
    assert "computed op by op" in inspected("coreml", path, bundle, blind=True).problems[0]


def test_swapped_gates_are_found(copied):
    path, bundle = copied(Lstm, "coreml")
    gates = bundle.module.layers.weight_hh_l0.detach().numpy()
    in_file = gates.reshape(4, 5, 5)[[0, 1, 3, 2]]

    def swap(stored):
        at = stored.tobytes().find(in_file.tobytes())
        assert at >= 0
        wrong = in_file[[1, 0, 2, 3]]
        stored[at : at + wrong.nbytes] = np.frombuffer(wrong.tobytes(), np.uint8)

    changed_program(path, swap)
    assert "weight_hh_l0" in inspected("coreml", path, bundle).problems[0]
    assert "computed op by op" in inspected("coreml", path, bundle, blind=True).problems[0]


def test_a_neural_network_s_wrong_weight_is_found(copied):
    path, bundle = copied(Classifier, "mlmodel")
    model = model_at(path)
    spec = model.get_spec()
    layer = next(
        one for one in spec.neuralNetworkClassifier.layers if one.WhichOneof("layer") == "innerProduct"
    )
    layer.innerProduct.weights.floatValue[0] *= 1.01
    path.write_bytes(spec.SerializeToString())
    assert "not the trained model's" in inspected("mlmodel", path, bundle).problems[0]


def test_state_that_is_not_carried_is_found(tmp_path, written):
    """A module that gives back the state it got, in the place of the real one."""

    class Forgets(nn.Module):
        def __init__(self, module) -> None:
            super().__init__()
            self.module = module

        def forward(self, notes, *state):
            return self.module(notes, *state)[0], *(one * 1.0 for one in state)

    from kelly_export.coreml import convert

    bundle = bundle_of(Gru)
    wrong = ExportBundle(Forgets(bundle.module), bundle.contract, bundle.example, bundle.metadata)
    path = tmp_path / "toy.mlpackage"
    convert.export(wrong, path)
    found = inspected("coreml", path, bundle, blind=True).problems
    assert any("step by step" in problem for problem in found)


def test_another_interface_and_other_labels_are_named(copied):
    path, bundle = copied(Classifier, "coreml")
    contract = bundle.contract
    other = contract.model_copy(update={"inputs": [TensorInfo(name="input", shape=["batch", "notes", 5])]})
    runtime = Runtime.of(EXPORTERS["coreml"])
    assert "the shape of 'input'" in runtime.inspection(path, other, None).problems[0]
    other = contract.model_copy(update={"labels": ["low", "high", "mid"]})
    assert "its labels are" in runtime.inspection(path, other, None).problems[0]


@pytest.mark.parametrize("name", ["coreml", "mlmodel"])
@ELSEWHERE
def test_verify_says_not_run_here_and_finds_damage(tmp_path, copied, name):
    path, bundle = copied(Classifier, name)
    workspace = Workspace(tmp_path)
    workspace.models.mkdir()
    from kelly_core.contract import ArtifactInfo

    path = path.rename(workspace.models / path.name)
    artifacts = {name: ArtifactInfo.of(path)}
    bundle.contract.model_copy(update={"artifacts": artifacts}).save(workspace.contract("toy"))
    (report,) = verify_model(workspace, PluginHost(), "toy")
    assert (report.verdict, report.passed, report.failed) == ("not run here", False, False)
    assert json.loads(json.dumps(report.as_dict()))["not_run"]
    with pytest.raises(MissingExtraError, match="macOS"):
        Runtime.of(EXPORTERS[name]).open(path, bundle.contract)
    whole = path / "Manifest.json" if path.is_dir() else path
    whole.write_bytes(whole.read_bytes()[:100])
    (report,) = verify_model(workspace, PluginHost(), "toy")
    assert report.verdict == "fail"
    assert any("not a usable Core ML file" in problem for problem in report.failures())


@ELSEWHERE
def test_an_export_that_inspection_refuses_is_not_kept(tmp_path, monkeypatch):
    from kelly_export.coreml import convert

    right = convert.export

    def damaged(bundle, path):
        right(bundle, path)
        changed_program(path, scaled(bundle.module.conv.weight.detach().numpy(), 1.01))

    monkeypatch.setattr(convert, "export", damaged)
    bundle = bundle_of(Classifier)
    with pytest.raises(ParityError, match="not the trained model's"):
        export_verified(bundle, EXPORTERS["coreml"], tmp_path / "toy.mlpackage", cases_of(bundle.contract))
    assert list(tmp_path.iterdir()) == []
