"""The engine: finding a model, choosing a runtime, checking inputs, threads, results."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx
import pytest

from kelly_core.contract import ArtifactInfo, Contract, Pooling, StateInfo, TensorInfo
from kelly_core.errors import ContractError, KellyError, PluginError, UserError
from kelly_core.inference import Engine, InferenceResult, create_engine_by_name
from kelly_core.tensors import resized
from kelly_core.workspace import Workspace

LABELS = ["happy", "sad", "angry", "fear", "surprise", "disgust", "neutral"]


def write_onnx(path: Path) -> None:
    """Mean over time, then a dense layer: enough for a runtime to show itself."""
    rng = np.random.default_rng(0)
    helper = onnx.helper
    weights = [
        onnx.numpy_helper.from_array(rng.standard_normal((64, 7)).astype(np.float32), "w"),
        onnx.numpy_helper.from_array(rng.standard_normal(7).astype(np.float32), "b"),
    ]
    nodes = [
        helper.make_node("ReduceMean", ["input"], ["mean"], axes=[1, 3], keepdims=0),
        helper.make_node("Gemm", ["mean", "w", "b"], ["logits"]),
    ]
    sound = helper.make_tensor_value_info("input", onnx.TensorProto.FLOAT, ["batch", 1, 64, "frames"])
    scores = helper.make_tensor_value_info("logits", onnx.TensorProto.FLOAT, ["batch", 7])
    graph = helper.make_graph(nodes, "toy", [sound], [scores], weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


def toy_contract(**changes):
    values = {
        "model_id": "toy",
        "model_version": "0.1.0",
        "task": "toy_task",
        "architecture_type": "cnn",
        "parameters": 455,
        "inputs": [TensorInfo(name="input", shape=["batch", 1, 64, "frames"], unit="dB")],
        "outputs": [TensorInfo(name="logits", shape=["batch", 7], unit="logit")],
        "labels": LABELS,
        "latency_budget_ms": 5.0,
        "run_id": "run",
        "checkpoint_sha256": "0" * 64,
    }
    return Contract(**(values | changes))


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    place = Workspace(tmp_path)
    place.models.mkdir()
    write_onnx(place.artifact("toy", ".onnx"))
    artifacts = {"onnx": ArtifactInfo.of(place.artifact("toy", ".onnx"))}
    toy_contract(artifacts=artifacts).save(place.contract("toy"))
    return place


@pytest.fixture
def engine(workspace: Workspace) -> Engine:
    return create_engine_by_name("toy", workspace=workspace).load()


def mel(batch=1, frames=128, seed=0):
    return np.random.default_rng(seed).standard_normal((batch, 1, 64, frames)).astype(np.float32)


def test_top_k_is_sorted_and_made_of_probabilities(engine: Engine):
    result = engine.infer({"input": mel()})
    best = result.get_top_k(k=7)
    assert [one.score for one in best] == sorted((one.score for one in best), reverse=True)
    assert sum(one.score for one in best) == pytest.approx(1.0)
    assert best[0].index == int(result.outputs["logits"].argmax())
    assert best[0].label == LABELS[best[0].index]
    assert result.get_top_k() == best[:1]


def test_a_batch_gives_one_list_per_item(engine: Engine):
    result = engine.infer({"input": mel(3)})
    assert len(result.get_top_k_batch(2)) == 3
    with pytest.raises(UserError, match="get_top_k_batch"):
        result.get_top_k(2)
    with pytest.raises(UserError, match="at least 1"):
        result.get_top_k_batch(0)


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ({}, "input 'input' is missing"),
        ({"input": mel(), "extra": mel()}, "unknown input 'extra'; toy takes 'input' float32"),
        ({"mel": mel()}, "unknown input 'mel'"),
        ({"input": mel()[0]}, "expected 4 dimensions (batch, 1, 64, frames), got 3: (1, 64, 128)"),
        ({"input": mel()[:, :, :32]}, "dimension 2 must be 64, got 32"),
        ({"input": mel()[..., :0]}, "dimension 3 (frames) is empty"),
        ({"input": mel().astype(np.float64)}, "pass `.astype(np.float32)`"),
        ({"input": mel().tolist()}, "expected a numpy array, got list"),
        ({"input": np.full((1, 1, 64, 4), np.nan, np.float32)}, "NaN or infinity"),
    ],
)
def test_inputs_that_break_the_contract_are_refused_by_name(engine: Engine, inputs, words):
    with pytest.raises(ContractError) as caught:
        engine.infer(inputs)
    assert words in str(caught.value)
    assert caught.value.where.startswith("input '")


def test_symbolic_sizes_have_to_agree_between_inputs(engine: Engine):
    two = toy_contract(
        inputs=[TensorInfo(name="a", shape=["batch", 2]), TensorInfo(name="b", shape=["batch", 3])]
    )
    from kelly_core.tensors import check_inputs

    with pytest.raises(ContractError, match="must be batch = 4, as in the inputs before it, got 5"):
        check_inputs(two, {"a": np.zeros((4, 2), np.float32), "b": np.zeros((5, 3), np.float32)})


def test_an_engine_must_be_loaded_first(workspace: Workspace):
    with pytest.raises(UserError, match=r"call load\(\) first"):
        create_engine_by_name("toy", workspace=workspace).infer({"input": mel()})


def test_eight_threads_get_what_one_gets(engine: Engine):
    inputs = [mel(seed=seed) for seed in range(64)]
    alone = [engine.infer({"input": one}).outputs["logits"] for one in inputs]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda one: engine.infer({"input": one}).outputs["logits"], inputs))
    np.testing.assert_array_equal(together, alone)


def test_a_file_that_changed_after_verification_is_refused(workspace: Workspace):
    path = workspace.artifact("toy", ".onnx")
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(ContractError, match="checksum differs"):
        create_engine_by_name("toy", workspace=workspace).load()


def test_a_runtime_without_a_file_names_the_command_that_writes_it(workspace: Workspace):
    with pytest.raises(ContractError, match="kelly export toy --format torchscript"):
        create_engine_by_name("toy", runtime="torchscript", workspace=workspace).load()
    workspace.artifact("toy", ".onnx").unlink()
    with pytest.raises(ContractError, match="none of the files"):
        create_engine_by_name("toy", workspace=workspace).load()
    with pytest.raises(ContractError, match="no such file"):
        create_engine_by_name("toy", runtime="onnx", workspace=workspace).load()


def test_an_unknown_model_is_an_error_that_names_the_installed_ones(workspace: Workspace):
    with pytest.raises(PluginError, match="no model named 'nothing'"):
        create_engine_by_name("nothing", workspace=workspace)


def test_threads_below_one_are_refused(workspace: Workspace):
    with pytest.raises(UserError, match="at least 1"):
        create_engine_by_name("toy", workspace=workspace, threads=0)


def test_a_runtime_error_is_explained(engine: Engine, monkeypatch):
    def fail(inputs):
        raise RuntimeError("Kernel shape exceeds input")

    monkeypatch.setattr(engine._loaded.runner, "run", fail)
    with pytest.raises(KellyError, match=r"onnx could not run these inputs \(batch = 1, frames = 2\): Kernel"):
        engine.infer({"input": mel(frames=2)})


def test_pooled_outputs_become_scores_and_state_comes_back():
    contract = toy_contract(
        outputs=[TensorInfo(name="frames", shape=["batch", 14, "frames"], unit="logit")],
        state=[StateInfo(name="memory", shape=["batch", 2])],
        pooling=Pooling(kind="mean_plus_max"),
    )
    frames = np.random.default_rng(0).standard_normal((2, 14, 5)).astype(np.float32)
    memory = np.ones((2, 2), np.float32)
    result = InferenceResult({"frames": frames, "next_memory": memory}, contract)
    np.testing.assert_allclose(result.scores(), frames[:, :7].mean(2) + frames[:, 7:].max(2))
    np.testing.assert_allclose(result.probabilities().sum(1), 1.0, rtol=1e-6)
    assert result.state == {"memory": memory}


def test_a_model_without_labels_is_no_classifier():
    result = InferenceResult({"logits": np.zeros((1, 7), np.float32)}, toy_contract(labels=[]))
    with pytest.raises(ContractError, match="no classification"):
        result.get_top_k()


def test_resizing_cuts_and_repeats():
    inputs = {"input": mel(2, 5)}
    longer = resized(toy_contract(), inputs, frames=7, batch=3)["input"]
    assert longer.shape == (3, 1, 64, 7)
    np.testing.assert_array_equal(longer[2, :, :, 5:], inputs["input"][0, :, :, :2])


def test_onnx_inference_needs_no_torch(workspace: Workspace):
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "import numpy as np\n"
        "from kelly_core.inference import create_engine_by_name\n"
        f"engine = create_engine_by_name('toy', workspace={str(workspace.root)!r}).load()\n"
        "mel = np.zeros((1, 1, 64, 128), np.float32)\n"
        "print(engine.runtime, engine.infer({'input': mel}).get_top_k()[0].label)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split()[0] == "onnx"
    assert done.stdout.split()[1] in LABELS
