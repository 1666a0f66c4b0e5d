"""GroovePredictor through the commands, on its demo set: train, evaluate, export, verify, predict."""

import json
from pathlib import Path

import numpy as np
import pytest

from kelly_core.cli import run
from kelly_core.features.midi import make_notes, read_midi, write_notes
from kelly_core.inference import create_engine_by_name
from kelly_groove.data.read import drum_notes, on_grid
from kelly_groove.infer import remember, say

TINY = ["network.width=8", "network.span=64", "checkpoint.samples_every=1"]


@pytest.fixture(scope="module", params=["score", "live"])
def trained(request, tmp_path_factory):
    """A workspace with a tiny model of each kind, exported in both formats."""
    place = tmp_path_factory.mktemp(request.param)
    sets = [part for setting in (*TINY, f"input={request.param}") for part in ("--set", setting)]
    words = ["train", "groove", "--data", "demo", "--epochs", "1", "--export-onnx", "--export-torchscript"]
    assert run(["--workspace", str(place), *words, *sets]) == 0
    return place, request.param


@pytest.fixture
def beat(tmp_path):
    pattern = [(step * 120, 42, 80) for step in range(0, 32, 2)] + [(0, 36, 90), (480, 38, 95), (970, 36, 90)]
    onset, pitch, velocity = (np.array(column) for column in zip(*sorted(pattern), strict=True))
    notes = make_notes(pitch, onset, 40, velocity, channel=9, bpm=100.0)
    keys = make_notes([60, 64], [0, 480], 200, 70, channel=0, track=1, bpm=100.0)
    write_notes(tmp_path / "beat.mid", np.concatenate([notes, keys]), 100.0, names=("drums", "keys"))
    return tmp_path / "beat.mid"


def test_a_tiny_run_leaves_model_exports_and_samples(trained):
    place, _ = trained
    names = {path.name for path in (place / "models").iterdir()}
    assert {"groovepredictor.onnx", "groovepredictor.pt", "groovepredictor.contract.json"} <= names
    samples = {path.suffix for path in place.glob("logs/training/*/samples/epoch_1/*")}
    assert samples == {".mid", ".wav", ".png"}
    assert "SYNTHETIC" in (place / "docs/model_cards/groovepredictor.md").read_text().upper()


def test_verify_and_evaluate_pass(trained, capsys):
    place, kind = trained
    assert run(["--workspace", str(place), "verify", "groove"]) == 0
    capsys.readouterr()
    assert run(["--workspace", str(place), "evaluate", "groove", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["synthetic"]
    assert set(report["metrics"]["test"]) >= {"timing_mae_ms", "timing_mse_16ths", "velocity_mae"}
    assert ("running mean by position, drum" in report["baselines"]) == (kind == "live")


def test_predict_changes_drums_only_and_again_the_same(trained, beat, capsys):
    place, _ = trained
    words = ["--workspace", str(place), "predict", "groove", str(beat), "--style", "funk", "--amount", "0.8"]
    outputs = []
    for name in ("one.mid", "two.mid"):
        assert run([*words, "--seed", "3", "-o", str(beat.with_name(name)), "--json"]) == 0
        outputs.append(beat.with_name(name).read_bytes())
    assert outputs[0] == outputs[1]
    before, after = read_midi(beat).notes, read_midi(beat.with_name("one.mid")).notes
    assert len(before) == len(after)
    for table in (before, after):
        table.sort(order=["track", "pitch", "onset_tick"])
    keys = before["channel"] == 0
    assert before[keys][["onset_tick", "velocity"]].tolist() == after[keys][["onset_tick", "velocity"]].tolist()
    assert before["velocity"].tolist() != after["velocity"].tolist()
    told = json.loads(capsys.readouterr().out.split("\n}\n")[0] + "\n}")
    assert told["predictions"][0]["drum_notes"] == 19


def test_runtimes_say_the_same(trained, beat, monkeypatch):
    place, _ = trained
    midi = read_midi(beat)
    part = on_grid(midi, drum_notes(midi))
    said = [
        say(create_engine_by_name("groove", runtime=runtime, workspace=place).load(), part, (0, 6))
        for runtime in ("onnx", "torchscript", "torch")
    ]
    for other in said[1:]:
        np.testing.assert_allclose(said[0].offset, other.offset, atol=1e-5)
        np.testing.assert_allclose(said[0].velocity, other.velocity, atol=1e-3)


def test_like_needs_a_model_that_listens(trained, beat, capsys):
    place, kind = trained
    words = ["--workspace", str(place), "predict", "groove", str(beat), "--like", str(beat)]
    code = run([*words, "-o", str(beat.with_name("like.mid"))])
    if kind == "score":
        assert code == 2
        assert "input=live" in capsys.readouterr().err
    else:
        assert code == 0
        engine = create_engine_by_name("groove", workspace=place).load()
        midi = read_midi(beat)
        part = on_grid(midi, drum_notes(midi))
        heard = remember(engine, part, (0, 0))
        assert np.abs(heard["values"]).max() > 0


@pytest.mark.parametrize(
    ("content", "options", "reason"),
    [
        (b"no midi at all", [], "MIDI"),
        (None, ["--style", "polka"], "no style 'polka'"),
        (None, ["--channel", "3"], "no drum note"),
    ],
)
def test_bad_requests_end_with_2_and_a_reason(trained, beat, content, options, reason, capsys):
    place, _ = trained
    if content is not None:
        beat.write_bytes(content)
    words = ["--workspace", str(place), "predict", "groove", str(beat), "-o", str(beat.with_name("o.mid"))]
    assert run([*words, *options]) == 2
    assert reason in capsys.readouterr().err
    assert not Path(beat.with_name("o.mid")).exists()
