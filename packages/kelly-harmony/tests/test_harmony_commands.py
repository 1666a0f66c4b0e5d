"""HarmonyPredictor through the commands, on its demo set: train, evaluate, export, verify, predict."""

import json

import numpy as np
import pytest

from kelly_core.cli import run
from kelly_core.features.midi import make_notes, read_midi, write_notes
from kelly_core.inference import create_engine_by_name
from kelly_harmony.chords import N_CHORDS
from kelly_harmony.data.midi import lead_of
from kelly_harmony.demo import open_demo
from kelly_harmony.infer import log_probabilities, prior_moves

TINY = {
    "mlp": ["mlp.width=8", "mlp.entry=4", "mlp.window=6", "mlp.span=16"],
    "gru": ["gru.width=8"],
    "tcn": ["tcn.width=8", "tcn.layers=3", "tcn.look_ahead=7"],
}


@pytest.fixture(scope="module", params=TINY)
def trained(request, tmp_path_factory):
    """A workspace with a tiny model of each kind, exported in both formats."""
    place = tmp_path_factory.mktemp(request.param)
    settings = [f"architecture_type={request.param}", "checkpoint.samples_every=1", *TINY[request.param]]
    sets = [part for setting in settings for part in ("--set", setting)]
    songs = open_demo(tmp_path_factory.mktemp("songs"), {"songs": 10, "bars": 4}).root
    words = [
        "train",
        "harmony",
        "--data",
        str(songs),
        "--dataset",
        "harmony-demo",
        "--epochs",
        "1",
        "--export-onnx",
        "--export-torchscript",
    ]
    assert run(["--workspace", str(place), *words, *sets]) == 0
    return place


@pytest.fixture
def melody(tmp_path):
    onset = np.arange(32) * 240
    pitch = [60, 64, 67, 64, 69, 65, 60, 62] * 4
    notes = make_notes(pitch, onset, 220, 90, bpm=100.0)
    drums = make_notes([36] * 8, np.arange(8) * 480, 60, 100, channel=9, track=1, bpm=100.0)
    write_notes(tmp_path / "melody.mid", np.concatenate([notes, drums]), 100.0, names=("lead", "drums"))
    return tmp_path / "melody.mid"


def test_a_tiny_run_leaves_model_exports_and_samples(trained):
    names = {path.name for path in (trained / "models").iterdir()}
    assert {"harmonypredictor.onnx", "harmonypredictor.pt", "harmonypredictor.contract.json"} <= names
    samples = {path.suffix for path in trained.glob("logs/training/*/samples/epoch_1/*")}
    assert samples == {".mid", ".wav"}
    assert "SYNTHETIC" in (trained / "docs/model_cards/harmonypredictor.md").read_text().upper()


def test_verify_and_evaluate_pass(trained, capsys):
    assert run(["--workspace", str(trained), "verify", "harmony"]) == 0
    capsys.readouterr()
    assert run(["--workspace", str(trained), "evaluate", "harmony", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["synthetic"]
    assert set(report["metrics"]["test"]) >= {"accuracy", "top3", "majmin", "root"}
    assert {"logistic regression", "HMM", "most frequent chord by degree"} <= set(report["baselines"])


@pytest.mark.parametrize("decode", ["greedy", "beam", "viterbi"])
def test_predict_adds_chords_and_again_the_same(trained, melody, decode, capsys):
    words = ["--workspace", str(trained), "predict", "harmony", str(melody), "--decode", decode]
    outputs = []
    for name in ("one.mid", "two.mid"):
        out = melody.with_name(name)
        assert run([*words, "--variation", "0.5", "--seed", "3", "-o", str(out), "--json"]) == 0
        outputs.append(out.read_bytes())
        told = json.loads(capsys.readouterr().out)["predictions"][0]
    assert outputs[0] == outputs[1]
    assert told["key"] == "C major"
    assert told["key_from"] == "estimated"
    assert len(told["per_beat"]) == told["beats"] == 16
    before, after = read_midi(melody), read_midi(melody.with_name("one.mid"))
    assert after.names[-1] == "Chords"
    kept = after.notes[after.notes["track"] < len(before.names)]
    fields = ["onset_tick", "duration_tick", "pitch", "velocity", "channel"]
    assert kept[fields].tolist() == before.notes[fields].tolist()


def test_runtimes_say_the_same_as_the_network(trained, melody):
    lead, _ = lead_of(read_midi(melody))
    engines = [
        create_engine_by_name("harmony", runtime=runtime, workspace=trained).load()
        for runtime in ("onnx", "torchscript", "torch")
    ]
    said = [log_probabilities(engine, lead) for engine in engines]
    assert said[0].shape == (16, N_CHORDS)
    for other in said[1:]:
        np.testing.assert_allclose(said[0], other, atol=1e-4)
    moves = prior_moves(engines[0], lead)
    assert np.exp(moves[0]).sum(axis=1) == pytest.approx(1.0, abs=1e-3)
    prediction = engines[0].infer_file(melody)
    assert len(prediction.spans) == 16
    assert prediction.probabilities.sum() == pytest.approx(1.0, abs=1e-4)


@pytest.mark.parametrize(
    ("content", "options", "reason"),
    [
        (b"no midi at all", [], "MIDI"),
        (None, ["--key", "H major"], "no key"),
        (None, ["--track", "flute"], "no track 'flute'"),
    ],
)
def test_bad_requests_end_with_2_and_a_reason(trained, melody, content, options, reason, capsys):
    if content is not None:
        melody.write_bytes(content)
    words = [
        "--workspace",
        str(trained),
        "predict",
        "harmony",
        str(melody),
        "-o",
        str(melody.with_name("o.mid")),
    ]
    assert run([*words, *options]) == 2
    assert reason in capsys.readouterr().err
    assert not melody.with_name("o.mid").exists()


def test_a_drum_part_has_no_melody(trained, melody, capsys):
    write_notes(melody, make_notes([36], [0], 60, channel=9))
    assert run(["--workspace", str(trained), "predict", "harmony", str(melody)]) == 2
    assert "no pitched note" in capsys.readouterr().err
