"""Exported files in the place of the trained network: the same answers, the same metric, size and speed."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
import soundfile
import torch

from kelly_core.cli import run
from kelly_core.contract import TensorInfo
from kelly_core.pipeline.export import export_model
from kelly_core.plugins import PluginHost
from kelly_core.runtime import ModuleRunner
from kelly_core.testing import untrained
from kelly_core.workspace import Workspace
from kelly_dynamics.config import DynamicsConfig
from kelly_dynamics.task import DynamicsTask
from kelly_emotion.config import EmotionConfig
from kelly_emotion.demo import DemoOptions
from kelly_emotion.demo.dataset import make_clips
from kelly_emotion.task import EmotionTask
from kelly_harmony.config import HarmonyConfig
from kelly_harmony.lead import MELODY, METRE
from kelly_harmony.task import HarmonyTask
from kelly_melody.config import MelodyConfig
from kelly_melody.features.inputs import PLACE, PROPOSAL, TOKEN
from kelly_melody.features.memory import N_SOURCES
from kelly_melody.polymusic.memory import BUCKETS, KEYS
from kelly_melody.polymusic.task import KeysTask
from kelly_melody.task import MelodyTask
from kelly_melody.tokens import N_PITCHES

torch.set_num_threads(1)
WIDTH = len(DynamicsTask(DynamicsConfig()).columns)


def tokens():
    """Two melodies of 30 tokens."""
    pitch = torch.randint(0, N_PITCHES, (2, 30))
    return [torch.rand(2, 30, TOKEN), torch.rand(2, 30, PLACE), torch.rand(2, 30, N_SOURCES, PROPOSAL), pitch]


def frames():
    """Two pieces of 30 frames, with what the memory says."""
    roll, continuations = torch.rand(2, 30, KEYS).round(), torch.rand(2, 30, 2, KEYS).round()
    return [roll, continuations, torch.randint(0, BUCKETS, (2, 30, 2))]


def beats():
    """Two tunes of 80 beats, longer than any look-ahead."""
    metre = torch.rand(2, 80, METRE)
    metre[..., -1] = 1.0
    return [torch.rand(2, 80, MELODY), metre, torch.tensor([[5], [14]]).repeat(1, 80)]


INPUTS = {
    **{
        f"melody {kind}": (lambda kind=kind: MelodyTask(MelodyConfig(architecture_type=kind)), tokens)
        for kind in ("transformer", "lstm", "frames", "tcn")
    },
    "keys": (lambda: KeysTask(MelodyConfig(head="keys", architecture_type="lstm")), frames),
    "keys without memory": (
        lambda: KeysTask(MelodyConfig(head="keys", architecture_type="lstm", keys={"candidates": 0})),
        frames,
    ),
    **{
        f"harmony {kind}": (lambda kind=kind: HarmonyTask(HarmonyConfig(architecture_type=kind)), beats)
        for kind in ("mlp", "gru", "tcn")
    },
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
    runner = ModuleRunner.of(task.export_module(model).eval(), sides)
    deployed = task.deployed(model, runner).eval()
    with torch.no_grad():
        right, given = model(*inputs), deployed(*inputs)
    torch.testing.assert_close(given, right, atol=2e-4, rtol=1e-5)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    """A workspace with an untrained network in three formats, and clips to measure it on."""
    place = Workspace(tmp_path_factory.mktemp("ws"))
    torch.manual_seed(0)
    trained = untrained(place, "emotion", EmotionConfig(architecture_type="mlp"))
    host = PluginHost()
    export_model(trained, place, host, ["onnx", "torchscript", "onnx-int8"])
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


@pytest.mark.parametrize(("name", "headline", "items"), [("melody", "nats", 8), ("harmony", "accuracy", 10)])
def test_a_step_with_state_is_measured_over_the_demo_set(name, headline, items, tmp_path, monkeypatch, capsys):
    torch.manual_seed(0)
    place, host = Workspace(tmp_path), PluginHost()
    trained = untrained(place, name, data="demo")
    export_model(trained, place, host, ["onnx", "onnx-int8"])
    monkeypatch.setenv("KELLY_WORKSPACE", str(tmp_path))
    assert run(["evaluate", name, "--runtime", "all", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert [row["runtime"] for row in report["runtimes"]] == ["torch", "onnx", "onnx-int8"]
    assert (report["synthetic"], report["measured_on"], report["items"]) == (True, "test", items)
    change = [row["change"][headline]["value"] for row in report["runtimes"]]
    assert change[:2] == pytest.approx([0.0, 0.0], abs=1e-5)
    assert report["runtimes"][2]["bytes"] < report["runtimes"][1]["bytes"]


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
