"""From a checkpoint to predictions through the commands: export, verify, predict, on every runtime."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from kelly_core.checkpoint import TrainedModel, load_trained
from kelly_core.cli import run
from kelly_core.contract import Contract
from kelly_core.inference import create_engine_by_name
from kelly_core.pipeline.export import export_model
from kelly_core.plugins import PluginHost
from kelly_core.testing import untrained
from kelly_core.workspace import Workspace
from kelly_emotion.config import EMOTIONS, EmotionConfig

torch.set_num_threads(1)
RATE = 16_000


def emotion(workspace: Workspace, architecture: str, seed: int = 0) -> TrainedModel:
    return untrained(workspace, "emotion", EmotionConfig(architecture_type=architecture), seed=seed)


def tone(path: Path, seconds: float, rate: int = RATE, channels: int = 1) -> Path:
    time = np.arange(int(seconds * rate)) / rate
    wave = 0.3 * np.sin(2 * np.pi * 220 * time) * (1 + np.sin(2 * np.pi * 3 * time)) / 2
    soundfile.write(path, np.stack([wave] * channels, 1), rate)
    return path


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A workspace with a cnn in both formats."""
    place = Workspace(tmp_path_factory.mktemp("exported"))
    host = PluginHost()
    export_model(emotion(place, "cnn"), place, host, ["onnx", "torchscript"])
    return place


@pytest.fixture
def workspace(exported, tmp_path, monkeypatch):
    """A copy of it that a test may break."""
    shutil.copytree(exported.root, tmp_path / "ws")
    monkeypatch.setenv("KELLY_WORKSPACE", str(tmp_path / "ws"))
    return Workspace(tmp_path / "ws")


def kelly(capsys, *args):
    """Run a command; gives exit code, stdout, stderr."""
    capsys.readouterr()
    code = run(list(map(str, args)))
    out = capsys.readouterr()
    return code, out.out, out.err


@pytest.mark.parametrize("architecture", ["cnn", "mlp", "streaming"])
def test_export_then_verify_every_architecture(tmp_path, monkeypatch, capsys, architecture):
    monkeypatch.setenv("KELLY_WORKSPACE", str(tmp_path))
    emotion(Workspace(tmp_path), architecture)
    code, out, err = kelly(capsys, "export", "emotion", "-f", "onnx", "-f", "torchscript", "--json")
    assert code == 0, err
    exports = json.loads(out)["exports"]
    assert [one["format"] for one in exports] == ["onnx", "torchscript"]
    assert all(one["parity"]["passed"] and one["parity"]["max_abs"] < 1e-4 for one in exports)
    assert "comparing on random inputs" in err  # the checkpoint's data is nowhere, and it says so
    code, out, _ = kelly(capsys, "verify", "emotion")
    assert code == 0
    assert out.count("against golden vectors and checkpoint") == 2


def test_without_a_format_the_usual_one_is_written_and_named(workspace, tmp_path, capsys):
    code, out, err = kelly(capsys, "export", "emotion", "-o", tmp_path / "out")
    assert code == 0, err
    assert "writing onnx, the usual format" in err
    assert {path.suffix for path in (tmp_path / "out").iterdir()} == {".onnx", ".json"}
    assert "emotionrecognizer.onnx" in out
    code, out, err = kelly(capsys, "export", "emotion", "--code", "cpp")
    assert code == 0, err
    assert "onnx" not in out + err


def test_all_runtimes_agree(workspace, tmp_path):
    clip = tone(tmp_path / "clip.wav", 3.0)
    rows = []
    for runtime in ("onnx", "torchscript", "torch"):
        engine = create_engine_by_name("emotion_recognizer", runtime=runtime, workspace=workspace).load()
        assert engine.runtime == runtime
        rows.append(engine.infer_file(clip).probabilities)
    np.testing.assert_allclose(rows[1:], [rows[0]] * 2, atol=1e-5)


def test_a_file_gets_what_the_evaluation_gives_it(workspace, tmp_path):
    from kelly_core.data import Dataset, Item
    from kelly_core.task import Context

    clip = tone(tmp_path / "clip.wav", 4.0)
    trained = load_trained(workspace.checkpoints("emotionrecognizer") / "best.pt", PluginHost())
    dataset = Dataset("x", tmp_path, [Item(str(clip), "happy", "a")])
    sides = {side: np.array([0]) for side in ("train", "validation")}
    source = trained.task.prepare(dataset, sides, Context(tmp_path / "cache")).sources["validation"]
    evaluated = np.exp(trained.task.predict(trained.module, source, 8).outputs[0])
    engine = create_engine_by_name("emotion", workspace=workspace).load()
    np.testing.assert_allclose(engine.infer_file(clip).probabilities, evaluated / evaluated.sum(), atol=1e-5)


def test_predict_takes_files_and_folders_and_reports_bad_ones(workspace, tmp_path, capsys):
    folder = tmp_path / "sounds" / "deep"
    folder.mkdir(parents=True)
    tone(folder / "a.flac", 1.0, rate=44_100, channels=2)
    tone(folder.parent / "b.wav", 2.0)
    (folder.parent / "notes.txt").write_text("no sound")
    code, out, err = kelly(capsys, "predict", "emotion", folder.parent, "--json")
    assert code == 0, err
    predictions = json.loads(out)["predictions"]
    assert [Path(one["file"]).name for one in predictions] == ["b.wav", "a.flac"]
    assert len(predictions[0]["top"]) == 3
    assert predictions[0]["top"][0]["label"] in EMOTIONS
    soundfile.write(folder / "silent.wav", np.zeros(RATE), RATE)
    (folder / "empty.wav").write_bytes(b"")
    code, out, err = kelly(capsys, "predict", "emotion", folder.parent)
    assert code == 2
    assert "a.flac" in out
    assert "b.wav" in out
    assert "nothing but digital silence" in err
    assert "empty.wav" in err
    code, out, _ = kelly(capsys, "predict", "emotion", folder / "empty.wav", "--json")
    assert code == 2
    assert json.loads(out)["errors"][0]["file"].endswith("empty.wav")


