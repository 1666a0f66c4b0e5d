"""Exported files in the place of the trained network: the same answers, the same metric, size and speed."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
import soundfile
import torch

from kelly_core.checkpoint import load_trained, save_checkpoint
from kelly_core.cli import run
from kelly_core.config.resolve import dump
from kelly_core.contract import TensorInfo
from kelly_core.pipeline.export import export_model
from kelly_core.plugins import PluginHost
from kelly_core.runtime import ModuleRunner
from kelly_core.workspace import Workspace
from kelly_dynamics.config import DynamicsConfig
from kelly_dynamics.task import DynamicsTask
from kelly_emotion.config import EmotionConfig
from kelly_emotion.demo import DemoOptions
from kelly_emotion.demo.dataset import make_clips
from kelly_emotion.task import EmotionTask

torch.set_num_threads(1)
WIDTH = len(DynamicsTask(DynamicsConfig()).columns)


INPUTS = {
    "emotion cnn": (lambda: EmotionTask(EmotionConfig()), lambda: [torch.randn(3, 1, 64, 90) * 20 - 50]),
    "emotion streaming": (
        lambda: EmotionTask(EmotionConfig(architecture_type="streaming")),
        lambda: [torch.randn(3, 1, 64, 90) * 20 - 50],
    ),
    "dynamics mlp": (
        lambda: DynamicsTask(DynamicsConfig(architecture_type="mlp")),
        lambda: [torch.randn(1, 40, WIDTH)],
    ),
    "dynamics tcn": (
        lambda: DynamicsTask(DynamicsConfig(architecture_type="tcn")),
        lambda: [torch.randn(1, 150, WIDTH)],
    ),
}


@pytest.mark.parametrize("name", INPUTS)
def test_the_exported_module_answers_as_the_network_does(name):
    torch.manual_seed(0)
    make_task, make_inputs = INPUTS[name]
    task, inputs = make_task(), make_inputs()
    model = task.build(None).eval()
    for parameter in model.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.1)
    interface = task.interface()
    following = [TensorInfo(name=one.next_name, shape=one.shape) for one in interface.state]
    sides = SimpleNamespace(
        feeds=[*interface.inputs, *interface.state], fetches=[*interface.outputs, *following]
    )
    runner = ModuleRunner(task.export_module(model).eval(), sides)
    deployed = task.deployed(model, runner).eval()
    with torch.no_grad():
        right, given = model(*inputs), deployed(*inputs)
    torch.testing.assert_close(given, right, atol=2e-4, rtol=1e-5)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    """A workspace with an untrained network in three formats, and clips to measure it on."""
    place = Workspace(tmp_path_factory.mktemp("ws"))
    torch.manual_seed(0)
    config = EmotionConfig(architecture_type="mlp")
    path = place.checkpoints("emotionrecognizer") / "best.pt"
    payload = {
        "format": 1,
        "name": "emotion",
        "model_id": "emotionrecognizer",
        "architecture_type": "mlp",
        "epoch": 1,
        "config": dump(config),
        "model_state_dict": EmotionTask(config).build(None).state_dict(),
        "val_loss": 1.0,
        "run_id": "run",
        "data": "nowhere",
        "dataset": None,
        "synthetic_data": True,
    }
    save_checkpoint(path, payload)
    host = PluginHost()
    export_model(load_trained(path, host), place, host, ["onnx", "torchscript", "onnx-int8"])
    rows = ["file,label,speaker"]
    folder = place.root / "clips"
    folder.mkdir()
    for clip in make_clips(DemoOptions(performers=3, takes=1)):
        name = f"{clip.row['label']}-{clip.row['speaker']}.wav"
        soundfile.write(folder / name, clip.samples, 16_000)
        rows.append(f"{name},{clip.row['label']},{clip.row['speaker']}")
    (folder / "metadata.csv").write_text("\n".join(rows) + "\n")
    return place


@pytest.fixture
def kelly(workspace, monkeypatch, capsys):
    """Runs a command in the workspace: (exit code, stdout, stderr)."""
    monkeypatch.setenv("KELLY_WORKSPACE", str(workspace.root))

    def call(*arguments):
        capsys.readouterr()
        code = run(list(map(str, arguments)))
        return code, *capsys.readouterr()

    return call


def test_every_file_is_measured_with_the_metric_of_the_network(workspace, kelly):
    data = ["--data", workspace.root / "clips"]
    code, out, err = kelly("evaluate", "emotion", "--runtime", "all", *data, "--json")
    assert code == 0, err
    report = json.loads(out)
    assert [row["runtime"] for row in report["runtimes"]] == ["torch", "onnx", "torchscript", "onnx-int8"]
    first = report["runtimes"][0]
    for row in report["runtimes"]:
        assert row["metrics"].keys() == first["metrics"].keys()
        assert row["ms"] > 0
    assert report["runtimes"][1]["change"]["uar"]["value"] == 0.0
    int8, whole = report["runtimes"][3], report["runtimes"][1]
    assert int8["bytes"] < whole["bytes"] / 2
    assert int8["metrics"]["ece"] != first["metrics"]["ece"]
    code, out, _ = kelly("evaluate", "emotion", "--runtime", "onnx-int8", *data)
    assert code == 0
    assert "uar [95 %], change [95 %]" in out
    assert out.count("KiB") == 1


def test_a_runtime_without_a_file_and_a_changed_file_are_named(workspace, kelly):
    data = ["--data", workspace.root / "clips"]
    code, _, err = kelly("evaluate", "emotion", "--runtime", "onnx-fp16", *data)
    assert code == 2
    assert "there is no 'onnx-fp16' file" in err
    path = workspace.artifact("emotionrecognizer", ".pt")
    whole = path.read_bytes()
    path.write_bytes(whole[:-100])
    code, _, err = kelly("evaluate", "emotion", "--runtime", "torchscript", *data)
    path.write_bytes(whole)
    assert code == 2
    assert "it isn't the file that was exported" in err
