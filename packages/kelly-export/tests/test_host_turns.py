"""Parts of a frame that go round by an index, before the layers and behind them: NumPy, C++, refusals."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from kelly_core.chain import Chain, layers_of
from kelly_core.chain.rtneural import render
from kelly_core.contract import ChainInfo, ChainTensor, Contract, TensorInfo, Turn
from kelly_core.errors import FormatError
from kelly_core.infer import host_steps
from kelly_core.infer.runtimes.rtneural import open_runner
from kelly_export import cpp
from kelly_export.cpp import contract as contract_header
from kelly_export.cpp.host import host_code

torch.set_num_threads(1)
CYCLE, KEYS, CHORDS = 12, 24, 3
PREPARE = Turn(part="melody", by="key", per=2, groups=2, cycle=CYCLE)
BACK = Turn(part="chords", by="key", per=2, cycle=CYCLE, inner=CHORDS, back=True)
INFO = ChainInfo(
    inputs=[ChainTensor(name="melody", size=26), ChainTensor(name="key", size=KEYS, one_hot=True)],
    outputs=[ChainTensor(name="chords", size=CYCLE * CHORDS + 1)],
    prepare=[PREPARE],
    host=[BACK],
)


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return nn.Linear(26 + KEYS, CYCLE * CHORDS + 1)


@pytest.fixture(scope="module")
def contract():
    return Contract(
        model_id="toy",
        model_version="0",
        task="toy",
        architecture_type="",
        parameters=0,
        inputs=[
            TensorInfo(name="melody", shape=["batch", 26]),
            TensorInfo(name="key", shape=["batch"], dtype="int64", low=0, high=KEYS - 1),
        ],
        outputs=[TensorInfo(name="chords", shape=["batch", CYCLE * CHORDS + 1])],
        chain=INFO,
        latency_budget_ms=1.0,
        run_id="",
        checkpoint_sha256="",
    )


@torch.no_grad()
def expected(network, melody, key):
    """The same by rolling."""
    rows = []
    for row, one in zip(melody, key, strict=True):
        tonic = one // 2
        turned = np.concatenate([np.roll(row[:12], -tonic), np.roll(row[12:24], -tonic), row[24:]])
        frame = np.concatenate([turned, np.eye(KEYS, dtype=np.float32)[one]])
        said = network(torch.from_numpy(frame)).numpy()
        roots = np.roll(said[:-1].reshape(CYCLE, CHORDS), tonic, axis=0)
        rows.append(np.append(roots.ravel(), said[-1]))
    return np.stack(rows)


def inputs():
    rng = np.random.default_rng(1)
    return rng.standard_normal((KEYS, 26)).astype(np.float32), np.arange(KEYS)


def test_the_interpreter_turns_frames_and_what_comes_of_them(network, contract, tmp_path):
    path = tmp_path / "toy.json"
    path.write_text(render(layers_of(network, 26 + KEYS)))
    melody, key = inputs()
    said = open_runner(path, contract, 1).run({"melody": melody, "key": key})["chords"]
    np.testing.assert_allclose(said, expected(network, melody, key), atol=1e-6)


@pytest.mark.skipif(bool(cpp.why_not()), reason=f"not run here: {cpp.why_not()}")
def test_the_header_does_the_same(network, contract, tmp_path):
    path = tmp_path / "toy.hpp"
    path.write_text(cpp.render("toy", layers_of(network, 26 + KEYS), host=host_code(contract)))
    melody, key = inputs()
    said = cpp.open_runner(path, contract, 1).run({"melody": melody, "key": key})["chords"]
    np.testing.assert_allclose(said, expected(network, melody, key), atol=1e-6)
    text = contract_header.render(contract)
    assert "turn<2, 12, 1, 24, 2, false>(input + 26, frame + 0);" in text
    assert "turn<1, 12, 3, 24, 2, true>(input + 26, frame + 0);" in text


@given(groups=st.integers(1, 3), cycle=st.integers(2, 7), inner=st.integers(1, 3), rest=st.integers(0, 2))
@settings(max_examples=30, deadline=None)
def test_a_turn_and_its_way_back_leave_everything_as_it_was(groups, cycle, inner, rest):
    size = groups * cycle * inner
    step = Turn(part="x", by="n", groups=groups, cycle=cycle, inner=inner)
    frames = np.random.default_rng(0).standard_normal((2, cycle, size + rest)).astype(np.float32)
    by = np.broadcast_to(np.eye(cycle, dtype=np.float32), (2, cycle, cycle))
    parts = {"x": frames}
    host_steps.apply(step, parts, {"n": by}, ())
    assert rest == 0 or np.array_equal(parts["x"][..., size:], frames[..., size:])
    first = frames[0, 1, :size].reshape(groups, cycle, inner)
    np.testing.assert_array_equal(parts["x"][0, 1, :size].reshape(first.shape), np.roll(first, -1, axis=1))
    host_steps.apply(step.model_copy(update={"back": True}), parts, {"n": by}, ())
    np.testing.assert_array_equal(parts["x"], frames)


@pytest.mark.parametrize(
    ("prepare", "host", "words"),
    [
        (PREPARE.model_copy(update={"part": "tune"}), BACK, "'tune', which is no such part"),
        (PREPARE.model_copy(update={"by": "melody"}), BACK, "'melody', which is no such part"),
        (PREPARE, BACK.model_copy(update={"part": "melody"}), "'melody', which is no such part"),
        (PREPARE.model_copy(update={"groups": 3}), BACK, "leads beyond"),
        (PREPARE, BACK.model_copy(update={"per": 1}), "leads beyond"),
    ],
)
def test_turns_that_do_not_fit_are_refused(network, prepare, host, words):
    with pytest.raises(FormatError, match=words):
        Chain(layers_of(network, 26 + KEYS), INFO.model_copy(update={"prepare": [prepare], "host": [host]}))
