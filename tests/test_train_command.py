"""`kelly train` and `kelly evaluate` as a user types them, on a small folder of labelled clips."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
import soundfile
import torch

from kelly_core.cli import run
from kelly_core.registry import load
from kelly_emotion.demo import DemoOptions
from kelly_emotion.demo.dataset import make_clips

torch.set_num_threads(1)
QUICK = ["--set", "architecture_type=mlp", "--epochs", "2", "--set", "checkpoint.samples_every=1"]
GUIDELINES = """
model_id: emotionrecognizer
task: emotion_embedding
architecture_type: cnn

# Architecture
input_size: 128
output_size: 7
hidden_layers: [512, 256, 128]

# Training (Mac-optimized)
epochs: 1
batch_size: 16
learning_rate: 0.001
device: auto  # Uses MPS on Apple Silicon

# Export
export_onnx: true
export_coreml: true
"""


@pytest.fixture(scope="module")
def clips(tmp_path_factory) -> Path:
    """56 clips by eight made-up speakers, listed in a metadata.csv as the guidelines write it."""
    folder = tmp_path_factory.mktemp("recordings")
    rows = ["file,label,speaker"]
    for clip in make_clips(DemoOptions(performers=8, takes=1)):
        name = f"{clip.row['label']}-{clip.row['speaker']}.wav"
        soundfile.write(folder / name, clip.samples, 16_000)
        rows.append(f"{name},{clip.row['label']},{clip.row['speaker']}")
    (folder / "metadata.csv").write_text("\n".join(rows) + "\n")
    return folder


@pytest.fixture
def kelly(tmp_path, monkeypatch, capsys):
    """Runs a command in a fresh workspace: (exit code, stdout, stderr)."""
    monkeypatch.setenv("KELLY_WORKSPACE", str(tmp_path / "ws"))
    monkeypatch.delenv("KELLY_DATA_ROOT", raising=False)

    def call(*args: str) -> tuple[int, str, str]:
        code = run([str(arg) for arg in args])
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


def test_training_leaves_a_registered_described_model(kelly, clips, tmp_path):
    code, out, err = kelly("train", "emotion", "--data", clips, *QUICK, "--export-onnx", "--json")
    assert code == 0, err
    result = json.loads(out)
    ws = tmp_path / "ws"
    entry = load(ws / "models" / "registry.json").models[0]
    assert (entry.id, entry.status, entry.dataset) == ("emotionrecognizer", "trained", "audio-folder")
    assert entry.artifacts["onnx"].verified
    assert entry.metrics["test"]["uar"].value == pytest.approx(result["metrics"]["test"]["uar"]["value"])
    assert not entry.synthetic_data
    schema = json.loads((ws / "models" / "registry.schema.json").read_text())
    jsonschema.validate(json.loads((ws / "models" / "registry.json").read_text()), schema)
    card = (ws / "docs" / "model_cards" / "emotionrecognizer.md").read_text()
    assert "majority class" in card
    assert entry.artifacts["onnx"].sha256 in card
    run_folder = ws / "logs" / "training" / entry.run_id
    record = json.loads((run_folder / "run.json").read_text())
    assert record["status"] == "finished"
    assert record["config_origins"]["architecture_type"] == "--set"
    assert record["data"]["content_hash"] == entry.data_hash
    sides = json.loads((run_folder / "split.json").read_text())
    speakers = {side: {name.rpartition("-")[2] for name in names} for side, names in sides.items()}
    assert not speakers["train"] & speakers["test"]
    assert not speakers["train"] & speakers["validation"]
    assert len((run_folder / "metrics.jsonl").read_text().splitlines()) == 2
    assert list((run_folder / "samples" / "epoch_1").glob("*.wav"))
    assert list((run_folder / "tensorboard").iterdir())


def test_what_was_trained_can_be_checked_measured_and_asked(kelly, clips, tmp_path):
    assert kelly("train", "emotion", "--data", clips, *QUICK, "--export-onnx")[0] == 0
    assert kelly("verify", "emotion")[0] == 0
    assert kelly("registry", "validate")[0] == 0
    code, out, _ = kelly("evaluate", "emotion", "--json")
    measured = json.loads(out)
    assert code == 0
    assert set(measured["metrics"]) == {"train", "validation", "test"}
    assert "functionals + linear SVM" in measured["baselines"]
    code, out, _ = kelly("evaluate", "emotion", "--data", clips, "--json")
    assert code == 0
    assert set(json.loads(out)["metrics"]) == {"test"}
    code, out, _ = kelly("predict", "emotion", next(clips.glob("*.wav")), "--json")
    assert code == 0
    assert len(json.loads(out)["predictions"][0]["top"]) == 3


def test_a_dry_run_shows_the_plan_and_writes_no_run(kelly, clips, tmp_path):
    code, out, _ = kelly("train", "emotion", "--data", clips, "--dry-run", "--lr", "0.002")
    assert code == 0
    for said in ("167,215 parameters", "audio-folder", "learning_rate", "0.002", "--lr", "nothing was trained"):
        assert said in out
    assert not (tmp_path / "ws" / "logs").exists()
    assert not (tmp_path / "ws" / "models").exists()
    code, out, _ = kelly("train", "emotion", "--data", clips, "--dry-run", "--json", "--lr", "0.002")
    plan = json.loads(out)
    assert plan["config"]["learning_rate"] == 0.002
    assert plan["origins"]["learning_rate"] == "--lr"
    assert sum(side["items"] for side in plan["summary"]["split"].values()) == 56


def test_the_guidelines_configuration_trains_as_it_stands(kelly, clips, tmp_path):
    path = tmp_path / "emotion_recognizer.yaml"
    path.write_text(GUIDELINES)
    code, _, err = kelly("train", "--config", path, "--data", clips)
    assert code == 0, err
    assert "exporting onnx, coreml" in err
    models = tmp_path / "ws" / "models"
    assert (models / "emotionrecognizer.onnx").exists()
    assert (models / "emotionrecognizer.mlpackage").is_dir()


def test_a_format_that_cannot_carry_the_network_is_refused_with_one_that_can(kelly, clips, tmp_path):
    code, _, err = kelly("train", "emotion", "--data", clips, *QUICK, "--export-rtneural")
    assert code == 2
    assert "--set architecture_type=streaming" in err
    assert not (tmp_path / "ws" / "models" / "emotionrecognizer.json").exists()


def test_a_finished_run_can_be_extended_but_not_changed(kelly, clips, tmp_path):
    assert kelly("train", "emotion", "--data", clips, *QUICK)[0] == 0
    code, _, err = kelly("train", "emotion", "--resume", "--lr", "0.1")
    assert code == 2
    assert "'learning_rate' can't change" in err
    code, _, err = kelly("train", "emotion", "--resume", "--data", tmp_path)
    assert code == 2
    assert "'--data' can't change" in err
    code, _, err = kelly("train", "emotion", "--data", clips, *QUICK, "--epochs", "3", "--resume")
    assert code == 0, err
    (run_folder,) = (tmp_path / "ws" / "logs" / "training").iterdir()
    assert [json.loads(line)["epoch"] for line in (run_folder / "metrics.jsonl").open()] == [1, 2, 3]


def test_resuming_on_other_data_is_refused(kelly, clips, tmp_path):
    mine = tmp_path / "mine"
    mine.mkdir()
    for file in clips.iterdir():
        (mine / file.name).write_bytes(file.read_bytes())
    assert kelly("train", "emotion", "--data", mine, *QUICK)[0] == 0
    samples, rate = soundfile.read(mine / "happy-synthetic-01.wav")
    soundfile.write(mine / "happy-synthetic-01.wav", samples * 0.5, rate)
    code, _, err = kelly("train", "emotion", "--resume", "--epochs", "3")
    assert code == 2
    assert "not what the run began with" in err


def test_unusable_files_are_left_out_and_named_or_fatal(kelly, clips, tmp_path):
    mine = tmp_path / "mine"
    mine.mkdir()
    for file in clips.iterdir():
        (mine / file.name).write_bytes(file.read_bytes())
    (mine / "sad-synthetic-02.wav").write_bytes(b"")
    code, _, err = kelly("train", "emotion", "--data", mine, *QUICK, "--strict")
    assert code == 2
    assert "sad-synthetic-02.wav" in err
    code, _, err = kelly("train", "emotion", "--data", mine, *QUICK)
    assert code == 0, err
    assert "sad-synthetic-02.wav" in err
    entry = load(tmp_path / "ws" / "models" / "registry.json").models[0]
    record = json.loads((tmp_path / "ws" / "logs" / "training" / entry.run_id / "run.json").read_text())
    assert any("sad-synthetic-02.wav" in problem for problem in record["data"]["problems"])


def test_an_interrupted_run_gives_the_registry_back(kelly, clips, tmp_path, monkeypatch):
    from kelly_core.train import loop

    def stop(self):
        raise KeyboardInterrupt

    monkeypatch.setattr(loop.Trainer, "train_epoch", stop)
    assert kelly("train", "emotion", "--data", clips, *QUICK)[0] == 130
    entry = load(tmp_path / "ws" / "models" / "registry.json").models[0]
    assert entry.status == "stub"
    (run_folder,) = (tmp_path / "ws" / "logs" / "training").iterdir()
    assert json.loads((run_folder / "run.json").read_text())["status"] == "interrupted"


@pytest.mark.thorough
def test_two_processes_train_one_model(clips, tmp_path):
    command = [sys.executable, "-m", "kelly_core.cli", "train", "emotion", "--data", str(clips), *QUICK]
    settings = ["--devices", "2", "--strategy", "ddp", "--device", "cpu"]
    environment = {**os.environ, "KELLY_WORKSPACE": str(tmp_path), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*command, *settings], env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    (run_folder,) = (tmp_path / "logs" / "training").iterdir()
    assert len((run_folder / "metrics.jsonl").read_text().splitlines()) == 2
    assert load(tmp_path / "models" / "registry.json").models[0].status == "trained"
    assert done.stdout.count("uar on test") == 1


def test_naming_no_model_or_a_wrong_one_says_what_to_type(kelly, tmp_path):
    code, _, err = kelly("train")
    assert (code, "kelly train emotion" in err) == (2, True)
    code, _, err = kelly("train", "emotoin")
    assert code == 2
    assert "installed: audio-autoencoder, clap, dynamics, emotion, groove" in err


def test_protocols_are_listed_and_unknown_ones_refused(kelly):
    code, out, _ = kelly("evaluate", "emotion", "--protocol", "list")
    assert code == 0
    assert "ravdess-5fold" in out
    code, _, err = kelly("evaluate", "emotion", "--protocol", "iemocap")
    assert code == 2
    assert "known: ravdess-5fold" in err
