"""MelodyTransformer `frames` as RTNeural JSON and C++: layers, and the votes that are left to the host."""

from __future__ import annotations

import ctypes
import os
import re
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch

from kelly_core.chain import Chain
from kelly_core.contract import ChainTensor, Contract
from kelly_core.errors import FormatError
from kelly_core.features.midi import read_midi
from kelly_core.infer.frames import to_frames
from kelly_core.inference import create_engine_by_name
from kelly_core.pipeline.export import export_model
from kelly_core.plugins import PluginHost
from kelly_core.runtime import ModuleRunner
from kelly_core.testing import untrained
from kelly_core.verify import from_reset, random_inputs, verify_artifact
from kelly_core.workspace import Workspace
from kelly_export.cpp import contract as contract_header
from kelly_export.cpp import why_not
from kelly_export.cpp.compiler import shared_library
from kelly_melody.config import MelodyConfig, NetworkConfig
from kelly_melody.data.read import to_melody
from kelly_melody.demo.tunes import make_tune
from kelly_melody.features.inputs import spread_proposals, spread_token, tell
from kelly_melody.tokens import DURATIONS, Melody, pitch_index

torch.set_num_threads(1)
needs_compiler = pytest.mark.skipif(bool(why_not()), reason=f"not run here: {why_not()}")
BOTH = ["rtneural", pytest.param("cpp", marks=needs_compiler)]
SMALL = NetworkConfig(width=16, layers=2, hidden=12)
TOKENS = 500


def trained(folder, kind="frames"):
    """A checkpoint with weights as large as training leaves them."""

    def grow(module):
        for weight in module.parameters():
            weight.add_(torch.randn_like(weight) * 0.2)

    workspace = Workspace(folder)
    config = MelodyConfig(architecture_type=kind, network=SMALL)
    return untrained(workspace, "melody", config, change=grow), workspace, PluginHost()


@pytest.fixture(scope="module")
def shipped(tmp_path_factory):
    """The model in every format that goes frame by frame."""
    one, workspace, host = trained(tmp_path_factory.mktemp("melody"))
    forms = ["rtneural"] if why_not() else ["rtneural", "cpp"]
    results = export_model(one, workspace, host, forms)
    assert all(result.report.passed for result in results)
    return one, workspace, host


def synthetic():
    for number in range(40):
        tune = make_tune(0, number, 2)
        pitch = [pitch_index(pitch, tune.key.shift) for pitch, _ in tune.notes]
        duration = [DURATIONS.index(length) for _, length in tune.notes]
        yield Melody(np.array(pitch), np.array(duration), 0, tune.key, ((0, tune.metre),), tune.bpm)


def real(folder):
    with tarfile.open(Path(os.environ["KELLY_SHARED"]) / "data" / "nottingham.tar.xz") as archive:
        for member in archive:
            if "/melody/" in member.name and member.name.endswith(".mid"):
                archive.extract(member, folder, filter="data")
                yield to_melody(read_midi(folder / member.name))


def told(melodies):
    """Inputs of the first `TOKENS` tokens, one tune after the other, as one stream."""
    last, place, proposals = [], [], []
    while sum(map(len, last)) < TOKENS:
        one = tell(next(melodies))
        last.append(spread_token(one.last))
        place.append(one.place)
        proposals.append(spread_proposals(one.proposals))
    parts = {"last": last, "place": place, "proposals": proposals}
    return {name: np.concatenate(part)[:TOKENS].astype(np.float32) for name, part in parts.items()}


@pytest.fixture(
    params=[
        "synthetic",
        pytest.param(
            "real", marks=pytest.mark.skipif("KELLY_SHARED" not in os.environ, reason="KELLY_SHARED isn't set")
        ),
    ]
)
def stream(request, tmp_path):
    return told(synthetic() if request.param == "synthetic" else real(tmp_path))


@pytest.mark.parametrize("form", BOTH)
def test_500_tokens_one_after_the_other_are_what_torch_computes(shipped, stream, form):
    one, workspace, _ = shipped
    engine = create_engine_by_name("melody", runtime=form, workspace=workspace).load()
    reference = ModuleRunner.of(one.task.export_module(one.module).eval(), engine.contract)
    state, expected = {}, from_reset(engine.contract, {name: part[:1] for name, part in stream.items()})
    before = {info.name: expected[info.name] for info in engine.contract.state}
    for at in range(TOKENS):
        now = {name: part[at : at + 1] for name, part in stream.items()}
        right = reference.run({**now, **before})
        before = {info.name: right[info.next_name] for info in engine.contract.state}
        given = engine.infer({**now, **state})
        state = given.state
        for name, value in given.outputs.items():
            np.testing.assert_allclose(value, right[name], atol=1e-5, rtol=1e-5)
    for name, value in state.items():
        np.testing.assert_allclose(value, before[name], atol=1e-5)


