"""Core ML files that keep their state: what is in them, whether it is carried, what is refused."""

from __future__ import annotations

import platform
import sys

import numpy as np
import pytest
import torch

from kelly_core.contract import StateInfo, TensorInfo
from kelly_core.errors import FormatError
from kelly_core.export import ExportBundle
from kelly_core.runtime import ModuleRunner, Runtime
from kelly_core.specs import ModelSpec
from kelly_core.verify import check_parity, export_verified, from_reset, random_inputs
from kelly_export.plugin import STATE16, kelly_exporters

EXPORTERS = {spec.name: spec for spec in kelly_exporters()}
SPEC = EXPORTERS["coreml-state"]
ELSEWHERE = pytest.mark.skipif(sys.platform == "darwin", reason="here Core ML itself predicts")
SOME_FRAMES = TensorInfo(name="input", shape=["batch", "frames", 4])
EACH = pytest.mark.parametrize("name", ["Steps", "Frames"])


@EACH
@ELSEWHERE
def test_elsewhere_it_is_inspected_and_not_run(stateful, name):
    found = stateful.written(name)
    assert found.report.verdict == "not run here"
    assert found.info.lossy == STATE16
    assert "states as in the contract" in found.report.facts[0]
    assert "weights are the trained model's" in found.report.facts[1]
    assert "and carries its state" in found.report.facts[2]


@EACH
def test_state_is_core_ml_s_and_no_longer_at_the_interface(stateful, name):
    found = stateful.written(name)
    spec, contract = stateful.spec_at(found.path), found.bundle.contract
    description = spec.description
    assert spec.specificationVersion == 9  # of macOS 15 and iOS 18
    assert [f.name for f in description.input] == ["input"]
    classifier = {"label", "label_probs"} if contract.labels else set()
    assert {f.name for f in description.output} == {"output", *classifier}
    states = {f.name: f.type.stateType.arrayType for f in description.state}
    wanted = {info.name: [1, *info.shape[1:]] for info in contract.state}
    assert {state: list(array.shape) for state, array in states.items()} == wanted
    assert {array.ArrayDataType.Name(array.dataType) for array in states.values()} == {"FLOAT16"}
    assert description.metadata.userDefined["labels"] == found.bundle.metadata["labels"]


@EACH
def test_the_program_is_the_network_within_the_declared_difference(stateful, name):
    from kelly_export.coreml.mil import MilRunner

    found = stateful.written(name)
    contract = found.bundle.contract
    runner = MilRunner(stateful.program_at(found.path), contract)
    reference = ModuleRunner(found.bundle.module, contract)
    report = check_parity(reference, runner, stateful.cases(contract), lossy=STATE16).require()
    assert {"step by step", "after reset"} <= {row.column for row in report.rows}
    assert 1e-6 < report.max_abs < STATE16  # fp16 is in it


@EACH
def test_state_left_where_it_is_goes_from_call_to_call_and_a_new_one_forgets(stateful, name):
    """As a host calls it: nothing is read or written between calls; two streams are apart."""
    from kelly_export.coreml.mil import MilRunner

    found = stateful.written(name)
    contract = found.bundle.contract
    runner = MilRunner(stateful.program_at(found.path), contract)
    reference = ModuleRunner(found.bundle.module, contract)
    resets = {info.name: info.reset for info in contract.state}

    def stream():
        state = runner.make_state()
        for memory, held in state.items():
            held.write(torch.full_like(held.value, resets[memory]))
        return state

    calls = [random_inputs(contract, 1, seed, frames=3) for seed in range(20)]
    kept, other = stream(), stream()
    before = from_reset(contract, calls[0])
    first = runner.predict(calls[0], stream())["output"]
    for inputs in calls:
        given = runner.predict(inputs, kept)["output"]
        wanted = reference.run({**before, **inputs})
        assert np.abs(given - wanted["output"]).max() < STATE16
        before = {info.name: wanted[info.next_name] for info in contract.state}
    assert not np.allclose(runner.predict(calls[0], kept)["output"], first, atol=STATE16)
    np.testing.assert_array_equal(runner.predict(calls[0], other)["output"], first)


@ELSEWHERE
def test_a_state_may_be_what_another_one_was(stateful):
    assert "and carries its state" in stateful.written("Late").report.facts[2]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"state": []}, "no state"),
        ({"state": [StateInfo(name="count", shape=["batch"], dtype="int64")]}, "'count' is int64"),
        ({"state": [StateInfo(name="all", shape=["batch", "frames"])]}, "'all' varies in size"),
        ({"inputs": [SOME_FRAMES, TensorInfo(name="style", shape=["batch"])]}, "but not 'style'"),
    ],
)
def test_what_core_ml_can_t_keep_is_refused_with_the_format_to_take(stateful, tmp_path, changes, reason):
    bundle = stateful.bundle("Frames")
    refused = ExportBundle(bundle.module, stateful.contract("Frames", **changes), bundle.example, {})
    with pytest.raises(FormatError, match=reason) as caught:
        export_verified(refused, SPEC, tmp_path / "toy.state.mlpackage", {})
    assert "`coreml`" in caught.value.hint
    assert list(tmp_path.iterdir()) == []


def test_an_older_macos_says_which_one_it_takes(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(platform, "mac_ver", lambda: ("14.6", ("", "", ""), ""))
    assert "macOS 15" in Runtime.of(SPEC).why_not()
    assert Runtime.of(EXPORTERS["coreml"]).why_not() == ""
    monkeypatch.setattr(platform, "mac_ver", lambda: ("15.1", ("", "", ""), ""))
    assert Runtime.of(SPEC).why_not() == ""


def test_all_leaves_it_out():
    assert SPEC.lossy > 0
    assert "coreml-state" not in ModelSpec.__dataclass_fields__["export_formats"].default


class StandIn:
    """What Core ML offers on macOS, computed op by op."""

    def __init__(self, spec, runner) -> None:
        self.spec, self.runner = spec, runner

    def get_spec(self):
        return self.spec

    def make_state(self):
        return StandInState(self.runner.make_state())

    def predict(self, data, state):
        assert set(data) == {"input"}
        return self.runner.predict(data, state.held)


class StandInState:
    def __init__(self, held) -> None:
        self.held = held

    def write_state(self, name, value):
        self.held[name].write(torch.tensor(value))

    def read_state(self, name):
        return self.held[name].value.numpy()


@EACH
def test_the_macos_runner_hands_state_in_and_out(stateful, name, monkeypatch):
    """Core ML isn't here; what stands in for it has the methods that Core ML Tools gives a loaded model."""
    from kelly_export.coreml.mil import MilRunner
    from kelly_export.coreml.tools import quiet

    found = stateful.written(name)
    contract = found.bundle.contract
    loaded = StandIn(stateful.spec_at(found.path), MilRunner(stateful.program_at(found.path), contract))
    with quiet() as ct, monkeypatch.context() as patched:
        patched.setattr(ct.models, "MLModel", lambda *_, **__: loaded)
        runner = SPEC.open_runner.resolve()(found.path, contract, 1)
    reference = ModuleRunner(found.bundle.module, contract)
    report = check_parity(reference, runner, stateful.cases(contract), lossy=STATE16)
    assert report.require().passed
