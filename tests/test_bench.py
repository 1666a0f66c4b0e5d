"""`kelly bench`: what is called, what is told, what the budget is for, and what is kept."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from kelly_core.cli import run
from kelly_core.contract import Contract, StateInfo, TensorInfo
from kelly_core.errors import UserError
from kelly_core.pipeline.bench.calls import calls_of
from kelly_core.pipeline.bench.report import compared, draw
from kelly_core.pipeline.bench.timing import ModelTimes, Timed
from kelly_core.pipeline.export import export_model
from kelly_core.plugins import PluginHost
from kelly_core.runtime import ModuleRunner
from kelly_core.testing import untrained
from kelly_core.workspace import Workspace
from kelly_emotion.config import EmotionConfig

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    """A workspace with an untrained network as ONNX."""
    place = Workspace(tmp_path_factory.mktemp("ws"))
    trained = untrained(place, "emotion", EmotionConfig(architecture_type="mlp"))
    host = PluginHost()
    export_model(trained, place, host, ["onnx"])
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


def test_a_run_tells_times_draws_them_and_keeps_them(workspace, kelly, tmp_path):
    picture = tmp_path / "latency.png"
    code, out, err = kelly("bench", "--runs", "20", "--json", "--picture", picture)
    assert code == 0, err
    report = json.loads(out)
    (model,) = report["models"]
    assert (model["model"], model["budget_ms"], report["threads"], report["batch"]) == ("emotion", 5.0, 1, 1)
    rows = {(row["runtime"], row["what"]): row for row in model["rows"]}
    assert list(rows) == [
        ("empty graph", ""), ("front end alone", ""), ("onnx", "whole"), ("onnx", "whole with front end"),
    ]  # fmt: skip
    for row in rows.values():
        assert 0 < row["p50_ms"] <= row["p99_ms"] <= row["p999_ms"] <= row["max_ms"]
        assert row["calls"] == 20
    assert rows["onnx", "whole"]["load_ms"] > 0
    assert rows["onnx", "whole"]["memory_mib"] > 0
    assert [key for key, row in rows.items() if row["budget"]] == [("onnx", "whole with front end")]
    assert picture.read_bytes().startswith(b"\x89PNG")
    contract = Contract.load(workspace.contract("emotionrecognizer"))
    assert [one.runtime for one in contract.latency] == [runtime for runtime, _ in rows]
    assert contract.latency[0].hardware == report["machine"]["processor"]

    earlier = tmp_path / "earlier.json"
    earlier.write_text(out)
    pairs = compared(report, earlier)
    assert [row[:3] for row in pairs] == [("emotion", *key) for key in rows]
    assert all(cell.endswith("(1.00 x)") for row in pairs for cell in row[3:])
    earlier.write_text("{}")
    with pytest.raises(UserError, match="no report of `kelly bench --json`"):
        compared(report, earlier)


def test_the_gate_ends_with_1_when_p99_misses_the_budget(workspace, kelly):
    path = workspace.contract("emotionrecognizer")
    text = path.read_text()
    Contract.load(path).model_copy(update={"latency_budget_ms": 1e-6}).save(path)
    code, out, err = kelly("bench", "emotion", "--runs", "20", "--gate", "--no-record")
    path.write_text(text)
    assert code == 1
    assert "p99 is" in err
    assert "whole with front end" in out


def test_what_cannot_be_recorded_is_told_after_the_measurement_is_shown(workspace, kelly):
    place = workspace.contract("emotionrecognizer")
    contract = Contract.load(place)
    contract.model_copy(update={"run_id": "20260101-000000-emotion-0000"}).save(place)
    registry = workspace.registry
    registry.write_text("{")
    try:
        code, out, err = kelly("bench", "emotion", "--runs", "20", "--json")
    finally:
        registry.unlink()
        contract.save(place)
    assert code == 0
    assert json.loads(out)["models"][0]["rows"]
    assert "emotion: not everything is recorded: " in err


def test_what_is_not_exported_is_named(kelly, tmp_path, monkeypatch):
    code, _, err = kelly("bench", "emotion", "--runtime", "torchscript")
    assert code == 2
    assert "there is no 'torchscript' file" in err
    monkeypatch.setenv("KELLY_WORKSPACE", str(tmp_path))
    code, _, err = kelly("bench")
    assert code == 2
    assert "there is no exported model" in err


def test_only_calls_under_the_budget_s_rule_can_miss_it():
    slow = np.full(100, 7.0)
    rows = [Timed("onnx", "whole", slow, 9.0, counts=False), Timed("onnx", "step", slow, 9.0, counts=True)]
    assert ModelTimes("m", "m", "mlp", 5.0, rows, {}).misses() == [
        "m: onnx, step: p99 is 7.000 ms, the budget is 5 ms"
    ]
    assert ModelTimes("m", "m", "mlp", 8.0, rows, {}).misses() == []


def test_a_budget_that_nothing_was_held_to_is_missed():
    empty = [Timed("empty graph", "", np.full(20, 0.1), 0.2)]
    (line,) = ModelTimes("m", "m", "mlp", 5.0, empty, {"coreml": "not on Linux"}).misses()
    assert "nothing was timed that the budget is for (coreml: not on Linux)" in line
    (line,) = ModelTimes("m", "m", "mlp", 5.0, empty, {}).misses()
    assert "`kelly export m` writes one" in line


def contract_of(shape, state=True):
    return Contract(
        model_id="toy",
        model_version="1",
        task="toy",
        architecture_type="toy",
        parameters=0,
        inputs=[TensorInfo(name="input", shape=shape)],
        outputs=[TensorInfo(name="output", shape=shape)],
        state=[StateInfo(name="memory", shape=["batch", 3])] if state else [],
        window={"frames": 20},
        latency_budget_ms=1.0,
        run_id="",
        checkpoint_sha256="0" * 64,
    )


class Remembers:
    """Keeps what it was given."""

    def __init__(self):
        self.given = []

    def run(self, inputs):
        self.given.append(dict(inputs))
        memory = inputs.get("memory")
        return {"output": inputs["input"], **({} if memory is None else {"next_memory": memory + 1.0})}


def test_a_step_is_one_unit_with_the_state_passed_on():
    runner = Remembers()
    whole, step = calls_of(contract_of(["batch", "frames", 4]), "onnx", runner)
    assert (whole.what, step.what) == ("whole", "step")
    whole.run()
    assert runner.given[-1]["input"].shape == (1, 20, 4)
    for expected in (0.0, 1.0, 2.0):
        step.run()
        assert runner.given[-1]["input"].shape == (1, 1, 4)
        assert runner.given[-1]["memory"].max() == expected


@pytest.mark.parametrize(
    ("name", "settings", "calls"),
    [
        ("emotion", {"architecture_type": "streaming"}, {"whole", "step", "whole with front end"}),
        ("dynamics", {"architecture_type": "tcn"}, {"whole", "step"}),
        ("dynamics", {"architecture_type": "mlp"}, {"whole", "step"}),
        ("groove", {"input": "score"}, {"whole"}),
        ("groove", {"input": "live"}, {"step"}),
        ("harmony", {}, {"step"}),
        ("melody", {}, {"step"}),
        ("melody", {"architecture_type": "lstm"}, {"step"}),
    ],
)
def test_models_with_state_are_stepped(name, settings, calls):
    spec = PluginHost().model(name)
    task = spec.make_task(spec.config_class()(**settings))
    model = task.build(None).eval()
    interface, chain = task.interface(), task.chain(model)
    contract = contract_of(["batch", 1]).model_copy(
        update={
            **{part: getattr(interface, part) for part in ("inputs", "outputs", "state", "features", "window")},
            "chain": chain and chain.info,
        }
    )
    found = calls_of(contract, "torch", ModuleRunner.of(task.export_module(model).eval(), contract))
    assert {call.what for call in found} == calls
    for call in found:
        call.run()
        call.run()


def test_a_model_whose_call_is_a_step_is_called_once_each():
    assert [call.what for call in calls_of(contract_of(["batch", 4]), "onnx", Remembers())] == ["step"]
    without = calls_of(contract_of(["batch", 4], state=False), "onnx", Remembers())
    assert [call.what for call in without] == ["whole"]


def test_the_picture_has_a_panel_for_each_model(tmp_path):
    rows = [Timed("onnx", "whole", np.sort(np.random.default_rng(0).gamma(2.0, 1.0, 50)), 9.0, counts=True)]
    models = [ModelTimes(name, name, "mlp", 5.0, rows, {}) for name in ("one", "two")]
    path = tmp_path / "pictures" / "latency.svg"
    draw(models, path, {"processor": "toy"})
    assert path.read_text().count("budget") >= 2
