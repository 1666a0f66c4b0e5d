"""The C++ examples, built with this machine's tools around exported models, run and compared."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from kelly_core.data.audio_files import read_audio
from kelly_core.features.audio import LogMel
from kelly_core.pipeline.code import write_code
from kelly_core.pipeline.export import export_model
from kelly_core.plugins import PluginHost
from kelly_core.testing import untrained
from kelly_core.workspace import Workspace
from kelly_emotion.config import EMOTIONS
from kelly_export.cpp import why_not
from kelly_export.cpp.compiler import compilers

torch.set_num_threads(1)
ROOT = Path(__file__).resolve().parents[1]
WHY_NOT = why_not() or ("" if shutil.which("cmake") else "there is no cmake")
pytestmark = pytest.mark.skipif(bool(WHY_NOT), reason=f"not run here: {WHY_NOT}")


def built(folder, name, **settings):
    """A network with random weights, exported, with the examples built around it."""
    workspace, host = Workspace(folder), PluginHost()
    spec = host.model(name)
    trained = untrained(workspace, name, spec.config.resolve()(**settings))
    export_model(trained, workspace, host, ["cpp", "rtneural"])
    write_code(host, spec, ["cpp"], workspace.models)
    options = [f"-DKELLY_MODELS={workspace.models}", f"-DKELLY_MODEL={spec.model_id}"]
    if "RTNEURAL_DIR" in os.environ:
        options.append(f"-DRTNEURAL_DIR={os.environ['RTNEURAL_DIR']}")
    build = folder / "build"
    for command in (
        ["cmake", "-S", ROOT / "examples" / "cpp", "-B", build, *options],
        ["cmake", "--build", build],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    return build, trained


@pytest.fixture(scope="module")
def emotion(tmp_path_factory):
    return built(tmp_path_factory.mktemp("emotion"), "emotion", architecture_type="streaming")


@pytest.fixture(scope="module")
def dynamics(tmp_path_factory):
    return built(tmp_path_factory.mktemp("dynamics"), "dynamics")


def run(*command):
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("name", ["emotion", "dynamics"])
def test_golden_vectors_run_without_allocating(name, request):
    code, said = run(request.getfixturevalue(name)[0] / "golden")
    assert code == 0, said
    assert "FAIL" not in said
    assert ", 0 allocations" in said


@pytest.mark.skipif("RTNEURAL_DIR" not in os.environ, reason="RTNEURAL_DIR names no sources of RTNeural")
@pytest.mark.parametrize("name", ["emotion", "dynamics"])
def test_rtneural_itself_runs_the_golden_vectors(name, request):
    code, said = run(request.getfixturevalue(name)[0] / "rtneural_golden")
    assert code == 0, said
    assert said.count("pass") == 2


def test_the_processor_of_the_documentation_compiles_and_hears(emotion, tmp_path: Path):
    build, _ = emotion
    page = (ROOT / "docs" / "plugin.md").read_text(encoding="utf-8")
    code = page.partition("<!-- compiled: header -->\n```cpp\n")[2].partition("```")[0]
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
    (tmp_path / "plugin.cpp").write_text(code + main)
    flags = ["-std=c++17", "-Wall", "-Wextra", "-Werror", "-I", build.parent / "models"]
    code, said = run(compilers()[0], *flags, tmp_path / "plugin.cpp", "-o", tmp_path / "plugin")
    assert code == 0, said
    code, said = run(tmp_path / "plugin")
    assert code == 0, said
    assert said.strip() in EMOTIONS


@torch.no_grad()
def expected_logits(trained, samples):
    """What the streaming network says of a whole clip."""
    mel = LogMel(trained.task.mel_config)(samples)
    return trained.module.eval()(torch.from_numpy(mel)[None, None])[0].numpy()


def logits_of(said):
    return np.array([float(value) for value in re.findall(r"logit (-?[\d.]+)", said)])


def test_a_wav_becomes_the_emotion_that_python_hears(emotion, tmp_path: Path):
    build, trained = emotion
    time = np.arange(30_000) / 16_000
    wave = 0.3 * np.sin(2 * np.pi * (180 + 60 * time) * time) * (1 + np.sin(2 * np.pi * 3 * time)) / 2
    clip = tmp_path / "clip.wav"
    soundfile.write(clip, np.stack([wave, wave], axis=1), 16_000, subtype="PCM_16")
    code, said = run(build / "emotion", clip)
    assert code == 0, said
    np.testing.assert_allclose(logits_of(said), expected_logits(trained, read_audio(clip, 16_000)), atol=1e-4)
    soundfile.write(clip, wave, 16_000, subtype="FLOAT")
    _, said = run(build / "emotion", clip)
    np.testing.assert_allclose(logits_of(said), expected_logits(trained, read_audio(clip, 16_000)), atol=1e-4)


@pytest.mark.parametrize(
    ("rate", "subtype", "words"), [(44_100, "PCM_16", "sample rate"), (16_000, "PCM_24", "16-bit")]
)
def test_what_it_can_not_read_is_said(emotion, tmp_path: Path, rate, subtype, words):
    soundfile.write(tmp_path / "clip.wav", np.zeros(1000), rate, subtype=subtype)
    code, said = run(emotion[0] / "emotion", tmp_path / "clip.wav")
    assert code == 2
    assert words in said
    code, said = run(emotion[0] / "emotion", __file__)
    assert (code, "not a WAV file" in said) == (2, True)


def test_demo_clips_are_the_same_emotion_to_both(emotion, tmp_path: Path):
    from kelly_emotion.demo import open_demo

    build, trained = emotion
    dataset = open_demo(tmp_path / "demo", {"performers": 5, "takes": 1})
    for item in dataset.items[::12]:
        samples = read_audio(Path(item.path), 16_000)
        soundfile.write(tmp_path / "clip.wav", samples, 16_000, subtype="FLOAT")
        code, said = run(build / "emotion", tmp_path / "clip.wav")
        assert code == 0, said
        np.testing.assert_allclose(logits_of(said), expected_logits(trained, samples), atol=1e-4)
