"""Damaged Core ML files with state: a weight, a state that is lost, misplaced, swapped or another one."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from torch import nn

from kelly_core.contract import StateInfo
from kelly_core.errors import ParityError
from kelly_core.export import ExportBundle
from kelly_core.runtime import Runtime
from kelly_core.verify import export_verified

ELSEWHERE = pytest.mark.skipif(sys.platform == "darwin", reason="here Core ML itself predicts")


def changed(stateful, path, change):
    """The file written again with the operations of its program changed."""
    spec = stateful.spec_at(path)
    (function,) = spec.mlProgram.functions.values()
    (block,) = function.block_specializations.values()
    change(block)
    (path / "Data" / "com.apple.CoreML" / "model.mlmodel").write_bytes(spec.SerializeToString())


def target_of(operation):
    return operation.inputs["input"].arguments[0]


def of_type(block, kind):
    return [operation for operation in block.operations if operation.type == kind]


def test_a_weight_one_percent_off_is_found(stateful, tmp_path):
    path, bundle = stateful.copied("Steps", tmp_path)
    weight = bundle.module.enter.weight.detach().numpy()
    stored, wrong = weight.tobytes(), weight.copy()
    wrong.flat[np.abs(wrong).argmax()] *= 1.01
    (part,) = (part for part in path.rglob("*") if part.is_file() and stored in part.read_bytes())
    part.write_bytes(part.read_bytes().replace(stored, wrong.tobytes()))
    assert "not the trained model's" in stateful.problems(path, bundle)[0]


@pytest.mark.parametrize("blind", [False, True])
@pytest.mark.parametrize("name", ["Steps", "Frames"])
def test_state_that_is_never_written_is_found(stateful, tmp_path, name, blind):
    path, bundle = stateful.copied(name, tmp_path)
    changed(stateful, path, lambda block: block.operations.remove(of_type(block, "write_state")[0]))
    assert "0 times in a call" in stateful.problems(path, bundle, blind=blind)[0]


@pytest.mark.parametrize("blind", [False, True])
def test_state_written_to_the_wrong_place_is_found(stateful, tmp_path, blind):
    path, bundle = stateful.copied("Steps", tmp_path)

    def misplace(block):
        for operation in of_type(block, "write_state"):
            target_of(operation).name = "slow"

    changed(stateful, path, misplace)
    problems = stateful.problems(path, bundle, blind=blind)
    assert any("'quick' 0 times in a call" in problem for problem in problems)
    assert any("'slow' 2 times in a call" in problem for problem in problems)


def test_state_that_is_never_read_is_found(stateful, tmp_path):
    path, bundle = stateful.copied("Steps", tmp_path)

    def deaf(block):
        for operation in of_type(block, "read_state"):
            target_of(operation).name = "slow"

    changed(stateful, path, deaf)
    assert "never reads its state 'quick'" in stateful.problems(path, bundle, blind=True)[0]


def test_swapped_states_are_found(stateful, tmp_path):
    path, bundle = stateful.copied("Steps", tmp_path)
    swapped = {"quick": "slow", "slow": "quick"}

    def swap(block):
        for operation in of_type(block, "write_state"):
            target_of(operation).name = swapped[target_of(operation).name]

    changed(stateful, path, swap)
    problems = stateful.problems(path, bundle)
    assert any("calls after one another" in problem and "next_slow" in problem for problem in problems)


class Forgets(nn.Module):
    """Gives back the state that it got."""

    def __init__(self, module) -> None:
        super().__init__()
        self.module = module

    def forward(self, note, quick, slow):
        return self.module(note, quick, slow)[0], quick * 1.0, slow * 1.0


@pytest.mark.parametrize("name", ["coreml", "coreml-fp16", "coreml-state"])
def test_state_that_is_not_the_following_one_is_found_without_a_sequence(stateful, tmp_path, name):
    """Of a network of single steps, whose golden vectors can't tell."""
    bundle = stateful.bundle("Steps")
    wrong = ExportBundle(Forgets(bundle.module), bundle.contract, bundle.example, bundle.metadata)
    exporter = stateful.exporters[name]
    path = tmp_path / f"toy{exporter.suffix}"
    exporter.export.resolve()(wrong, path)
    assert "calls after one another" in stateful.problems(path, bundle, name=name)[0]


def test_other_states_than_the_contract_s_are_named(stateful):
    found = stateful.written("Steps")
    runtime, known = Runtime.of(stateful.spec), found.bundle.contract.state
    other = stateful.contract("Steps", state=[known[0], StateInfo(name="late", shape=["batch", 5])])
    assert "it keeps ['quick', 'slow']" in runtime.inspection(found.path, other, None).problems[0]
    other = stateful.contract("Steps", state=[known[0], StateInfo(name="slow", shape=["batch", 6])])
    assert "the shape of 'slow'" in runtime.inspection(found.path, other, None).problems[0]
    assert "it takes ['input']" in stateful.problems(found.path, found.bundle, name="coreml", blind=True)[0]


@ELSEWHERE
def test_an_export_that_inspection_refuses_is_not_kept(stateful, tmp_path, monkeypatch):
    from kelly_export.coreml import convert

    right = convert.export_state

    def damaged(bundle, path):
        right(bundle, path)
        changed(stateful, path, lambda block: block.operations.remove(of_type(block, "write_state")[0]))

    monkeypatch.setattr(convert, "export_state", damaged)
    bundle = stateful.bundle("Steps")
    with pytest.raises(ParityError, match="0 times in a call"):
        export_verified(bundle, stateful.spec, tmp_path / "toy.state.mlpackage", {})
    assert list(tmp_path.iterdir()) == []
