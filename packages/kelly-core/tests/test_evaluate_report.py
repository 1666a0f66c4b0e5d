"""A protocol's report pairs fold with fold, whatever order they ended in."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from kelly_core.cli.evaluate import _show_protocol
from kelly_core.evaluate.folds import FoldResult, pooled
from kelly_core.evaluate.protocol import Protocol, PublishedRow
from kelly_core.evaluate.protocol_report import make_report
from kelly_core.task import Predictions

PROTOCOL = Protocol(
    "five",
    "five folds",
    "set",
    lambda dataset, seed: [],
    "accuracy",
    published=[PublishedRow("a", "1", "b", "c")],
)
SCORES = {(0, "0"): 0.2, (0, "1"): 0.8, (1, "0"): 0.4, (1, "1"): 1.0}


def said(score, fold):
    hits = np.arange(10) < round(10 * score)
    groups = np.array([f"{fold}-{i % 5}" for i in range(10)])
    return Predictions(hits.astype(float), np.ones(10), groups, [f"{fold}/{i}" for i in range(10)], 1 - score)


def result(seed, fold):
    score = SCORES[seed, fold]
    baselines = {"majority": said(0.1, fold)} if seed == 0 else {}
    return FoldResult(
        fold, seed, 3, {}, said(score, fold), baselines, {"+6 dB": said(score - 0.1, fold)}, 2.0, 99
    )


def accuracy(predictions):
    return {"accuracy": float(predictions.outputs.mean())}


TASK = SimpleNamespace(
    metrics=accuracy, sums=lambda p: None, breakdown=lambda p: {"worst": float(p.outputs.min())}
)


@pytest.mark.parametrize("order", [[0, 1, 2, 3], [3, 0, 2, 1]])
def test_folds_are_averaged_over_seeds_whatever_order_they_ended_in(order):
    results = [result(*list(SCORES)[place]) for place in order]
    report = make_report(PROTOCOL, "m", {"": "cnn"}, results, TASK)
    model, louder, majority = report.rows
    # fold 0: (0.2 + 0.4) / 2, fold 1: (0.8 + 1.0) / 2; half-width of Student's t with one degree of freedom
    assert model.folds["accuracy"].value == pytest.approx(0.6)
    assert model.folds["accuracy"].high - 0.6 == pytest.approx(12.7062 * 0.3, rel=1e-4)
    assert model.per_seed[1]["accuracy"] == pytest.approx(0.7)
    assert louder.folds["accuracy"].value == pytest.approx(0.5)
    assert majority.folds["accuracy"].value == pytest.approx(0.1)
    assert report.seconds == {0: 4.0, 1: 4.0}


def test_the_report_is_plain_json():
    report = make_report(PROTOCOL, "m", {"": "cnn"}, [result(*key) for key in SCORES], TASK)
    content = json.loads(json.dumps(report.as_dict(), allow_nan=False))
    assert content["published"][0]["protocol"] == "b"
    assert [row["name"] for row in content["rows"]] == ["m (cnn)", "m, +6 dB", "majority"]


def test_pooled_folds_cover_the_items_once():
    whole = pooled([said(0.5, "0"), said(1.0, "1")])
    assert len(set(whole.items)) == 20
    assert whole.loss == pytest.approx(0.25)


def test_arms_have_their_own_rows_and_differences_to_their_own_baselines():
    protocol = replace(PROTOCOL, arms={"blind": {"x": 1}, "live": {"x": 2}}, settings={"y": 3})
    assert protocol.arm_settings() == {"blind": {"y": 3, "x": 1}, "live": {"y": 3, "x": 2}}
    results = [replace(result(0, "0"), arm=arm) for arm in ("live", "blind")]
    report = make_report(protocol, "m", {"blind": "cnn", "live": "tcn"}, results, TASK)
    assert [(row.arm, row.name) for row in report.rows if "m (" in row.name] == [
        ("blind", "m (cnn)"),
        ("live", "m (tcn)"),
    ]
    difference = report.rows[0].against["majority"]["accuracy"]
    assert difference.value == pytest.approx(0.1)
    content = json.loads(json.dumps(report.as_dict(), allow_nan=False))  # one fold: its interval is null
    assert content["rows"][0]["over_folds"]["accuracy"]["low"] is None
    assert content["arms"]["live"]["architecture_type"] == "tcn"
    shown = report.rows[0].figure("accuracy")
    assert shown.low <= shown.value <= shown.high


def test_a_baseline_without_the_headline_is_shown_with_what_it_has(capsys):
    def metrics(predictions):
        return {"recall": 0.5} | ({} if "silent" in predictions.extra else accuracy(predictions))

    results = [result(*key) for key in SCORES]
    for one in results:
        silent = {name: replace(of, extra={"silent": np.ones(10)}) for name, of in one.baselines.items()}
        one.baselines.update(silent)
    task = SimpleNamespace(metrics=metrics, sums=lambda p: None, breakdown=lambda p: {})
    _show_protocol(make_report(PROTOCOL, "m", {"": "cnn"}, results, task))
    shown = capsys.readouterr().out
    (row,) = [line for line in shown.splitlines() if line.startswith("majority ")]
    assert row.split()[1:] == ["-", "0.500"]
    assert "recall minus that of majority" in shown
    assert "accuracy minus that of majority" not in shown
