"""The C++ examples, built with this machine's tools around exported models, run and compared."""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from kelly_core.data.audio_files import read_audio
from kelly_core.features.audio import LogMel
from kelly_emotion.config import EMOTIONS

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def emotion(cpp, tmp_path_factory):
    return cpp.built(tmp_path_factory.mktemp("emotion"), "emotion", architecture_type="streaming")


@pytest.fixture(scope="module")
def dynamics(cpp, tmp_path_factory):
    return cpp.built(tmp_path_factory.mktemp("dynamics"), "dynamics")


@pytest.mark.parametrize("name", ["emotion", "dynamics"])
def test_golden_vectors_run_without_allocating(name, request, cpp):
    code, said = cpp.run(request.getfixturevalue(name)[0] / "golden")
    assert code == 0, said
    assert "FAIL" not in said
    assert ", 0 allocations" in said


@pytest.mark.skipif("RTNEURAL_DIR" not in os.environ, reason="RTNEURAL_DIR names no sources of RTNeural")
@pytest.mark.parametrize("name", ["emotion", "dynamics"])
def test_rtneural_itself_runs_the_golden_vectors(name, request, cpp):
    code, said = cpp.run(request.getfixturevalue(name)[0] / "rtneural_golden")
    assert code == 0, said
    assert said.count("pass") == 2


def test_the_processor_of_the_documentation_compiles_and_hears(cpp, emotion, tmp_path: Path):
    build, _ = emotion
    main = """
#include <cstdio>
int main() {
    static EmotionProcessor processor;
    static float sound[8000];
    for (int i = 0; i < 8000; ++i) sound[i] = static_cast<float>(i % 80) / 80.0f;
    processor.prepareToPlay();
    processor.processBlock(sound, 8000);
    std::puts(processor.label());
}
"""
    assert cpp.program_of("how-to/plugin.md", main, build, tmp_path).strip() in EMOTIONS


@torch.no_grad()
def expected_logits(trained, samples):
    """What the streaming network says of a whole clip."""
    mel = LogMel(trained.task.mel_config)(samples)
    return trained.module.eval()(torch.from_numpy(mel)[None, None])[0].numpy()


def logits_of(said):
    return np.array([float(value) for value in re.findall(r"logit (-?[\d.]+)", said)])


def test_a_wav_becomes_the_emotion_that_python_hears(cpp, emotion, tmp_path: Path):
    build, trained = emotion
    time = np.arange(30_000) / 16_000
    wave = 0.3 * np.sin(2 * np.pi * (180 + 60 * time) * time) * (1 + np.sin(2 * np.pi * 3 * time)) / 2
    clip = tmp_path / "clip.wav"
    soundfile.write(clip, np.stack([wave, wave], axis=1), 16_000, subtype="PCM_16")
    code, said = cpp.run(build / "emotion", clip)
    assert code == 0, said
    np.testing.assert_allclose(logits_of(said), expected_logits(trained, read_audio(clip, 16_000)), atol=1e-4)
    soundfile.write(clip, wave, 16_000, subtype="FLOAT")
    _, said = cpp.run(build / "emotion", clip)
    np.testing.assert_allclose(logits_of(said), expected_logits(trained, read_audio(clip, 16_000)), atol=1e-4)


@pytest.mark.parametrize(
    ("rate", "subtype", "words"), [(44_100, "PCM_16", "sample rate"), (16_000, "PCM_24", "16-bit")]
)
def test_what_it_can_not_read_is_said(cpp, emotion, tmp_path: Path, rate, subtype, words):
    soundfile.write(tmp_path / "clip.wav", np.zeros(1000), rate, subtype=subtype)
    code, said = cpp.run(emotion[0] / "emotion", tmp_path / "clip.wav")
    assert code == 2
    assert words in said
    code, said = cpp.run(emotion[0] / "emotion", __file__)
    assert (code, "not a WAV file" in said) == (2, True)


def test_demo_clips_are_the_same_emotion_to_both(cpp, emotion, tmp_path: Path):
    from kelly_emotion.demo import open_demo

    build, trained = emotion
    dataset = open_demo(tmp_path / "demo", {"performers": 5, "takes": 1})
    for item in dataset.items[::12]:
        samples = read_audio(Path(item.path), 16_000)
        soundfile.write(tmp_path / "clip.wav", samples, 16_000, subtype="FLOAT")
        code, said = cpp.run(build / "emotion", tmp_path / "clip.wav")
        assert code == 0, said
        np.testing.assert_allclose(logits_of(said), expected_logits(trained, samples), atol=1e-4)
