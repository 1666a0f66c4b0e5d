"""The audio autoencoder through the commands, on its demo set: train, evaluate, export, predict, use."""

import csv
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from kelly_core.cli import run
from kelly_core.inference import FileEmbedding, create_engine_by_name
from kelly_embedding.demo import open_demo

torch.set_num_threads(1)
ROOT = Path(__file__).resolve().parents[3]
TINY = ("channels=[4]", "decoder_width=16", "embedding_size=8", "checkpoint.samples_every=0")
SETS = [part for setting in TINY for part in ("--set", setting)]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A workspace with a tiny model, exported in two formats, and the clips it heard under `samples/`."""
    place = tmp_path_factory.mktemp("autoencoder")
    demo = open_demo(place, {"players": 6}).root
    shutil.copytree(demo, place / "samples")
    words = ["train", "audio-autoencoder", "--data", str(demo), "--epochs", "1"]
    assert run(["--workspace", str(place), *words, "--export-onnx", "--export-torchscript", *SETS]) == 0
    return place


@pytest.fixture
def kelly(trained, capsys, monkeypatch):
    """Runs a command in the workspace: (exit code, stdout, stderr)."""
    monkeypatch.chdir(trained)
    monkeypatch.setenv("KELLY_WORKSPACE", str(trained))

    def call(*arguments):
        capsys.readouterr()
        code = run(list(map(str, arguments)))
        return code, *capsys.readouterr()

    return call


def test_a_tiny_run_leaves_model_exports_and_card(trained):
    names = {path.name for path in (trained / "models").iterdir()}
    assert {"audioautoencoder.onnx", "audioautoencoder.pt", "audioautoencoder.contract.json"} <= names
    card = (trained / "docs/model_cards/audioautoencoder.md").read_text()
    assert "SYNTHETIC" in card
    assert "PCA, 8 numbers a window" in card
    assert "| Kelly-embedding | 0.1.0 |" in card


def test_it_is_measured_beside_what_can_restore_and_what_can_classify(kelly):
    code, out, _ = kelly("evaluate", "audio-autoencoder", "--json")
    assert code == 0
    report = json.loads(out)
    assert set(report["metrics"]["test"]) == {"mae_db", "rmse_db", "uar", "accuracy", "loss"}
    assert set(report["baselines"]["mean frame"]) == {"mae_db", "rmse_db"}
    for statistics in ("log-mel", "MFCC"):
        assert set(report["baselines"][f"{statistics} statistics + linear SVM"]) == {"uar", "accuracy"}
    pca = report["baselines"]["PCA, 8 numbers a window"]["mae_db"]["value"]
    assert pca < 0.7 * report["baselines"]["mean frame"]["mae_db"]["value"]
    assert report["metrics"]["test"]["mae_db"]["value"] < 1.2 * pca


def test_exports_are_verified_sound_included(kelly):
    assert kelly("export", "audio-autoencoder", "--format", "onnx-waveform")[0] == 0
    code, out, _ = kelly("verify", "audio-autoencoder", "--data", "samples", "--json")
    assert code == 0
    verdicts = {row["artifact"].split(".", 1)[1]: row["verdict"] for row in json.loads(out)["matrix"]}
    assert verdicts == {"onnx": "pass", "pt": "pass", "waveform.onnx": "pass"}


def test_a_file_embeds_alike_in_every_runtime_and_sound_as_its_windows(kelly, trained):
    kelly("export", "audio-autoencoder", "--format", "onnx-waveform")
    clip = trained / "samples/reed/synthetic-02-1.wav"
    engines = {
        name: create_engine_by_name("audio-autoencoder", runtime=name, workspace=trained).load()
        for name in ("onnx", "torchscript", "torch")
    }
    found = {name: engine.infer_file(clip) for name, engine in engines.items()}
    one = found["onnx"]
    assert isinstance(one, FileEmbedding)
    assert one.embedding.shape == (16,)
    assert one.windows.shape == (len(one.times), 8)
    np.testing.assert_allclose(one.embedding, [*one.windows.mean(0), *one.windows.std(0)], atol=1e-6)
    for other in found.values():
        np.testing.assert_allclose(other.windows, one.windows, atol=1e-4)
    import soundfile

    sound = create_engine_by_name("audio-autoencoder", runtime="onnx-waveform", workspace=trained).load()
    samples, rate = soundfile.read(clip, dtype="float32")
    middle = len(one.times) // 2
    begin = round(one.times[middle][0] * rate) - 2 * 256  # the file takes two frames more on each side
    wave = samples[begin : begin + sound.contract.window["samples"]][None]
    np.testing.assert_allclose(
        sound.infer({"waveform": wave}).outputs["embedding"][0], one.windows[middle], atol=1e-3
    )


def test_tables_and_neighbours(kelly, trained):
    code, out, err = kelly("predict", "audio-autoencoder", "samples", "-o", "samples/vectors.csv")
    assert (code, out) == (0, "")
    assert "72 rows of 16 numbers" in err
    with (trained / "samples/vectors.csv").open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert rows[0]["file"] == "bell/synthetic-01-1.wav"
    (trained / "samples/vectors.csv").unlink()
    near, far = "samples/bell/synthetic-03-1.wav", "samples/breath/synthetic-03-1.wav"
    code, out, _ = kelly("predict", "audio-autoencoder", far, near, "--like", near, "--json")
    first, second = json.loads(out)["predictions"]
    assert second["similarity"] == pytest.approx(1.0, abs=1e-5)
    assert first["similarity"] < 0.9
    assert len(second["embedding"]) == 16
    code, out, _ = kelly("predict", "audio-autoencoder", far, near, "--like", near)
    assert [line.split()[0] for line in out.splitlines()[1:]] == [near, far]


def test_a_mistake_is_one_message_and_ends_with_2(kelly, trained):
    clip, bad = "samples/bell/synthetic-01-1.wav", trained / "bad.wav"
    bad.write_text("no sound")
    for words, message in {
        (clip, "-o", "out.txt"): "aren't written as .txt",
        (clip, "--like", "nowhere.wav"): "there is no such file",
        ("nowhere",): "there is no such file",
    }.items():
        code, out, err = kelly("predict", "audio-autoencoder", *words)
        assert (code, out) == (2, "")
        assert err.count("error[") == 1
        assert message in err
    code, out, err = kelly("predict", "audio-autoencoder", clip, bad, "-o", "some.csv")
    assert code == 2
    assert "is not sound" in err
    assert len((trained / "some.csv").read_text().splitlines()) == 2


def test_any_folder_of_sound_trains_it_and_a_stopped_run_goes_on(kelly, trained):
    kept = trained / "mine"
    for number, clip in enumerate(sorted((trained / "samples").rglob("*-1.wav"))[:24]):
        target = kept / f"day {number // 4}" / clip.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(clip, target)
    other = ("--workspace", trained / "other", "train", "audio-autoencoder")
    assert kelly(*other, "--data", kept, *SETS, "--batch-size", "16", "--epochs", "1")[0] == 0
    code, _, err = kelly(*other, "--epochs", "2", "--resume")
    assert code == 0, err
    entry = json.loads((trained / "other/models/registry.json").read_text())["models"][0]
    assert not entry["synthetic_data"]
    assert "uar" not in entry["metrics"]["test"]


def test_the_examples_of_the_page_do_what_it_says(kelly, trained, capsys):
    page = (ROOT / "docs/models/embedding.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    assert len(blocks) >= 2
    assert kelly("predict", "audio-autoencoder", "samples", "-o", "samples/embeddings.csv")[0] == 0
    shown = []
    for block in blocks:
        capsys.readouterr()
        exec(compile(block, "docs/models/embedding.md", "exec"), {})
        shown.append(capsys.readouterr().out)
    said = "\n".join(shown)
    assert "(16,)" in said
    (accuracy,) = re.findall(r"accuracy over players: ([\d.]+)", said)
    assert float(accuracy) > 0.6  # of six kinds; chance is 0.17
