"""Files that take whole tunes of models whose call is a step: compared with the steps, used, measured."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from kelly_core.cli import run
from kelly_core.contract import Contract
from kelly_core.errors import FormatError
from kelly_core.inference import create_engine_by_name
from kelly_core.pipeline.export import export_model
from kelly_core.plugins import PluginHost
from kelly_core.testing import untrained
from kelly_core.verify import verify_model
from kelly_core.workspace import Workspace
from kelly_harmony.chords import N_CHORDS
from kelly_harmony.config import HarmonyConfig, MlpConfig, TcnConfig
from kelly_harmony.infer import log_probabilities
from kelly_melody.config import MelodyConfig, NetworkConfig

torch.set_num_threads(1)
FORMS = ["onnx-whole", "torchscript-whole"]
SMALL = NetworkConfig(width=16, layers=2, hidden=12, span=24)
MODELS = {
    "harmony mlp": ("harmony", HarmonyConfig(mlp=MlpConfig(width=16, entry=8, window=20, span=24))),
    "harmony gru": ("harmony", HarmonyConfig(architecture_type="gru")),
    "harmony frames": ("harmony", HarmonyConfig(architecture_type="frames")),
    "harmony tcn": (
        "harmony",
        HarmonyConfig(architecture_type="tcn", tcn=TcnConfig(width=12, layers=4, look_ahead=15)),
    ),
    **{
        f"melody {kind}": ("melody", MelodyConfig(architecture_type=kind, network=SMALL))
        for kind in ("transformer", "lstm", "frames", "tcn")
    },
}


@pytest.mark.parametrize("model", MODELS)
def test_whole_sequences_are_what_steps_give(tmp_path, model):
    name, config = MODELS[model]
    workspace, host = Workspace(tmp_path), PluginHost()
    trained = untrained(workspace, name, config)
    results = export_model(trained, workspace, host, FORMS)
    assert [result.report.passed for result in results] == [True, True]
    contract = Contract.load(workspace.contract(trained.spec.model_id))
    assert set(contract.interfaces) == {"whole"}
    _, length, *_ = contract.seen_as("whole").inputs[0].shape
    assert any(row.case.startswith(f"batch 2, {length}") for row in results[0].report.rows)
    assert [report.passed for report in verify_model(workspace, host, trained.spec.model_id)] == [True, True]


def test_steps_that_go_on_differently_are_found(tmp_path):
    workspace, host = Workspace(tmp_path), PluginHost()
    config = HarmonyConfig(architecture_type="gru")
    trained = untrained(workspace, "harmony", config)
    export_model(trained, workspace, host, ["onnx-whole"])
    other = untrained(Workspace(tmp_path / "other"), "harmony", config, seed=1)
    (result,) = export_model(other, Workspace(tmp_path / "other"), host, ["onnx-whole"])
    workspace.models.joinpath("harmonypredictor.whole.onnx").write_bytes(result.path.read_bytes())
    (report,) = verify_model(workspace, host, "harmonypredictor")
    assert any("differs by" in line for line in report.failures())


def test_a_model_that_takes_sequences_or_windows_anyway_has_no_such_file(tmp_path):
    workspace, host = Workspace(tmp_path), PluginHost()
    for name in ("dynamics", "emotion", "groove"):
        with pytest.raises(FormatError, match="no interface 'whole'"):
            export_model(untrained(workspace, name), workspace, host, ["onnx-whole"])


@pytest.fixture(scope="module")
def harmony(tmp_path_factory):
    """A workspace with a network of demo songs, by steps and whole."""
    root = tmp_path_factory.mktemp("whole")
    settings = ["architecture_type=tcn", "tcn.layers=4", "tcn.look_ahead=15", "epochs=1"]
    words = ["--workspace", str(root), "train", "harmony", "--data", "demo", "--export-onnx"]
    assert run([*words, *(word for one in settings for word in ("--set", one))]) == 0
    assert run(["--workspace", str(root), "export", "harmony", "--format", "onnx-whole"]) == 0
    return root


def test_chords_of_a_tune_are_the_same(harmony):
    from kelly_harmony.data.cached import read_item
    from kelly_harmony.demo import open_demo

    lead = read_item(open_demo(harmony / "songs", {"songs": 6, "bars": 8}).items[0])
    said = [
        log_probabilities(create_engine_by_name("harmony", runtime=name, workspace=harmony).load(), lead)
        for name in ("onnx", "onnx-whole")
    ]
    assert said[0].shape == (len(lead), N_CHORDS)
    np.testing.assert_allclose(said[0], said[1], atol=1e-4)


def test_the_metric_is_measured_and_the_call_timed(harmony, capsys):
    place = ["--workspace", str(harmony)]
    capsys.readouterr()
    assert run([*place, "evaluate", "harmony", "--runtime", "onnx-whole", "--json"]) == 0
    rows = {row["runtime"]: row for row in json.loads(capsys.readouterr().out)["runtimes"]}
    assert rows["onnx-whole"]["change"]["accuracy"]["value"] == pytest.approx(0.0, abs=1e-6)
    assert run([*place, "bench", "harmony", "--runtime", "onnx-whole", "--runs", "20", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert ("onnx-whole", "whole") in {(row["runtime"], row["what"]) for row in said["models"][0]["rows"]}
