"""The C++ header: compiled with every warning, it answers as the interpreter; no allocation; damage."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from kelly_core.chain import Activation, BatchNorm, Dense, clamp, conv2d_of, layers_of
from kelly_core.chain.rtneural import parse
from kelly_core.errors import ContractError, MissingExtraError
from kelly_core.infer.interpreter import Interpreter
from kelly_export.cpp import compiler, render, why_not
from kelly_export.cpp.header import identifier, literal
from kelly_export.cpp.runner import HeaderEngine

torch.set_num_threads(1)
pytestmark = pytest.mark.skipif(bool(why_not()), reason=f"not run here: {why_not()}")
GOLDEN = Path(os.environ.get("KELLY_SHARED", "missing")) / "rtneural-golden"
CASES = sorted(GOLDEN.glob("*.json"))
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wconversion", "-Werror"]


def everything():
    """A chain with every kind of layer in it."""
    torch.manual_seed(0)
    conv = conv2d_of(nn.Conv2d(2, 3, (3, 2)), 5, stride=2, dilation=2)
    middle = nn.Sequential(
        nn.Conv1d(9, 12, 2, dilation=3, groups=3), nn.PReLU(), nn.Conv1d(12, 20, 1), nn.ELU(), nn.GRU(20, 9)
    )
    tail = nn.Sequential(
        nn.LSTM(9, 17, num_layers=2), nn.Tanh(), nn.Linear(17, 9), nn.Sigmoid(), nn.Linear(9, 5)
    )
    norm = BatchNorm(np.float32([0.5, -1]), np.float32([2, 3]), epsilon=1e-5, features=5)
    layers = [norm, conv, Activation("relu", 9), *layers_of(middle, 9), *layers_of(tail, 9)]
    return [*layers, *clamp([-1.0] * 5, [0.3] * 5), Activation("softmax", 5)]


@pytest.mark.skipif(not CASES, reason="KELLY_SHARED names no folder with rtneural-golden")
@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_the_header_answers_as_the_engine_does(path):
    golden = json.loads(path.read_text())
    layers = parse(json.dumps(golden["model"]))
    engine = HeaderEngine(render("golden", layers), Interpreter(layers).state)
    given, _ = engine.run(np.array([golden["input"]], np.float32), engine.reset(1))
    np.testing.assert_allclose(given[0], golden["rtneural_output"], atol=1e-5)


def test_every_layer_and_its_memory_are_as_in_the_interpreter():
    layers = everything()
    reference = Interpreter(layers)
    engine = HeaderEngine(render("all", layers), reference.state)
    frames = np.random.default_rng(0).standard_normal((3, 40, 10)).astype(np.float32)
    expected, end = reference.run(frames, reference.reset(3))
    given, memory = engine.run(frames, engine.reset(3))
    np.testing.assert_allclose(given, expected, atol=1e-6)
    for (name, _), ours, theirs in zip(reference.state, memory, end, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5, err_msg=name)
    first, middle = engine.run(frames[:, :13], engine.reset(3))
    rest, _ = engine.run(frames[:, 13:], middle)
    np.testing.assert_array_equal(np.concatenate([first, rest], axis=1), given)


@pytest.mark.parametrize("layers", [[Activation("tanh", 3)], clamp([-1.0] * 3, [1.0] * 3)])
def test_a_chain_without_weights_of_its_own_works(layers):
    engine = HeaderEngine(render("plain", layers), ())
    frames = np.linspace(-3, 3, 12, dtype=np.float32).reshape(1, 4, 3)
    reference = Interpreter(layers)
    np.testing.assert_allclose(engine.run(frames, [])[0], reference.run(frames, [])[0], atol=1e-6)


@pytest.mark.parametrize("layers", [everything, lambda: layers_of(nn.Linear(2, 3), 2)], ids=["all", "one"])
@pytest.mark.parametrize("name", ["g++", "clang++"])
def test_it_compiles_without_a_warning(tmp_path: Path, name, layers):
    found = [path for path in compiler.compilers() if Path(path).name == name]
    if not found:
        pytest.skip(f"not run here: there is no {name}")
    (tmp_path / "model.hpp").write_text(render("all", layers()))
    (tmp_path / "main.cpp").write_text('#include "model.hpp"\n#include "model.hpp"\nint main() {}\n')
    command = [found[0], "-std=c++17", "-O1", *WARNINGS, "-c", "main.cpp"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


COUNTING = """
#include "model.hpp"
#include <cstdio>
#include <cstdlib>
#include <new>
static long allocations = 0;
void* operator new(std::size_t size) { ++allocations; return std::malloc(size); }
void operator delete(void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }
int main() {
    using Model = kelly::all::Model;
    static Model model;
    float input[Model::input_size] = {1.0f}, first[Model::output_size], again[Model::output_size];
    const long before = allocations;
    model.process(input, first);
    for (int i = 0; i < 1000; ++i) model.process(input, again);
    const bool moved = !std::equal(first, first + Model::output_size, again);
    model.reset();
    model.process(input, again);
    const bool same = std::equal(first, first + Model::output_size, again);
    delete new int;  // the counter counts
    std::printf("%ld %d %d %ld\\n", allocations - before - 1, moved, same, allocations);
}
"""


def test_processing_allocates_nothing_and_reset_is_exact(tmp_path: Path):
    (tmp_path / "model.hpp").write_text(render("all", everything()))
    (tmp_path / "main.cpp").write_text(COUNTING)
    # Without optimisation, or the compiler may do away with the counted pair.
    command = [compiler.compilers()[0], "-std=c++17", "-O0", "main.cpp", "-o", "main"]
    subprocess.run(command, cwd=tmp_path, check=True)
    done = subprocess.run([tmp_path / "main"], capture_output=True, text=True, check=True)
    allocated, moved, same, counted = map(int, done.stdout.split())
    assert (allocated, moved, same) == (0, 1, 1)
    assert counted >= 1


def test_two_versions_of_a_model_in_one_program_stay_apart():
    frames = np.ones((1, 1, 2), np.float32)
    for factor in (1.0, 2.0, 3.0):
        layers = [Dense(np.full((2, 2), factor, np.float32), np.zeros(2, np.float32))]
        assert HeaderEngine(render("same", layers), ()).run(frames, [])[0][0, 0, 0] == 2 * factor


def test_a_changed_number_in_a_header_changes_its_answer():
    layers = [Dense(np.float32([[0.5, 0.25]]), np.zeros(2, np.float32))]
    text = render("one", layers)
    frames = np.ones((1, 1, 1), np.float32)
    assert HeaderEngine(text, ()).run(frames, [])[0].tolist() == [[[0.5, 0.25]]]
    damaged = HeaderEngine(text.replace("0.5f", "0.505f"), ())
    np.testing.assert_allclose(damaged.run(frames, [])[0], [[[0.505, 0.25]]])


def test_what_is_no_header_of_ours_or_does_not_fit_is_refused():
    text = render("one", layers_of(nn.GRU(2, 3), 2))
    with pytest.raises(ContractError, match="isn't a header that Kelly wrote"):
        HeaderEngine("#pragma once\n", ())
    with pytest.raises(ContractError, match="doesn't compile"):
        HeaderEngine(text.replace("class Model", "class Modell"), ())
    with pytest.raises(ContractError, match="it remembers 3 numbers"):
        HeaderEngine(text, (("0.hidden", (4,)),))


def test_without_a_compiler_it_says_so(monkeypatch):
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CXX", raising=False)
    assert "no C++ compiler" in why_not()
    with pytest.raises(MissingExtraError, match="no C\\+\\+ compiler"):
        compiler.shared_library("// fresh", "")


@pytest.mark.parametrize("value", [1.0, -0.0, 0.1, 1e-30, 1 / 3, 3e38, 16777216.0])
def test_literals_are_the_same_float32(value):
    text = literal(np.float32(value))
    assert re.fullmatch(r"-?[\d.]+(e[+-]\d+)?f", text)
    assert np.float32(text[:-1]) == np.float32(value)


def test_names_are_made_fit_for_cpp():
    assert identifier("groovepredictor") == "groovepredictor"
    assert identifier("my-model.v2") == "my_model_v2"
    assert identifier("2nd") == "m_2nd"
