"""The contract as a C++ header: what stands in it, that it compiles, that its golden vectors run."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from kelly_core.chain import Activation, BatchNorm, Chain, layers_of
from kelly_core.chain.rtneural import render
from kelly_core.contract import (
    ArtifactInfo,
    ChainInfo,
    ChainState,
    ChainTensor,
    Contract,
    GoldenVector,
    StateInfo,
    TensorInfo,
)
from kelly_core.infer.interpreter import Interpreter
from kelly_export.cpp import compiler, contract, header, rtneural_type, why_not

torch.set_num_threads(1)
FEATURES = {
    "kind": "toy",
    "rate": 44_100,
    "tempo": 0.5,
    "live": True,
    "drums": ["kick", 'a "snare"'],
    "empty": [],
    "mixed": [1, "a"],
    "pitches": {"kick": [35, 36], "2nd": 4},
}
STATE = [StateInfo(name="hidden", shape=["batch", 4])]


def toy(folder=None):
    """A contract of a GRU over tokens, with golden vectors, and its layers."""
    torch.manual_seed(0)
    layers = layers_of(nn.Sequential(nn.GRU(6, 4), nn.Linear(4, 2)), 6)
    tokens = np.arange(10).reshape(2, 5) % 6
    engine = Interpreter(layers)
    given, _ = engine.run(np.eye(6, dtype=np.float32)[tokens], engine.reset(2))
    chain = ChainInfo(
        time="steps",
        inputs=[ChainTensor(name="token", size=6, one_hot=True)],
        outputs=[ChainTensor(name="output", size=2)],
        state=[ChainState(name="hidden", axes=[0])],
    )
    artifacts = {}
    if folder is not None:
        (folder / "toy.json").write_text(render(layers))
        (folder / "toy.hpp").write_text(header.render("toy", layers))
        artifacts = {"rtneural": ArtifactInfo.of(folder / "toy.json")}
    made = Contract(
        model_id="toy",
        model_version="0.1.0",
        task="toy_task",
        architecture_type="gru",
        parameters=1,
        inputs=[TensorInfo(name="token", shape=["batch", "steps"], dtype="int64", unit="index")],
        outputs=[TensorInfo(name="output", shape=["batch", "steps", 2])],
        state=STATE,
        chain=Chain(layers, chain).info,
        labels=["down", "up"],
        features=FEATURES,
        latency_budget_ms=2.5,
        run_id="run",
        checkpoint_sha256="0" * 64,
        golden=[GoldenVector.of("pair", {"token": tokens}, {"output": given})],
        artifacts=artifacts,
    )
    return made, layers


def test_labels_sizes_and_features_stand_in_it():
    text = contract.render(toy()[0])
    for line in (
        'inline constexpr std::array<const char*, 2> labels{"down", "up"};',
        "inline constexpr double latency_budget_ms = 2.5;",
        "    inline constexpr std::int64_t rate = 44100;",
        "    inline constexpr bool live = true;",
        '    inline constexpr std::array<const char*, 2> drums{"kick", "a \\"snare\\""};',
        "        inline constexpr std::array<std::int64_t, 2> kick{35, 36};",
        "        inline constexpr std::int64_t m_2nd = 4;",
        '    {"token", "int64", 2, {-1, -1}, "index", 0.0f},',
        '    {"hidden", "float32", 2, {-1, 4}, "", 0.0f},',
        "inline constexpr int frame_input_size = 6;",
        '    {"token", 0, 6, true},',
        '    {"pair, 2", 5, frames_1_input, frames_1_output},',
        "inline constexpr std::int64_t golden_0_input_token[10] = {0, 1, 2, 3, 4, 5, 0, 1, 2, 3};",
    ):
        assert line in text
    assert "empty" not in text
    assert "mixed" not in text
    assert "RTNeural" not in text


def test_a_model_that_is_no_chain_has_no_frames():
    made = toy()[0].model_copy(update={"chain": None, "golden": [], "labels": [], "features": {}})
    text = contract.render(made)
    assert "frame" not in text
    assert "std::array<GoldenTensor, 0> golden_inputs{};" in text


def test_the_rtneural_type_has_every_layer():
    layers = layers_of(
        nn.Sequential(nn.Conv1d(3, 4, 5, dilation=2), nn.PReLU(), nn.LSTM(4, 6), nn.Linear(6, 2), nn.Tanh()), 3
    )
    norm = BatchNorm(np.zeros(2, np.float32), np.ones(2, np.float32), features=1)
    text = rtneural_type.render([*layers, norm, Activation("softmax", 2)], "toy.json")
    for line in (
        "float, 3, 2,",
        "RTNeural::Conv1DT<float, 3, 4, 5, 2, 1>,",
        "RTNeural::PReLUActivationT<float, 4>,",
        "RTNeural::LSTMLayerT<float, 4, 6>,",
        "RTNeural::DenseT<float, 6, 2>,",
        "RTNeural::TanhActivationT<float, 2>,",
        "RTNeural::BatchNorm1DT<float, 2, false>,",
        "RTNeural::SoftmaxActivationT<float, 2>>;",
    ):
        assert line in text


MAIN = """
#include "toy.hpp"
#include "toy_contract.hpp"
#include <cmath>
namespace c = kelly::toy::contract;
int main() {
    kelly::toy::Model model;
    static_assert(c::frame_input_size == kelly::toy::Model::input_size);
    double worst = 0.0;
    for (const c::Golden& golden : c::golden) {
        model.reset();
        for (int t = 0; t < golden.frames; ++t) {
            float output[c::frame_output_size];
            model.process(golden.input + t * c::frame_input_size, output);
            for (int i = 0; i < c::frame_output_size; ++i)
                worst = std::fmax(worst, std::fabs(output[i] - golden.output[t * c::frame_output_size + i]));
        }
    }
    return worst < 1e-6 ? 0 : 1;
}
"""


@pytest.mark.skipif(bool(why_not()), reason=f"not run here: {why_not()}")
def test_a_program_runs_the_golden_vectors(tmp_path: Path):
    made, _ = toy(tmp_path)
    assert contract.write(made, tmp_path) == [tmp_path / "toy_contract.hpp"]
    assert "RTNeural::GRULayerT<float, 6, 4>" in (tmp_path / "toy_contract.hpp").read_text()
    (tmp_path / "main.cpp").write_text(MAIN)
    command = [compiler.compilers()[0], *compiler.FLAGS, "main.cpp", "-o", "main"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert subprocess.run([tmp_path / "main"], check=False).returncode == 0
