"""The C++ sampler draws what the reference draws: the written-out vectors, whole tokens, random settings."""

from __future__ import annotations

import ctypes
import json
from pathlib import Path

import numpy as np
import pytest

from kelly_core.contract import Contract, TensorInfo
from kelly_export.cpp import sampler, why_not
from kelly_export.cpp.compiler import shared_library
from kelly_melody.describe import FEATURES
from kelly_melody.plugin import OUTPUTS
from kelly_melody.sampling import SplitMix64, Taste, draw
from kelly_melody.tokens import END, N_DURATIONS, N_PITCHES

pytestmark = pytest.mark.skipif(bool(why_not()), reason=f"not run here: {why_not()}")
VECTORS = Path(__file__).parent.parent / "packages/kelly-melody/tests/sampling_vectors.json"
PROGRAM = """
#include "model.hpp"
#include <cstdlib>
#include <new>
namespace s = kelly::melodytransformer::sampling;
static long allocations = 0;
void* operator new(std::size_t size) {
    ++allocations;
    if (void* memory = std::malloc(size)) return memory;
    throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
#pragma GCC visibility push(default)
extern "C" {
long allocated() { return allocations; }
void words(unsigned long long seed, int count, std::uint64_t* out) {
    s::SplitMix64 numbers(seed);
    for (int i = 0; i < count; ++i) out[i] = numbers.next_word();
}
void draws(unsigned long long seed, const float* logits, const bool* allowed, int size, double temperature,
           int top_k, double top_p, int count, int* out) {
    s::SplitMix64 numbers(seed);
    s::Sampler<s::pitches> one;
    const s::Taste taste{temperature, top_k, top_p};
    for (int i = 0; i < count; ++i) out[i] = one.draw(logits, allowed, size, taste, numbers.next_number());
}
void tokens(unsigned long long seed, const float* pitch, const float* duration, const bool* pitches,
            const bool* durations, double temperature, int count, int* out) {
    s::SplitMix64 numbers(seed);
    s::TokenSampler both;
    for (int i = 0; i < count; ++i) {
        const s::Token token = both.draw(pitch, duration, pitches, durations, {temperature, 0, 0.95}, numbers);
        out[2 * i] = token.pitch;
        out[2 * i + 1] = token.duration;
    }
}
}
#pragma GCC visibility pop
"""


def made():
    return Contract(
        model_id="melodytransformer",
        model_version="0.1.0",
        task="melody_generation",
        architecture_type="frames",
        parameters=1,
        inputs=[],
        outputs=[TensorInfo.from_spec(spec) for spec in OUTPUTS],
        features=FEATURES,
        latency_budget_ms=5.0,
        run_id="run",
        checkpoint_sha256="0" * 64,
    )


@pytest.fixture(scope="module")
def library():
    return shared_library(sampler.render(made()), PROGRAM)


def pointer(array):
    return array.ctypes.data_as(ctypes.c_void_p)


def drawn(library, seed, logits, allowed, taste, count):
    out = np.zeros(count, np.int32)
    logits, allowed = np.asarray(logits, np.float32), np.asarray(allowed, bool)
    size, kept = ctypes.c_int(len(logits)), ctypes.c_int(taste.top_k)
    shares = ctypes.c_double(taste.temperature), kept, ctypes.c_double(taste.top_p)
    library.draws(ctypes.c_uint64(seed), pointer(logits), pointer(allowed), size, *shares, count, pointer(out))
    return out.tolist()


def test_the_generator_gives_its_published_numbers(library):
    out = np.zeros(3, np.uint64)
    library.words(ctypes.c_uint64(1234567), 3, pointer(out))
    assert out.tolist() == [6457827717110365317, 3203168211198807973, 9817491932198370423]


@pytest.mark.parametrize("case", json.loads(VECTORS.read_text()), ids=lambda case: case["name"])
def test_draws_are_those_of_the_vectors(library, case):
    taste = Taste(case["temperature"], case["top_k"], case["top_p"])
    args = case["seed"], case["logits"], case["allowed"], taste, len(case["drawn"])
    assert drawn(library, *args) == case["drawn"]


def test_draws_are_those_of_the_reference_and_allocate_nothing(library):
    rng = np.random.default_rng(0)
    for seed in range(60):
        logits = rng.standard_normal(N_PITCHES).round(1).astype(np.float32) * 3  # with equal ones
        allowed = rng.random(N_PITCHES) < 0.7
        taste = Taste(
            float(rng.choice([0.0, 0.5, 1.0, 1.7])), int(rng.integers(0, 9)), float(rng.uniform(0.1, 1))
        )
        numbers = SplitMix64(seed)
        right = [draw(logits, allowed, taste, numbers.next_number()) for _ in range(20)]
        assert drawn(library, seed, logits, allowed, taste, 20) == right
    assert drawn(library, 0, [1.0, 2.0], [False, False], Taste(), 1) == [-1]
    assert library.allocated() == 0


def test_tokens_take_a_number_for_the_pitch_and_one_for_its_duration(library):
    rng = np.random.default_rng(1)
    pitch = rng.standard_normal(N_PITCHES).astype(np.float32)
    pitch[END] = 3.0  # often drawn
    duration = rng.standard_normal((N_PITCHES, N_DURATIONS)).astype(np.float32)
    pitches, durations = rng.random(N_PITCHES) < 0.8, rng.random(N_DURATIONS) < 0.5
    pitches[END] = True
    out = np.zeros((200, 2), np.int32)
    chosen = pointer(pitches), pointer(durations), ctypes.c_double(0.8)
    library.tokens(ctypes.c_uint64(7), pointer(pitch), pointer(duration), *chosen, 200, pointer(out))
    numbers, taste, right = SplitMix64(7), Taste(0.8, 0, 0.95), []
    for _ in range(200):
        at = draw(pitch, pitches, taste, numbers.next_number())
        right.append([at, -1 if at == END else draw(duration[at], durations, taste, numbers.next_number())])
    assert out.tolist() == right
    assert 0 < sum(at == END for at, _ in right) < 200
