"""The log-mel front end in C++ hears what the Python one hears, in blocks of any size."""

from __future__ import annotations

import ctypes
import itertools
import os
import tarfile
from pathlib import Path

import numpy as np
import pytest

from kelly_core.contract import Contract, TensorInfo
from kelly_core.data.audio_files import read_audio
from kelly_core.errors import FormatError
from kelly_core.features.audio import LogMel, MelConfig
from kelly_export.cpp import mel, why_not
from kelly_export.cpp.compiler import shared_library

pytestmark = pytest.mark.skipif(bool(why_not()), reason=f"not run here: {why_not()}")
PACK = Path(os.environ.get("KELLY_SHARED", "missing")) / "data" / "ravdess_speech.tar"
CONFIGS = [MelConfig(), MelConfig(n_fft=512, hop_length=160, n_mels=40, f_min=50.0, f_max=7000.0)]
PROGRAM = """\
#include "model.hpp"
#include <algorithm>
namespace mel = kelly::toy::mel;
#pragma GCC visibility push(default)
extern "C" {
int stream(const float* samples, int count, int block, float* out) {
    static thread_local mel::LogMel front;
    int frames = 0;
    const auto take = [&](const float* frame) {
        std::copy_n(frame, mel::n_mels, out + mel::n_mels * frames++);
    };
    for (int at = 0; at < count; at += block) front.push(samples + at, std::min(block, count - at), take);
    front.finish(take);
    return frames;
}
void power(const float* samples, float* out) {
    static thread_local mel::LogMel front;
    front.power(samples, out);
}
}
#pragma GCC visibility pop
"""
_POINTER = np.ctypeslib.ndpointer(np.float32, flags="C_CONTIGUOUS")


def contract_of(config, **changes):
    return Contract(
        model_id="toy",
        model_version="0.1.0",
        task="toy_task",
        architecture_type="streaming",
        parameters=1,
        inputs=[TensorInfo(name="input", shape=["batch", config.n_mels])],
        outputs=[],
        features={"kind": "log-mel", **config.as_dict(), **changes},
        latency_budget_ms=5.0,
        run_id="run",
        checkpoint_sha256="0" * 64,
    )


def front_end(config):
    library = shared_library(mel.render(contract_of(config)), PROGRAM)
    library.stream.argtypes = (_POINTER, ctypes.c_int, ctypes.c_int, _POINTER)
    library.power.argtypes = (_POINTER, _POINTER)
    library.power.restype = None
    return library


def heard(library, config, samples, block):
    """Decibels (frames, n_mels)."""
    out = np.empty((config.frames(len(samples)) + 4, config.n_mels), np.float32)
    return out[: library.stream(samples, len(samples), block, out)]


def clips():
    rng = np.random.default_rng(0)
    time = np.arange(30_000) / 16_000
    glide = 0.5 * np.sin(2 * np.pi * (200 + 900 * time) * time) * np.exp(-2 * time)
    sounds = {
        "noise": 0.1 * rng.standard_normal(20_000),
        "fading glide": glide,
        "silence, then noise": np.r_[np.zeros(8_000), 0.3 * rng.standard_normal(8_000)],
        "shorter than a window": 0.1 * rng.standard_normal(300),
        "empty": np.zeros(0),
        "full scale": np.sign(np.sin(2 * np.pi * 440 * time)),
    }
    return {name: wave.astype(np.float32) for name, wave in sounds.items()}


def assert_same(ours, reference):
    """Within 1e-4 of the power, down to 100 dB below each frame's loudest band, where single precision ends."""
    assert ours.shape == reference.shape
    ours, reference = (10.0 ** (decibels.astype(np.float64) / 10.0) for decibels in (ours, reference))
    excess = np.abs(ours - reference) - 1e-4 * reference - 1e-10 * reference.max(axis=1, keepdims=True)
    assert excess.max() <= 0.0


@pytest.mark.parametrize("config", CONFIGS, ids=["default", "other"])
@pytest.mark.parametrize("name", clips())
def test_it_hears_what_python_hears(config, name):
    samples = clips()[name]
    reference = LogMel(config)(samples).T
    whole = heard(front_end(config), config, samples, max(1, len(samples)))
    assert_same(whole, reference)
    for block in (1, 37, 512, 3000):
        np.testing.assert_array_equal(heard(front_end(config), config, samples, block), whole)


def test_one_window_at_a_time():
    config = CONFIGS[0]
    samples = clips()["noise"][: config.n_fft].copy()
    out = np.empty(config.n_mels, np.float32)
    front_end(config).power(samples, out)
    np.testing.assert_allclose(out, LogMel(config).power_of_frames(samples, 1)[:, 0], rtol=1e-5)


@pytest.mark.skipif(not PACK.is_file(), reason="KELLY_SHARED names no folder with recordings")
def test_real_speech_is_the_same_to_both(tmp_path: Path):
    config = CONFIGS[0]
    library, front = front_end(config), LogMel(config)
    with tarfile.open(PACK) as pack:
        sounds = (member for member in pack if Path(member.name).suffix in {".wav", ".flac"})
        for member in itertools.islice(sounds, 5):
            pack.extract(member, tmp_path, filter="data")
            samples = read_audio(tmp_path / member.name, config.sample_rate)
            ours, reference = heard(library, config, samples, 480), front(samples).T
            assert_same(ours, reference)
            counts = reference > reference.max(axis=1, keepdims=True) - 40.0
            assert np.abs(ours - reference)[counts].max() < 1e-4


def test_another_version_of_the_features_is_refused():
    with pytest.raises(FormatError, match="the header computes"):
        mel.render(contract_of(CONFIGS[0], version="logmel-0"))


def test_transforms_of_other_lengths_are_refused():
    with pytest.raises(FormatError, match="powers of two"):
        mel.render(contract_of(MelConfig(n_fft=960)))
