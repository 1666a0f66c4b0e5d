"""Windows over what sounds of a clip, and files that begin with the front end."""

import subprocess
import sys

import numpy as np
import pytest
import soundfile
import torch

from kelly_core.contract import Contract
from kelly_core.errors import ContractError
from kelly_core.features.audio import LogMel, MelConfig
from kelly_core.sound.described import mel_config, mel_features, mel_input
from kelly_core.sound.front_end import waveform_view
from kelly_core.sound.store import MelStore
from kelly_core.sound.windows import FLOOR_DB, active_region


def clip(seed, quiet, loud, after):
    """Noise at -70 dB with something 40 dB louder in it."""
    rng = np.random.default_rng(seed)
    mel = rng.normal(-70, 1, (quiet + loud + after, 64)).astype(np.float32)
    mel[quiet : quiet + loud] += 40
    return mel


@pytest.mark.parametrize("gain", [0, -20])
def test_the_active_region_is_what_stands_out_whatever_the_level(gain):
    assert active_region(clip(0, 40, 100, 30) + np.float32(gain)) == (36, 144)


def test_a_clip_of_digital_silence_is_taken_whole():
    assert active_region(np.full((40, 64), FLOOR_DB, np.float32)) == (0, 40)


def test_a_grid_covers_every_region_and_its_windows_are_the_clips_own():
    store = MelStore([clip(0, 60, 50, 80), clip(1, 5, 6, 40)])
    owners, starts = store.grid(16, 8)
    assert set(owners) == {0, 1}
    for number, (begin, stop) in enumerate(store.regions):
        mine = starts[owners == number]
        assert np.diff(mine).max(initial=0) <= 8
        assert (mine[0], mine[-1] + 16) == (begin, stop)
    cut = store.windows(owners, starts, 16)
    assert cut.shape == (len(owners), 1, 64, 16)
    np.testing.assert_array_equal(cut[3, 0].T, store.clips[0][starts[3] : starts[3] + 16])


class Mels:
    """A runner that gives back the log-mels it takes."""

    def run(self, inputs):
        return {"output": inputs["input"]}


@pytest.mark.parametrize("fixed", [True, False])
def test_a_file_that_takes_sound_gives_the_network_what_features_give(tmp_path, fixed):
    config = MelConfig()
    path = tmp_path / "a.wav"
    soundfile.write(path, np.random.default_rng(0).normal(0, 0.1, 32_000), 16_000)
    view = waveform_view(config, 16, torch.nn.Identity(), lambda source, number: (str(path), 60), fixed=fixed)
    given = view.example([None] * 3, 2)
    made = view.module(torch.from_numpy(given["waveform"])).numpy()
    assert made.shape == (2, 1, 64, 16)
    np.testing.assert_allclose(made, view.reference(Mels()).run(given)["output"], atol=1e-3)
    if fixed:  # every frame is whole: the file's own, none of them padded
        whole = LogMel(config)(soundfile.read(path, dtype="float32")[0][128:])  # it begins between two frames
        np.testing.assert_allclose(made[0, 0], whole[:, 52:68], atol=1e-3)


def test_a_process_that_computes_log_mels_imports_no_torch():
    code = "import sys, kelly_core.sound.clips; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_front_end_is_read_back_from_a_contract():
    config = MelConfig(n_mels=40)
    contract = Contract(
        model_id="hears",
        model_version="1",
        task="hearing",
        architecture_type="",
        parameters=0,
        inputs=[mel_input(40, 16)],
        outputs=[],
        features=mel_features(config),
        window={"frames": 16, "hop_frames": 8},
        latency_budget_ms=5.0,
        run_id="",
        checkpoint_sha256="",
    )
    assert mel_config(contract) == config
    with pytest.raises(ContractError, match=r"missing: window\.hop_frames"):
        mel_config(contract.model_copy(update={"window": {"frames": 16}}))
    older = {**contract.features, "version": "logmel-0"}
    with pytest.raises(ContractError, match="trained on features 'logmel-0'"):
        mel_config(contract.model_copy(update={"features": older}))
