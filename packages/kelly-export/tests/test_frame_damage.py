"""Frame-by-frame files through the gate: shared state tensors, indices, several outputs; damage is caught."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from kelly_core.chain import Chain, Dense, layers_of
from kelly_core.contract import (
    ChainInfo,
    ChainState,
    ChainTensor,
    Contract,
    GoldenVector,
    StateInfo,
    TensorInfo,
)
from kelly_core.errors import FormatError, ParityError
from kelly_core.export import ExportBundle
from kelly_core.plugins import PluginHost
from kelly_core.runtime import ModuleRunner
from kelly_core.specs import LazyRef
from kelly_core.verify import (
    export_verified,
    from_reset,
    golden_inputs,
    parity_cases,
    random_inputs,
    verify_artifact,
)
from kelly_core.workspace import Workspace
from kelly_export import cpp, rtneural
from kelly_export.plugin import kelly_exporters

torch.set_num_threads(1)
FORMATS = {"rtneural": rtneural, "cpp": cpp}
EXPORTERS = {spec.name: spec for spec in kelly_exporters() if spec.name in FORMATS}
needs_compiler = pytest.mark.skipif(bool(cpp.why_not()), reason=f"not run here: {cpp.why_not()}")
BOTH = ["rtneural", pytest.param("cpp", marks=needs_compiler)]
WIDTH, TOKENS = 12, 9


class Tune(nn.Module):
    """Tokens and two numbers a step through a GRU and two LSTMs; two heads; all state in two tensors."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(TOKENS, WIDTH)
        self.place = nn.Linear(2, WIDTH)
        self.first = nn.GRU(WIDTH, WIDTH, batch_first=True)
        self.stack = nn.LSTM(WIDTH, WIDTH, num_layers=2, batch_first=True)
        self.heads = nn.Linear(WIDTH, 7)

    def forward(self, token: Tensor, place: Tensor, hidden: Tensor, cell: Tensor) -> tuple[Tensor, ...]:
        """(batch, steps), (batch, steps, 2), (batch, 3, WIDTH), (batch, 2, WIDTH) and the same back."""
        steps, last = self.first(self.embed(token) + self.place(place), hidden[None, :, 0].contiguous())
        memory = hidden[:, 1:].transpose(0, 1).contiguous(), cell.transpose(0, 1).contiguous()
        steps, (after, kept) = self.stack(steps, memory)
        pitch, duration = self.heads(steps).split((4, 3), dim=-1)
        hidden = torch.cat([last, after]).transpose(0, 1)
        return pitch, duration.transpose(1, 2), hidden, kept.transpose(0, 1)

    def layers(self):
        """As a chain: the embedding is a dense layer on a one-hot index, beside the numbers."""
        weight = torch.cat([self.embed.weight, self.place.weight.T]).detach().numpy()
        enter = Dense(weight, self.place.bias.detach().numpy())
        return [enter, *layers_of(nn.Sequential(self.first, self.stack, self.heads), WIDTH)]


CHAIN = ChainInfo(
    time="steps",
    inputs=[ChainTensor(name="token", size=TOKENS, one_hot=True), ChainTensor(name="place", size=2)],
    outputs=[ChainTensor(name="pitch", size=4), ChainTensor(name="duration", size=3)],
    state=[
        ChainState(name="hidden", axes=[0], at=0),
        ChainState(name="hidden", axes=[0], at=1),
        ChainState(name="cell", axes=[0], at=0),
        ChainState(name="hidden", axes=[0], at=2),
        ChainState(name="cell", axes=[0], at=1),
    ],
)


