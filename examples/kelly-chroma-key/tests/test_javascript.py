"""The JavaScript module: used as a page would use it, and what it can't carry is refused."""

import json
import shutil
import subprocess

import numpy as np
import pytest
import torch
from kelly_core.chain import Chain, Prelu, layers_of
from kelly_core.contract import ChainInfo, ChainTensor, Contract, StateInfo, TensorInfo
from kelly_core.errors import ContractError, FormatError
from kelly_core.export import ExportBundle

from kelly_chroma_key.config import ChromaKeyConfig
from kelly_chroma_key.javascript import export
from kelly_chroma_key.node import open_runner, why_not
from kelly_chroma_key.task import ChromaKeyTask

runs = pytest.mark.skipif(bool(why_not()), reason=why_not() or "Node.js is there")


def bundle_of(task, model):
    interface, chain = task.interface(), task.chain(model)
    contract = Contract(
        model_id="chromakey",
        model_version="0.1.0",
        task="key_detection",
        architecture_type="gru",
        parameters=0,
        inputs=interface.inputs,
        outputs=interface.outputs,
        state=interface.state,
        labels=interface.labels,
        chain=chain.info,
        latency_budget_ms=1.0,
        run_id="test",
        checkpoint_sha256="",
    )
    return ExportBundle(model, contract, {}, {}, chain)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """An untrained network and its module."""
    torch.manual_seed(0)
    task = ChromaKeyTask(ChromaKeyConfig(width=8))
    model = task.build(None).eval()
    bundle = bundle_of(task, model)
    path = tmp_path_factory.mktemp("js") / "chromakey.mjs"
    export(bundle, path)
    return model, bundle, path


@runs
def test_a_page_that_imports_it_gets_what_the_network_says(made, tmp_path):
    model, _, path = made
    frames = np.random.default_rng(0).random((5, 24)).astype(np.float32)
    page = tmp_path / "page.mjs"
    page.write_text(
        f'import {{ model, reset, step }} from "{path.as_uri()}";\nconst memory = reset();\n'
        f"const said = {json.dumps(frames.tolist())}.map((frame) => Array.from(step(frame, memory)));\n"
        "console.log(JSON.stringify([model.labels[0], said]));\n"
    )
    done = subprocess.run([shutil.which("node"), page], capture_output=True, text=True, check=True)
    label, said = json.loads(done.stdout)
    with torch.no_grad():
        wanted = model(torch.from_numpy(frames)[None], torch.zeros(1, 8))[0][0].numpy()
    assert label == "C major"
    assert np.abs(np.array(said) - wanted).max() < 1e-6


@runs
def test_two_streams_do_not_hear_each_other(made):
    _, bundle, path = made
    runner = open_runner(path, bundle.contract)
    rng = np.random.default_rng(0)
    both = {"frames": rng.random((2, 4, 24)).astype(np.float32), "hidden": np.zeros((2, 8), np.float32)}
    one = {name: array[1:] for name, array in both.items()}
    together, alone = runner.run(both), runner.run(one)
    assert np.array_equal(together["logits"][1], alone["logits"][0])
    assert np.array_equal(together["next_hidden"][1], alone["next_hidden"][0])


@runs
def test_a_module_of_another_model_is_refused(made):
    _, bundle, path = made
    other = ChainInfo(inputs=[ChainTensor(name="frames", size=23)], outputs=bundle.contract.chain.outputs)
    with pytest.raises(ContractError, match=r"makes 24 numbers of 24, .* the contract says 24 of 23"):
        open_runner(path, bundle.contract.model_copy(update={"chain": other}))


@runs
@pytest.mark.parametrize("text", ["", "no module", "export const model = 3;"])
def test_a_damaged_file_is_refused(made, tmp_path, text):
    _, bundle, _ = made
    (tmp_path / "bad.mjs").write_text(text)
    with pytest.raises(ContractError, match="not a usable JavaScript file"):
        open_runner(tmp_path / "bad.mjs", bundle.contract)


def test_what_the_module_does_not_compute_is_refused_by_name(made, tmp_path):
    _, bundle, _ = made
    layers = [*layers_of(torch.nn.Linear(24, 24), 24), Prelu(np.full(24, 0.1, np.float32))]
    odd = ExportBundle(bundle.module, bundle.contract, {}, {}, Chain(layers))
    with pytest.raises(FormatError, match="doesn't compute 'prelu'"):
        export(odd, tmp_path / "odd.mjs")
    assert list(tmp_path.iterdir()) == []


def test_the_interface_of_the_task_is_that_of_the_plugin():
    from kelly_chroma_key.plugin import kelly_models

    (spec,) = kelly_models()
    interface = ChromaKeyTask(ChromaKeyConfig()).interface()
    assert [TensorInfo.from_spec(one).shape for one in spec.inputs] == [one.shape for one in interface.inputs]
    assert interface.state == [StateInfo(name="hidden", shape=["batch", 48], unit="activation")]
