"""The example of a stranger's package: built, listed, checked, trained, exported, verified, asked, removed."""

import json
import tomllib
from pathlib import Path

import numpy as np
import pytest

from kelly_core.features.midi import make_notes, write_notes

ROOT = Path(__file__).resolve().parents[1]
EXAMPLE = ROOT / "examples" / "kelly-chroma-key"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def stranger(install_plugin, tmp_path_factory):
    return install_plugin(EXAMPLE, tmp_path_factory.mktemp("chroma-key"))


def test_it_lies_outside_the_workspace_and_needs_kelly_core_alone():
    workspace = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["uv"]["workspace"]
    assert workspace["members"] == ["packages/*"]
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]
    assert [one.partition(">")[0] for one in project["dependencies"]] == ["kelly-core"]


def test_its_own_tests_and_every_rule_pass(stranger):
    done = stranger.pytest("-q", "-rs")
    assert done.returncode == 0, done.stdout
    skipped = [line for line in done.stdout.splitlines() if line.startswith("SKIPPED")]
    known = ("--data FOLDER", "Node.js", "it is trained, not only run")
    assert all(any(reason in line for reason in known) for line in skipped), skipped


def test_from_training_to_the_key_of_a_tune(stranger, tmp_path):
    listed = {row["name"]: row["kind"] for row in json.loads(stranger.kelly("list", "--json").stdout)}
    mine = ("chroma-key", "midi-key-signatures", "javascript", "run-diary")
    assert [listed[name] for name in mine] == ["model", "dataset", "exporter", "observer"]

    trained = stranger.kelly("train", "chroma-key", "--data", "demo", "--epochs", "30", "--json")
    assert trained.returncode == 0, trained.stderr
    result = json.loads(trained.stdout)
    assert result["metrics"]["test"]["accuracy"]["value"] > 0.5  # of 24 keys; synthetic songs
    assert "Krumhansl-Schmuckler" in result["baselines"]
    (diary,) = stranger.workspace.glob("logs/training/*/diary.md")
    assert diary.read_text().count("\n- epoch ") == 30

    exported = stranger.kelly("export", "chroma-key", "--all", "--json")
    assert exported.returncode == 0, exported.stderr
    formats = {one["format"] for one in json.loads(exported.stdout)["exports"]}
    assert {"onnx", "torchscript", "rtneural", "cpp", "javascript"} <= formats
    verified = stranger.kelly("verify", "chroma-key")
    assert verified.returncode == 0, verified.stdout + verified.stderr

    scale = np.array([62, 64, 66, 67, 69, 71, 73, 74])
    melody = [*scale, 69, 66, 62, 66, 69, 74, 69, 62] * 2
    notes = make_notes(melody, np.arange(32) * 480, 470, ticks_per_beat=480)
    bass = make_notes([38, 45] * 4, np.arange(8) * 1920, 1900, track=1, ticks_per_beat=480)
    write_notes(tmp_path / "tune.mid", np.concatenate([notes, bass]))
    (tmp_path / "bad.mid").write_bytes(b"no midi")
    asked = stranger.kelly("predict", "chroma-key", str(tmp_path), "--json")
    assert asked.returncode == 2
    said = json.loads(asked.stdout)
    (prediction,), (error,) = said["predictions"], said["errors"]
    assert prediction["top"][0]["label"] == "D major"
    assert len(prediction["spans"]) == 8
    assert error["file"].endswith("bad.mid")

    stranger.uninstall()
    assert "chroma-key" not in {row["name"] for row in json.loads(stranger.kelly("list", "--json").stdout)}