def bundle_of(module):
    torch.manual_seed(0)
    module = module().eval()
    for part in module.parameters():
        nn.init.normal_(part, std=0.5)
    bare = Contract(
        model_id="toy",
        model_version="0.1.0",
        task="toy_task",
        architecture_type="lstm",
        parameters=sum(p.numel() for p in module.parameters()),
        inputs=[
            TensorInfo(name="token", shape=["batch", "steps"], dtype="int64", low=0, high=TOKENS - 1),
            TensorInfo(name="place", shape=["batch", "steps", 2]),
        ],
        outputs=[
            TensorInfo(name="pitch", shape=["batch", "steps", 4]),
            TensorInfo(name="duration", shape=["batch", 3, "steps"]),
        ],
        state=[
            StateInfo(name="hidden", shape=["batch", 3, WIDTH]),
            StateInfo(name="cell", shape=["batch", 2, WIDTH]),
        ],
        chain=CHAIN,
        window={"frames": 24},
        latency_budget_ms=5.0,
        run_id="run",
        checkpoint_sha256="0" * 64,
    )
    runner, golden = ModuleRunner.of(module, bare), []
    for name, inputs in golden_inputs(bare, random_inputs(bare, 1), random_inputs(bare, 3)).items():
        given = runner.run(from_reset(bare, inputs))
        golden.append(GoldenVector.of(name, inputs, {info.name: given[info.name] for info in bare.outputs}))
    contract = bare.model_copy(update={"golden": golden})
    return ExportBundle(module, contract, random_inputs(bare, 1), {}, Chain(module.layers(), CHAIN))


def cases_of(contract):
    return parity_cases(contract, random_inputs(contract, 1), random_inputs(contract, 3))


@pytest.fixture(scope="module")
def tune():
    return bundle_of(Tune)


@pytest.mark.parametrize("name", BOTH)
def test_indices_shared_state_and_several_outputs_pass_the_gate(tmp_path: Path, tune, name):
    path = tmp_path / f"toy{EXPORTERS[name].suffix}"
    _, report = export_verified(tune, EXPORTERS[name], path, cases_of(tune.contract), tolerance=1e-5)
    assert report.passed
    assert {row.output for row in report.rows} >= {"pitch", "duration", "next_hidden", "next_cell"}


def one_weight(bundle, path):
    """The largest weight of the last layer is 1 % off."""
    layers = list(bundle.chain.layers)
    weight = layers[-1].weight.copy()
    weight.flat[np.abs(weight).argmax()] *= 1.01
    layers[-1] = replace(layers[-1], weight=weight)
    return replace(bundle, chain=Chain(layers, CHAIN))


def swapped(bundle, path):
    """Gates of the first layer in torch's order."""
    layers = list(bundle.chain.layers)
    gates = {key: np.split(getattr(layers[1], key), 3, axis=-1) for key in ("kernel", "recurrent", "bias")}
    parts = {key: np.concatenate([r, z, n], axis=-1) for key, (z, r, n) in gates.items()}
    layers[1] = replace(layers[1], **parts)
    return replace(bundle, chain=Chain(layers, CHAIN))


def forgetful(bundle, path):
    """Nothing of the last layer's memory comes back."""
    layers = list(bundle.chain.layers)
    layers[3] = replace(layers[3], recurrent=np.zeros_like(layers[3].recurrent))
    return replace(bundle, chain=Chain(layers, CHAIN))


@pytest.mark.parametrize("damage", [one_weight, swapped, forgetful])
@pytest.mark.parametrize("name", BOTH)
def test_the_gate_keeps_no_damaged_file(tmp_path: Path, tune, monkeypatch, name, damage):
    module = FORMATS[name]

    def write(bundle, path):
        module.export(damage(bundle, path), path)

    monkeypatch.setattr(module, "damaged", write, raising=False)
    spec = replace(EXPORTERS[name], export=LazyRef(f"{module.__name__}:damaged"))
    with pytest.raises(ParityError, match="it differs by"):
        export_verified(tune, spec, tmp_path / f"toy{spec.suffix}", cases_of(tune.contract))
    assert list(tmp_path.iterdir()) == []


