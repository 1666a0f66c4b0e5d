"""Parity: names, then shapes, then differences; ties, infinities, large values, a runtime that fails."""

from __future__ import annotations

import json

import numpy as np
import pytest

from kelly_core.errors import ParityError
from kelly_core.verify import ParityReport, check_parity


class Gives:
    """A runner that gives fixed outputs."""

    def __init__(self, **outputs):
        self.outputs = {name: np.asarray(value, np.float32) for name, value in outputs.items()}

    def run(self, inputs):
        return dict(self.outputs)


class Fails:
    def run(self, inputs):
        raise RuntimeError("Invalid dimensions for input\nmore lines")


CASES = {"clip": {}}
LOGITS = [[0.0, 2.0, 1.0]]


def check(right, other, **options):
    return check_parity(Gives(logits=right), Gives(logits=other), CASES, **options)


def test_equal_outputs_pass():
    report = check(LOGITS, LOGITS, ranked=["logits"])
    assert report.passed
    assert report.max_abs == 0.0
    assert report.rows[0].same_top is True
    assert report.require() is report


def test_a_difference_is_measured_and_named():
    report = check(LOGITS, [[0.0, 2.0, 1.5]])
    assert not report.passed
    assert report.rows[0].max_abs == pytest.approx(0.5)
    assert report.rows[0].max_rel == pytest.approx(0.25)
    with pytest.raises(ParityError, match=r"case 'clip', output 'logits': it differs by 0\.5"):
        report.require()


def test_a_missing_output_comes_before_shapes_and_numbers():
    report = check_parity(Gives(logits=LOGITS), Gives(scores=LOGITS), CASES)
    assert [row.reason for row in report.rows] == [
        "the reference has no such output",
        "it is missing; there are ['scores']",
    ]


def test_a_shape_that_differs_is_named():
    report = check(LOGITS, [LOGITS[0]] * 2)
    assert report.failures() == ["case 'clip', output 'logits': its shape is (2, 3), expected (1, 3)"]


def test_another_first_class_fails_even_within_the_tolerance():
    report = check([[1.0, 1.00006]], [[1.00006, 1.0]], ranked=["logits"])
    assert report.failures() == ["case 'clip', output 'logits': it ranks another class first"]
    assert check([[1.0, 1.00006]], [[1.00006, 1.0]]).passed  # nothing is ranked here


def test_an_exact_tie_may_fall_either_way():
    assert check([[1.0, 1.0]], [[1.0, 1.0000001]], ranked=["logits"]).passed


def test_large_outputs_are_compared_by_their_size():
    assert check([[1000.0, 0.0]], [[1000.005, 0.0]]).passed
    assert not check([[1000.0, 0.0]], [[1000.05, 0.0]]).passed


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_values_that_are_not_finite_never_pass(bad):
    assert "it holds NaN or infinity" in check(LOGITS, [[0.0, bad, 1.0]]).failures()[0]
    assert "the reference holds NaN" in check([[0.0, bad, 1.0]], [[0.0, bad, 1.0]]).failures()[0]


def test_a_runtime_that_fails_is_a_finding():
    report = check_parity(Gives(logits=LOGITS), Fails(), CASES)
    assert report.failures() == [
        "case 'clip', output 'logits': the runtime failed: Invalid dimensions for input"
    ]


def test_comparing_nothing_is_no_success():
    report = check_parity(Gives(logits=LOGITS), Gives(logits=LOGITS), {})
    assert not report.passed
    with pytest.raises(ParityError, match="nothing was compared"):
        report.require()


def test_a_report_becomes_json_even_where_differences_are_infinite():
    report = check_parity(Gives(logits=LOGITS), Fails(), CASES)
    text = json.dumps(report.as_dict(), allow_nan=False)
    assert json.loads(text)["rows"][0]["max_abs"] is None
    assert ParityReport("a", "b", report.rows, ("bad checksum",)).failures()[0] == "bad checksum"