def test_long_files_are_shown_over_time(workspace, tmp_path, capsys):
    clip = tone(tmp_path / "long.wav", 12.0)
    _, out, _ = kelly(capsys, "predict", "emotion", clip, "--json", "-k", 1)
    spans = json.loads(out)["predictions"][0]["spans"]
    assert [span["start"] for span in spans] == [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]
    assert all(span["end"] <= 12.0 for span in spans)
    short = tone(tmp_path / "short.wav", 3.0)
    _, out, _ = kelly(capsys, "predict", "emotion", short, "--json")
    assert json.loads(out)["predictions"][0]["spans"] == []
    _, out, _ = kelly(capsys, "predict", "emotion", short, "--json", "--hop", 0.5)
    assert len(json.loads(out)["predictions"][0]["spans"]) > 2
    assert kelly(capsys, "predict", "emotion", short, "--hop", 0)[0] == 2


def test_predict_without_torch(workspace, tmp_path):
    clip = tone(tmp_path / "clip.wav", 3.0)
    code = "import sys; sys.modules['torch'] = None; from kelly_core.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "predict", "emotion", str(clip), "--json"],
        capture_output=True,
        check=False,
        text=True,
        env={**os.environ, "KELLY_WORKSPACE": str(workspace.root)},
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["predictions"][0]["top"][0]["label"] in EMOTIONS


def test_verify_ends_with_1_and_says_what_differs(workspace, capsys):
    path = workspace.artifact("emotionrecognizer", ".onnx")
    path.write_bytes(path.read_bytes()[:-2000])
    code, out, _ = kelly(capsys, "verify", path, "emotion")
    assert code == 1
    assert "fail: models/emotionrecognizer.onnx" in out
    assert "checksum" in out
    assert "pass: models/emotionrecognizer.pt" in out
    code, out, _ = kelly(capsys, "verify", path, "--json")
    assert code == 1
    assert json.loads(out)["passed"] is False


def test_verify_refuses_what_no_contract_names(workspace, tmp_path, capsys):
    stranger = tone(tmp_path / "stranger.wav", 1.0)
    code, _, err = kelly(capsys, "verify", stranger)
    assert code == 2
    assert "no contract names this file" in err
    code, _, err = kelly(capsys, "verify", "models/nothing.onnx")
    assert code == 2
    assert "no such file" in err


def test_a_copied_artefact_is_recognised_by_its_content(workspace, tmp_path, capsys):
    copy = tmp_path / "copy.onnx"
    shutil.copy(workspace.artifact("emotionrecognizer", ".onnx"), copy)
    assert kelly(capsys, "verify", copy)[0] == 0


def test_training_again_takes_old_artefacts_out_of_the_contract(workspace, capsys):
    host = PluginHost()
    results = export_model(emotion(workspace, "cnn", seed=1), workspace, host, ["onnx"])
    contract = Contract.load(workspace.contract("emotionrecognizer"))
    assert contract.run_id == "run-1"
    assert list(contract.artifacts) == ["onnx"] == [one.format for one in results]
    code, _, err = kelly(capsys, "verify", workspace.artifact("emotionrecognizer", ".pt"))
    assert code == 2
    assert "no contract names this file" in err


def test_exporting_one_more_format_keeps_the_others(workspace):
    host = PluginHost()
    trained = load_trained(workspace.checkpoints("emotionrecognizer") / "best.pt", host)
    before = Contract.load(workspace.contract("emotionrecognizer")).artifacts["onnx"]
    export_model(trained, workspace, host, ["torchscript"])
    after = Contract.load(workspace.contract("emotionrecognizer")).artifacts
    assert after["onnx"] == before
    assert set(after) == {"onnx", "torchscript"}


def test_another_folder_leaves_the_workspace_alone(workspace, tmp_path, capsys):
    before = workspace.contract("emotionrecognizer").read_bytes()
    code, _, err = kelly(capsys, "export", "emotion", "-f", "onnx", "-o", tmp_path / "out")
    assert code == 0, err
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"emotionrecognizer.onnx", "emotionrecognizer.contract.json", "contract.schema.json"}
    assert workspace.contract("emotionrecognizer").read_bytes() == before


def test_observers_hear_of_each_artefact(workspace):
    class Watcher:
        heard: list[tuple[str, bool]] = []

        def call(self, hook, **arguments):
            self.heard.append((arguments["artifact"].name, arguments["report"].passed))

    host = PluginHost()
    trained = load_trained(workspace.checkpoints("emotionrecognizer") / "best.pt", host)
    export_model(trained, workspace, host, ["onnx"], observers=Watcher())
    assert Watcher.heard == [("emotionrecognizer.onnx", True)]


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["export", "emotion", "-f", "tflite"], "no exporter named 'tflite'"),
        (["export", "emotion", "-f", "onnx", "--checkpoint", "nothing.pt"], "no such checkpoint"),
        (["predict", "emotion", "nothing.wav"], "no such file or folder"),
        (["predict", "nothing", "a.wav"], "no model named 'nothing'"),
        (["verify", "nothing"], "no model named 'nothing'"),
    ],
)
def test_mistakes_end_with_2_and_one_clear_message(workspace, capsys, args, words):
    code, _, err = kelly(capsys, *args)
    assert code == 2
    assert words in err
    assert "Traceback" not in err
