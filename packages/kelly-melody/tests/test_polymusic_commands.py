"""Head `keys` through the commands: train, evaluate, export, verify; the protocol; what goes wrong."""

import json

import numpy as np
import pytest
from scipy.io import savemat

from kelly_core.cli import run

TINY = ["head=keys", *(f"network.{size}" for size in ("width=8", "layers=1", "heads=2", "span=8"))]


@pytest.fixture(scope="module")
def rolls(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rolls")
    rng = np.random.default_rng(0)
    for name in ("JSB_Chorales", "Nottingham"):
        sides = {}
        for side, count in {"traindata": 6, "validdata": 3, "testdata": 3}.items():
            sides[side] = np.empty((1, count), object)
            for at in range(count):
                bar = (rng.random((8, 88)) < 0.04).astype(np.uint8)
                sides[side][0, at] = np.tile(bar, (5, 1))
        savemat(folder / f"{name}.mat", sides)
    return folder


@pytest.fixture(scope="module", params=["lstm", "tcn", "transformer"])
def trained(request, rolls, tmp_path_factory):
    place = tmp_path_factory.mktemp(request.param)
    sets = [*TINY, f"architecture_type={request.param}", "checkpoint.samples_every=1"]
    words = ["train", "melody", "--data", str(rolls), "--epochs", "1", "--export-onnx", "--export-torchscript"]
    assert run(["--workspace", str(place), *words, *(part for one in sets for part in ("--set", one))]) == 0
    return place


def test_a_tiny_run_exports_verifies_and_is_measured(trained, capsys):
    names = {path.name for path in (trained / "models").iterdir()}
    assert {"melodytransformer.onnx", "melodytransformer.pt", "melodytransformer.contract.json"} <= names
    samples = {path.suffix for path in trained.glob("logs/training/*/samples/epoch_1/*")}
    assert samples == {".mid", ".wav", ".png"}
    assert run(["--workspace", str(trained), "verify", "melody"]) == 0
    capsys.readouterr()
    assert run(["--workspace", str(trained), "evaluate", "melody", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert set(report["metrics"]["test"]) >= {"nll", "nll_novel", "accuracy"}
    assert "longest match copied" in report["baselines"]


def test_the_protocol_runs_an_arm_beside_published_rows(rolls, tmp_path, monkeypatch):
    from kelly_melody.polymusic import protocols

    small = {"network.width": 8, "epochs": 1, "precision": "32-true"}
    for name, settings in list(protocols.ARMS.items()):
        monkeypatch.setitem(protocols.ARMS, name, {**settings, **small})
    words = ["evaluate", "melody", "--protocol", "polymusic", "--data", str(rolls), "--jobs", "1"]
    report = tmp_path / "report.json"
    arms = ["--arm", "nottingham-plain", "--arm", "jsb-memory"]
    assert run(["--workspace", str(tmp_path), *words, *arms, "-o", str(report)]) == 0
    told = json.loads(report.read_text())
    assert list(told["arms"]) == ["nottingham-plain", "jsb-memory"]
    assert len(told["published"]) == 3
    assert not any("match" in row["name"] for row in told["rows"] if row["arm"] == "nottingham-plain")


def test_piano_rolls_need_head_keys_and_head_keys_needs_piano_rolls(rolls, tmp_path, capsys):
    words = ["--workspace", str(tmp_path), "train", "melody", "--epochs", "1"]
    assert run([*words, "--data", str(rolls)]) == 2
    assert "head=keys" in capsys.readouterr().err
    assert run([*words, "--data", "demo", "--set", "head=keys"]) == 2
    assert "holds no piano rolls" in capsys.readouterr().err


def test_predict_says_that_this_head_continues_no_melody(trained, tmp_path, capsys):
    assert run(["--workspace", str(trained), "predict", "melody", "-o", str(tmp_path / "out.mid")]) > 0
    assert "isn't a model of melodies" in capsys.readouterr().err
