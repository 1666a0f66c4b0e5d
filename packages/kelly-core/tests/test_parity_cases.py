"""Ways of calling a model: whole, step by step with its state, after a reset; and the matrix of them."""

from __future__ import annotations

import numpy as np
import pytest

from kelly_core.contract import Contract, GoldenVector, StateInfo, TensorInfo
from kelly_core.verify import (
    COLUMNS,
    Case,
    ParityReport,
    cells_of,
    check_parity,
    matrix,
    parity_cases,
    random_inputs,
)
from kelly_core.verify.golden import golden_rows


class Sums:
    """A running sum over frames: the simplest model with state."""

    def __init__(self, damage=""):
        self.damage = damage
        self.left = 0.0

    def run(self, inputs):
        assert inputs["input"].dtype == np.float32
        sums = np.cumsum(inputs["input"], axis=1) + inputs["total"][:, None]
        state = sums[:, -1]
        if self.damage == "state not carried":
            state = inputs["total"]
        if self.damage == "state kept inside":
            sums, self.left = sums + self.left, self.left + float(np.abs(sums).max())
        if self.damage == "first item only":
            sums = np.broadcast_to(sums[:1], sums.shape)
        if self.damage == "no state out":
            return {"output": sums}
        return {"output": sums.astype(np.float32), "next_total": state.astype(np.float32)}


@pytest.fixture
def contract():
    bare = Contract(
        model_id="sums",
        model_version="1",
        task="sums",
        architecture_type="sums",
        parameters=0,
        inputs=[TensorInfo(name="input", shape=["batch", "frames", 3])],
        outputs=[TensorInfo(name="output", shape=["batch", "frames", 3])],
        state=[StateInfo(name="total", shape=["batch", 3])],
        window={"frames": 20},
        latency_budget_ms=1.0,
        run_id="",
        checkpoint_sha256="0" * 64,
    )
    golden = []
    for name, inputs in {"one": random_inputs(bare, 1), "two": random_inputs(bare, 2, seed=1)}.items():
        given = Sums().run({**inputs, "total": np.zeros((len(inputs["input"]), 3), np.float32)})
        golden.append(GoldenVector.of(name, inputs, {"output": given["output"]}))
    return bare.model_copy(update={"golden": golden})


def cases_of(contract):
    extremes = {"silence": {"input": np.zeros((1, 7, 3), np.float32)}}
    return parity_cases(contract, random_inputs(contract, 1), random_inputs(contract, 3), extremes)


def columns_that_fail(report):
    return [column for column, cell in cells_of(report).items() if cell.verdict == "fail"]


def test_every_column_has_a_case(contract):
    report = check_parity(Sums(), Sums(), cases_of(contract))
    assert [(column, cell.verdict) for column, cell in cells_of(report).items()] == [
        (c, "pass") for c in COLUMNS
    ]
    assert all(cell.max_abs < 1e-5 for cell in cells_of(report).values())


@pytest.mark.parametrize(
    ("damage", "columns"),
    [
        ("state not carried", list(COLUMNS)),  # the following state is an output of every call
        ("state kept inside", ["whole batch 3", "step by step", "after reset", "variable length"]),
        ("first item only", ["whole batch 3", "step by step", "variable length"]),
        ("no state out", list(COLUMNS)),
    ],
)
def test_what_is_wrong_shows_in_its_column(contract, damage, columns):
    report = check_parity(Sums(), Sums(damage), cases_of(contract))
    failing = columns_that_fail(report)
    assert set(columns) - {"extremes"} <= set(failing)
    assert report.verdict == "fail"


@pytest.mark.parametrize("damage", ["state not carried", "state kept inside"])
def test_golden_vectors_alone_show_lost_and_kept_state(contract, damage):
    assert all(row.passed for row in golden_rows(contract, Sums()))
    wrong = {row.column for row in golden_rows(contract, Sums(damage)) if not row.passed}
    assert {"state not carried": "step by step", "state kept inside": "after reset"}[damage] in wrong


def test_a_model_without_a_varying_dimension_is_stepped_call_by_call(contract):
    step = contract.model_copy(
        update={
            "inputs": [TensorInfo(name="input", shape=["batch", 1, 3])],
            "outputs": [TensorInfo(name="output", shape=["batch", 1, 3])],
        }
    )
    cases = cases_of(step)
    assert len(cases["steps, batch 1"].calls) > 3
    assert check_parity(Sums(), Sums(), cases).passed
    lost = check_parity(Sums(), Sums("state not carried"), {"steps": cases["steps, batch 3"]})
    assert not lost.passed


def test_a_file_that_was_not_run_never_passes():
    report = ParityReport("a.mlpackage", "contract", (), not_run="Core ML runs on macOS")
    assert (report.verdict, report.passed, report.failed) == ("not run here", False, False)
    assert {cell.verdict for cell in cells_of(report).values()} == {"not run here"}
    assert report.require() is report
    assert matrix([report])[0]["cells"]["whole batch 1"]["verdict"] == "not run here"
    damaged = ParityReport(
        "a.mlpackage", "contract", (), ("a weight differs",), not_run="Core ML runs on macOS"
    )
    assert damaged.verdict == "fail"


def test_a_lossy_format_may_differ_within_what_it_declares():
    right, other = {"logits": np.array([[4.0, 3.9]])}, {"logits": np.array([[3.9, 4.0]])}

    class Gives:
        def __init__(self, outputs):
            self.run = lambda _inputs: outputs

    options = {"ranked": ["logits"]}
    assert not check_parity(Gives(right), Gives(other), {"a": {}}, **options).passed
    report = check_parity(Gives(right), Gives(other), {"a": {}}, lossy=0.05, **options)
    assert report.passed
    assert cells_of(report)["whole batch 1"].top1 == 0.0
    assert "top 0%" in str(cells_of(report)["whole batch 1"])
    assert not check_parity(Gives(right), Gives(other), {"a": {}}, lossy=0.01, **options).passed


def test_plain_inputs_are_one_call():
    inputs = {"input": np.zeros((1, 2, 3), np.float32), "total": np.zeros((1, 3), np.float32)}
    assert Case("whole batch 1", [inputs]).run(Sums())["output"].shape == (1, 2, 3)
