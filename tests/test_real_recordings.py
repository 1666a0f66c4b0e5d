"""The main job on real speech: train on a few RAVDESS actors, ship, and ask about an actor never heard."""

from __future__ import annotations

import json
import os
import tarfile
from pathlib import Path

import pytest
import torch

from kelly_core.cli import run

pytestmark = pytest.mark.skipif(
    "KELLY_SHARED" not in os.environ, reason="KELLY_SHARED doesn't name the folder with the real sets"
)
torch.set_num_threads(1)
ACTORS = ("01", "02", "03", "04", "05", "06", "10", "11")
"""Two of fold 0 (02, 05), which becomes the test side, and both sexes everywhere."""


@pytest.fixture(scope="module")
def recordings(tmp_path_factory) -> Path:
    """Every clip of eight actors, in the published layout."""
    folder = tmp_path_factory.mktemp("ravdess")
    wanted = tuple(f"/Actor_{actor}/" for actor in ACTORS)
    with tarfile.open(Path(os.environ["KELLY_SHARED"]) / "data" / "ravdess_speech.tar") as pack:
        members = [member for member in pack if any(part in member.name for part in wanted)]
        pack.extractall(folder, members, filter="data")
    return next(folder.rglob("Actor_01")).parent


def test_from_recordings_to_a_prediction_about_a_stranger(recordings, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("KELLY_WORKSPACE", str(tmp_path))
    settings = ["--set", "architecture_type=mlp", "--epochs", "12", "--export-onnx", "--json"]
    assert run(["train", "emotion", "--data", str(recordings), *settings]) == 0
    result = json.loads(capsys.readouterr().out)
    chance = result["baselines"]["majority class"]["uar"]
    assert chance["value"] == pytest.approx(1 / 7)
    assert result["metrics"]["test"]["uar"]["value"] > 0.2  # chance is 0.143
    assert result["metrics"]["test"]["uar"]["low"] < result["metrics"]["test"]["uar"]["high"]
    assert {"+6 dB", "-6 dB"} <= set(result["variants"])
    assert "gap between men and women" in result["breakdown"]
    sides = json.loads((tmp_path / "logs" / "training" / result["run_id"] / "split.json").read_text())
    assert {name.split("/")[-2] for name in sides["test"]} == {"Actor_02", "Actor_05"}
    assert run(["verify", "emotion"]) == 0
    assert run(["registry", "validate"]) == 0
    capsys.readouterr()
    stranger = next((recordings / "Actor_02").glob("03-01-05-02-*"))  # angry, strong
    assert run(["predict", "emotion", str(stranger), "--json"]) == 0
    (prediction,) = json.loads(capsys.readouterr().out)["predictions"]
    assert len(prediction["top"]) == 3
    card = (tmp_path / "docs" / "model_cards" / "emotionrecognizer.md").read_text()
    assert "CC BY-NC-SA 4.0" in card
    assert "synthetic" not in card.lower()