@torch.no_grad()
def test_whole_melodies_are_what_the_steps_give(shipped, stream):
    one, _, _ = shipped
    pitch = torch.arange(TOKENS) % 86
    whole = one.module(*(torch.from_numpy(part[None]) for part in stream.values()), pitch[None])
    step = one.task.export_module(one.module)
    state = step.initial_state(1)
    for at in range(TOKENS):
        pitches, table, *state = step(
            *(torch.from_numpy(part[at : at + 1]) for part in stream.values()), *state
        )
        torch.testing.assert_close(pitches, whole[0][:, at], atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(table[:, pitch[at]], whole[1][:, at], atol=1e-5, rtol=1e-5)


def test_the_contract_declares_the_votes(shipped):
    _, workspace, _ = shipped
    contract = Contract.load(workspace.contract("melodytransformer"))
    assert [step.kind for step in contract.chain.host] == ["votes"] * 3
    assert [slot.name for slot in contract.chain.finished] == [info.name for info in contract.outputs]
    assert contract.chain.time == ""


@needs_compiler
def test_finish_frame_does_what_the_contract_says(shipped):
    _, workspace, _ = shipped
    contract = Contract.load(workspace.contract("melodytransformer"))
    text = contract_header.render(contract)
    program = """
#include "model.hpp"
#pragma GCC visibility push(default)
extern "C" void finish(const float* input, float* frame) {
    kelly::melodytransformer::contract::finish_frame(input, frame);
}
#pragma GCC visibility pop
"""
    taken = to_frames(contract, contract.chain.inputs, random_inputs(contract, 1))[0, 0]
    sizes = [slot.size for slot in contract.chain.outputs]
    given = np.random.default_rng(0).standard_normal(sum(sizes)).astype(np.float32)
    pitch, duration, on_pitch, anyway, agreeing = np.split(given, np.cumsum(sizes)[:-1])
    rows = taken[-14 * 145 :].reshape(14, 145)
    right = duration.reshape(86, 48) + (anyway + agreeing * rows[:, :86].T) @ rows[:, 87:135]
    frame = given.copy()
    library = shared_library(text, program)
    library.finish.argtypes = (ctypes.c_void_p, ctypes.c_void_p)
    library.finish(taken.ctypes.data, frame.ctypes.data)
    np.testing.assert_allclose(frame[:86], pitch + on_pitch @ rows[:, :86], rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(frame[86 : 86 + 4128].reshape(86, 48), right, rtol=1e-4, atol=1e-4)


def damaged_votes(workspace, path, form):
    if form == "cpp":
        path.write_text(re.sub(r"detail::vote<[^;]*;", "", path.read_text(), count=1))
        return
    place = workspace.contract("melodytransformer")
    contract = Contract.load(place)
    moved = contract.chain.host[0].model_copy(update={"columns": [1]})
    chain = contract.chain.model_copy(update={"host": [moved, *contract.chain.host[1:]]})
    contract.model_copy(update={"chain": chain}).save(place)


def damaged_number(workspace, path, form):
    found = list(re.finditer(r"-?\d\.\d{4,}", path.read_text()))[-2000:]
    largest = max(found, key=lambda one: abs(float(one[0])))
    text = path.read_text()
    changed = repr(float(largest[0]) * 1.01)
    path.write_text(text[: largest.start()] + changed + text[largest.end() :])


@pytest.mark.parametrize("damage", [damaged_votes, damaged_number])
@pytest.mark.parametrize("form", BOTH)
def test_votes_that_are_lost_and_a_number_that_is_off_are_found(tmp_path, form, damage):
    one, workspace, host = trained(tmp_path)
    (result,) = export_model(one, workspace, host, [form])
    assert verify_artifact(result.path, workspace, host).passed
    damage(workspace, result.path, form)
    report = verify_artifact(result.path, workspace, host)
    assert any("differs by" in line for line in report.failures())


@pytest.mark.parametrize("kind", ["lstm", "transformer", "tcn"])
def test_other_architectures_are_refused_and_this_one_is_named(tmp_path, kind):
    one, workspace, host = trained(tmp_path, kind)
    with pytest.raises(FormatError) as caught:
        export_model(one, workspace, host, ["rtneural"])
    assert "train melody --set architecture_type=frames" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"rows": "last"}, "isn't a row for each"),
        ({"rows": "nothing"}, "'nothing', which is no such part"),
        ({"weights": "nothing"}, "'nothing', which is no such part"),
        ({"output": "nothing"}, "'nothing', which is no such part"),
        ({"weights": "pitch"}, "isn't a row for each|stands before its outputs"),
    ],
)
def test_host_steps_that_do_not_fit_are_refused(shipped, change, words):
    one, _, _ = shipped
    chain = one.task.chain(one.module)
    steps = [chain.info.host[0].model_copy(update=change), *chain.info.host[1:]]
    with pytest.raises(FormatError, match=words):
        Chain(chain.layers, chain.info.model_copy(update={"host": steps}))


def test_what_only_host_steps_take_comes_last(shipped):
    one, _, _ = shipped
    chain = one.task.chain(one.module)
    turned = [ChainTensor(name=slot.name, size=slot.size) for slot in reversed(chain.info.outputs)]
    with pytest.raises(FormatError, match="stands before its outputs"):
        Chain(chain.layers, chain.info.model_copy(update={"outputs": turned}))


def test_piano_rolls_have_no_such_network():
    with pytest.raises(ValueError, match="has no head keys"):
        MelodyConfig(architecture_type="frames", head="keys")
