"""The commands as a user types them, on the built-in set."""

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from kelly_core.cli import run
from kelly_core.features.midi import make_notes, read_midi, write_notes
from kelly_core.inference import create_engine_by_name
from kelly_dynamics.data.read import read_performance
from kelly_dynamics.features.history import history
from kelly_dynamics.features.table import known
from kelly_dynamics.live import Live


def kelly(workspace: Path, *words: str) -> int:
    """Exit code of one command."""
    return run(["--workspace", str(workspace), *words])


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dynamics")
    tiny = [
        "--epochs",
        "1",
        "--set",
        "checkpoint.samples_every=1",
        "--device",
        "cpu",
        "--set",
        "hidden_layers=[16]",
        "--set",
        "batch_size=256",
    ]
    assert kelly(folder, "train", "dynamics", "--data", "demo", *tiny, "--export-onnx") == 0
    return folder


def _flat(folder: Path) -> Path:
    path = folder / "flat.mid"
    write_notes(path, make_notes(np.arange(48, 72), np.arange(24) * 240, np.full(24, 240), 80), tempo=96.0)
    return path


def test_a_flat_file_is_played_and_verified(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, target = _flat(tmp_path), tmp_path / "played.mid"
    assert kelly(place, "verify", "dynamics") == 0
    capsys.readouterr()
    assert kelly(place, "predict", "dynamics", str(source), "-o", str(target), "--amount", "0.8", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert len(told["predictions"][0]["expression"]) == 24
    before, after = read_midi(source), read_midi(target)
    assert sorted(before.notes["pitch"].tolist()) == sorted(after.notes["pitch"].tolist())
    assert len(set(after.notes["velocity"].tolist())) > 1


def test_samples_can_be_heard_and_seen(place: Path) -> None:
    samples = {path.suffix for path in place.glob("logs/training/*/samples/*/*")}
    assert samples == {".mid", ".wav", ".png"}


def test_evaluate_and_export_again(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert kelly(place, "export", "dynamics", "--format", "torchscript") == 0
    capsys.readouterr()
    assert kelly(place, "evaluate", "dynamics", "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert report["synthetic"]
    assert {"global mean", "metric position", "boosted trees"} <= set(report["baselines"])


def test_garbage_is_refused_by_name(place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "bad.mid").write_bytes(b"no midi")
    assert kelly(place, "predict", "dynamics", str(tmp_path / "bad.mid"), "-o", str(tmp_path / "out.mid")) == 2
    assert "bad.mid" in capsys.readouterr().err


def test_a_score_is_played_into_a_midi_file(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = next((place / "data" / "cache" / "dynamics-demo").rglob("score.musicxml"))
    mine = tmp_path / "mine.musicxml"
    mine.write_bytes(source.read_bytes())
    assert kelly(place, "predict", "dynamics", str(mine)) == 0
    assert "mine.played.mid" in capsys.readouterr().out
    notes = read_midi(tmp_path / "mine.played.mid").notes
    assert len(notes) == mine.read_text().count("<pitch>")
    assert len(set(notes["velocity"].tolist())) > 1
    mine.write_bytes(source.read_bytes()[:5000])
    assert kelly(place, "predict", "dynamics", str(mine), "-o", str(tmp_path / "no.mid")) == 2
    told = capsys.readouterr().err
    assert told.count("error") == 1
    assert "mine.musicxml" in told
    assert not (tmp_path / "no.mid").exists()


def test_playing_along_step_by_step_equals_the_whole(tmp_path: Path) -> None:
    tiny = [
        "--epochs",
        "1",
        "--device",
        "cpu",
        "--set",
        "window=64",
        "--set",
        "batch_size=8",
        "--set",
        "channels=8",
    ]
    shape = ["--set", "architecture_type=tcn", "--set", "input=causal", "--set", "layers=3"]
    assert kelly(tmp_path, "train", "dynamics", "--data", "demo", *tiny, *shape, "--export-onnx") == 0
    match = next((tmp_path / "data" / "cache" / "dynamics-demo").rglob("*.match"))
    score, played = read_performance(match, match.with_name("score.musicxml"))
    engine = create_engine_by_name("dynamicsengine", workspace=tmp_path).load()
    live, firsts, said = Live(engine, score), score.firsts(), []
    for first, last in pairwise(firsts):
        said.append(live.next())
        live.played(played.velocity[first:last], float(played.start[first:last].mean()))
    assert live.done
    inputs = np.concatenate([known(score), history(score, played)], axis=1)
    whole = engine.infer({"input": inputs[None].astype(np.float32)}).outputs["output"][0]
    np.testing.assert_allclose(np.concatenate(said), whole, atol=1e-4, rtol=1e-5)
