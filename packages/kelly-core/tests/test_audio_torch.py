"""The front end as a torch module gives the numbers of the one in NumPy."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kelly_core.errors import FormatError
from kelly_core.features.audio import LogMel, MelConfig
from kelly_core.features.audio_torch import LogMelModule

CONFIGS = [
    MelConfig(),
    MelConfig(n_fft=512, hop_length=200),
    MelConfig(n_fft=960, hop_length=320, n_mels=40),
    MelConfig(sample_rate=22_050, n_fft=1022, hop_length=500, n_mels=32, f_min=30.0),
]


@pytest.mark.parametrize("config", CONFIGS)
@given(samples=st.integers(1, 5000), seed=st.integers(0, 99), loud=st.sampled_from([1e-4, 0.1, 1.0]))
@settings(max_examples=15, deadline=None)
def test_batches_of_any_length_are_what_numpy_gives(config, samples, seed, loud):
    waveform = np.random.default_rng(seed).uniform(-loud, loud, (2, samples)).astype(np.float32)
    expected = np.stack([LogMel(config)(row) for row in waveform])
    given_ = LogMelModule(config)(torch.from_numpy(waveform)).numpy()
    np.testing.assert_allclose(given_, expected, atol=1e-3)


def test_silence_is_at_the_floor():
    np.testing.assert_allclose(LogMelModule(MelConfig())(torch.zeros(1, 1000)).numpy(), -100.0, atol=1e-4)


def test_a_prime_transform_is_refused():
    with pytest.raises(FormatError, match="prime"):
        LogMelModule(MelConfig(sample_rate=1000, n_fft=2, hop_length=1, n_mels=1, f_max=500.0))
