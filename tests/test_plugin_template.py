"""The model template in an environment of its own: installed, listed, trained, exported, verified, checked."""

import json

import numpy as np
import pytest

from kelly_core.authoring import new_plugin
from kelly_core.features.midi import make_notes, write_notes

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def stranger(install_plugin, tmp_path_factory):
    place = tmp_path_factory.mktemp("stranger")
    return install_plugin(new_plugin("key-finder", "model", place / "src"), place)


def test_a_generated_model_is_listed_trained_exported_verified_checked_and_removed(stranger, tmp_path):
    listed = stranger.kelly("list", "--json")
    assert listed.stderr == ""
    assert {"key-finder", "key-finder-demo"} <= {row["name"] for row in json.loads(listed.stdout)}
    trained = stranger.kelly("train", "key-finder", "--data", "demo", "--epochs", "6", "--json")
    assert trained.returncode == 0, trained.stderr
    exported = stranger.kelly("export", "key-finder", "--all", "--json")
    assert exported.returncode == 0, exported.stderr
    formats = {one["format"] for one in json.loads(exported.stdout)["exports"]}
    assert formats == {"onnx", "torchscript"}
    verified = stranger.kelly("verify", "key-finder")
    assert verified.returncode == 0, verified.stdout + verified.stderr
    write_notes(tmp_path / "up.mid", make_notes(48 + np.arange(24), np.arange(24) * 480, 480))
    asked = stranger.kelly("predict", "key-finder", str(tmp_path / "up.mid"), "--json")
    assert json.loads(asked.stdout)["predictions"][0]["top"][0]["label"] == "rises"
    tested = stranger.pytest("-v")
    assert tested.returncode == 0, tested.stdout
    for rule in ("killed-and-resumed-is-exact", "step-equals-whole", "exports-pass-parity"):
        assert f"kelly-key-finder:key-finder (model)::{rule} PASSED" in tested.stdout
    assert "test_intervals_are_octaves_and_lengths_quarters PASSED" in tested.stdout
    stranger.uninstall()
    gone = stranger.kelly("config", "key-finder")
    assert gone.returncode == 2
    assert "no model named 'key-finder'" in gone.stderr