def shipped(folder, bundle, name):
    workspace = Workspace(folder)
    path = workspace.artifact("toy", EXPORTERS[name].suffix)
    info, _ = export_verified(bundle, EXPORTERS[name], path, cases_of(bundle.contract))
    bundle.contract.model_copy(update={"artifacts": {name: info}}).save(workspace.contract("toy"))
    return workspace, path


def damage_number(text):
    """The longest number of the last weights, 1 % off."""
    found = list(re.finditer(r"-?\d\.\d+", text))[-30:]
    largest = max(found, key=lambda one: abs(float(one[0])))
    return text[: largest.start()] + repr(float(largest[0]) * 1.01) + text[largest.end() :]


@pytest.mark.parametrize("name", BOTH)
def test_verify_finds_a_number_that_is_one_percent_off(tmp_path: Path, tune, name):
    workspace, path = shipped(tmp_path, tune, name)
    assert verify_artifact(path, workspace, PluginHost()).passed
    path.write_text(damage_number(path.read_text()))
    report = verify_artifact(path, workspace, PluginHost())
    assert not report.passed
    assert any("checksum" in line for line in report.failures())
    assert any("differs by" in line for line in report.failures())  # the numbers alone would show it


@needs_compiler
def test_verify_finds_state_that_a_header_does_not_carry(tmp_path: Path, tune):
    workspace, path = shipped(tmp_path, tune, "cpp")
    path.write_text(re.sub(r"layer_\d+_\.load\(state \+ \d+\);", "(void)state;", path.read_text()))
    report = verify_artifact(path, workspace, PluginHost())
    assert any("differs by" in line for line in report.failures())


@pytest.mark.parametrize("name", BOTH)
def test_a_truncated_file_is_a_finding(tmp_path: Path, tune, name):
    workspace, path = shipped(tmp_path, tune, name)
    path.write_text(path.read_text()[:-300])
    report = verify_artifact(path, workspace, PluginHost())
    assert not report.passed
    assert any("not RTNeural JSON" in p or "doesn't compile" in p for p in report.problems)


def test_a_file_carries_its_metadata(tmp_path: Path, tune):
    bundle = replace(tune, metadata={"labels": '["a"]', "model_id": "toy"})
    rtneural.export(bundle, tmp_path / "toy.json")
    assert json.loads((tmp_path / "toy.json").read_text())["kelly"] == dict(bundle.metadata)
    cpp.export(bundle, tmp_path / "toy.hpp")
    assert '//   labels: ["a"]\n' in (tmp_path / "toy.hpp").read_text()


@pytest.mark.parametrize("name", FORMATS)
def test_a_network_without_a_chain_is_refused_by_its_first_strange_layer(tmp_path: Path, tune, name):
    module = nn.Sequential(nn.Linear(2, 2), nn.TransformerEncoderLayer(2, 1)).eval()
    with pytest.raises(FormatError, match="layer '1' is TransformerEncoderLayer"):
        FORMATS[name].export(replace(tune, module=module, chain=None), tmp_path / "toy")
    refused = FormatError("layer 'x' is Odd", hint="train the other")
    with pytest.raises(FormatError, match="Odd"):
        FORMATS[name].export(replace(tune, chain=refused), tmp_path / "toy")


@pytest.mark.parametrize(
    ("info", "words"),
    [
        ({"inputs": [ChainTensor(name="token", size=3)]}, "the inputs of its frames are 3"),
        ({"outputs": [ChainTensor(name="pitch", size=3)]}, "the outputs of its frames are 3"),
        ({"state": [ChainState(name="hidden", axes=[0])]}, "1 state tensors are named for 5"),
    ],
)
def test_a_chain_that_does_not_fit_its_tensors_is_refused(tune, info, words):
    with pytest.raises(FormatError, match=words):
        Chain(tune.chain.layers, CHAIN.model_copy(update=info))
    with pytest.raises(FormatError, match="layer 1 \\(lstm\\) takes 12"):
        Chain([tune.chain.layers[-1], tune.chain.layers[2]])
