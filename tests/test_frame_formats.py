"""RTNeural JSON and C++ of today's models: 500 frames as torch computes them, refusals, the engine."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from kelly_core.contract import Contract
from kelly_core.errors import ContractError, FormatError
from kelly_core.inference import create_engine_by_name
from kelly_core.pipeline.export import export_model
from kelly_core.plugins import PluginHost
from kelly_core.runtime import ModuleRunner, runtime_for
from kelly_core.testing import untrained
from kelly_core.verify import from_reset, random_inputs
from kelly_core.workspace import Workspace
from kelly_export.cpp import why_not

torch.set_num_threads(1)
FORMATS = [
    "rtneural",
    pytest.param("cpp", marks=pytest.mark.skipif(bool(why_not()), reason=f"not run here: {why_not()}")),
]
FRAMES = 500


def trained(tmp_path, name, **settings):
    """A checkpoint of a network with random weights and norms, as training leaves it."""

    def spread(module):
        for part in module.modules():
            if isinstance(part, torch.nn.BatchNorm2d | torch.nn.BatchNorm1d):
                part.running_mean.normal_(std=0.3)
                part.running_var.uniform_(0.5, 2.0)
        if name == "dynamics":
            columns = torch.randn(300, module.scale.mean.numel()) * 3 + 1
            module.scale.fit(columns, torch.tensor([64.0, 0, 0, 0.5]) + torch.randn(300, 4) * 9)

    workspace, host = Workspace(tmp_path), PluginHost()
    config = host.model(name).config_class()(**settings)
    return untrained(workspace, name, config, change=spread), workspace, host


MODELS = {
    "dynamics mlp": ("dynamics", {}),
    "dynamics mlp, causal": ("dynamics", {"input": "causal"}),
    "groove mlp": ("groove", {"architecture_type": "mlp"}),
    "emotion streaming": ("emotion", {"architecture_type": "streaming"}),
}


def frames_of(contract, count, seed=0):
    """Two streams of frames; of a network without memory as many frames at once."""
    if not contract.chain.time:
        return random_inputs(contract, count, seed)
    rng = np.random.default_rng(seed)
    info = contract.inputs[0]
    sizes = {"batch": 2, contract.chain.time: count}
    shape = [dim if isinstance(dim, int) else sizes[dim] for dim in info.shape]
    spread = rng.standard_normal(shape)
    return {info.name: (spread * 15 - 45 if info.unit.startswith("dB") else spread * 4).astype(np.float32)}


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("model", MODELS)
def test_500_frames_are_what_torch_computes(tmp_path, model, form):
    name, settings = MODELS[model]
    one, workspace, host = trained(tmp_path, name, **settings)
    (result,) = export_model(one, workspace, host, [form])
    assert result.report.passed
    contract = Contract.load(workspace.contract(one.spec.model_id))
    inputs = frames_of(contract, FRAMES)
    engine = create_engine_by_name(one.spec.name, runtime=form, workspace=workspace).load()
    reference = ModuleRunner(one.task.export_module(one.module).eval(), contract)
    expected, whole = reference.run(from_reset(contract, inputs)), engine.infer(inputs)
    for key, value in expected.items():
        given = whole.outputs[key] if key in whole.outputs else whole.state[key.removeprefix("next_")]
        np.testing.assert_allclose(given, value, atol=1e-5 * max(1.0, float(np.abs(value).max()) / 10))


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("model", [name for name in MODELS if name != "groove mlp"])
def test_frame_by_frame_is_the_whole_and_reset_forgets(tmp_path, model, form):
    name, settings = MODELS[model]
    one, workspace, host = trained(tmp_path, name, **settings)
    export_model(one, workspace, host, [form])
    engine = create_engine_by_name(one.spec.name, runtime=form, workspace=workspace).load()
    contract = engine.contract
    inputs = frames_of(contract, 30)
    (info,), (out,) = contract.inputs, contract.outputs
    axis, axis_out = info.shape.index(contract.chain.time), out.shape.index(contract.chain.time)
    whole = engine.infer(inputs).outputs[out.name]
    state, steps = {}, []
    for frame in np.split(inputs[info.name], 30, axis=axis):
        result = engine.infer({info.name: np.ascontiguousarray(frame), **state})
        state = result.state
        steps.append(result.outputs[out.name])
    np.testing.assert_allclose(np.concatenate(steps, axis=axis_out), whole, atol=1e-5)
    np.testing.assert_array_equal(engine.infer(inputs).outputs[out.name], whole)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(
    ("name", "settings", "words"),
    [
        ("emotion", {"architecture_type": "cnn"}, "train emotion --set architecture_type=streaming"),
        ("groove", {}, "is Embedding.*train groove --set architecture_type=mlp"),
        ("dynamics", {"architecture_type": "tcn"}, "train dynamics --set architecture_type=mlp"),
    ],
)
def test_networks_that_are_no_chain_are_refused(tmp_path, name, settings, words, form):
    one, workspace, host = trained(tmp_path, name, **settings)
    with pytest.raises(FormatError, match=f"(?s){words}"):
        export_model(one, workspace, host, [form])
    assert not workspace.artifact(one.spec.model_id, host.exporter(form).suffix).exists()
    refused = []
    assert export_model(one, workspace, host, [form], refused=refused) == []
    assert len(refused) == 1
    assert Contract.load(workspace.contract(one.spec.model_id)).chain is None


@pytest.mark.parametrize("form", FORMATS)
def test_a_file_of_another_network_does_not_open(tmp_path, form):
    one, workspace, host = trained(tmp_path, "dynamics")
    (result,) = export_model(one, workspace, host, [form])
    contract = Contract.load(workspace.contract(one.spec.model_id))
    runtime = runtime_for(form, host)
    with pytest.raises(ContractError, match="doesn't say how"):
        runtime.open(result.path, contract.model_copy(update={"chain": None}))
    wider = contract.chain.model_copy(update={"inputs": contract.chain.inputs * 2})
    with pytest.raises(ContractError, match="the contract says"):
        runtime.open(result.path, contract.model_copy(update={"chain": wider}))
