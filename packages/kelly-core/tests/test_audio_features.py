import io
import itertools
import os
import tarfile
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kelly_core.errors import ConfigError, DataError
from kelly_core.features.audio import LogMel, MelConfig, StreamingLogMel, mel_filters

SHARED = os.environ.get("KELLY_SHARED")


def assert_same_power(ours, reference):
    """Within 1e-4, down to 100 dB below each frame's loudest band, where single precision ends."""
    excess = np.abs(ours - reference) - 1e-4 * reference - 1e-10 * reference.max(axis=0)
    assert ours.shape == reference.shape
    assert excess.max() <= 0.0


def signals():
    rng = np.random.default_rng(0)
    time = np.arange(48_000) / 16_000
    glide = 0.5 * np.sin(2 * np.pi * (200 * time + 300 * time**2)) * np.exp(-time)
    clicks = np.zeros(20_000)
    clicks[::1777] = 0.9
    return {
        "noise": 0.1 * rng.standard_normal(48_000),
        "fading glide": glide,
        "clicks": clicks,
        "quiet noise": 1e-4 * rng.standard_normal(16_001),
        "silence, then noise": np.r_[np.zeros(8_000), 0.3 * rng.standard_normal(8_000)],
        "shorter than a window": 0.1 * rng.standard_normal(300),
        "long": 0.1 * rng.standard_normal(16_000 * 9 + 17),
    }


@pytest.fixture(params=signals())
def signal(request):
    return signals()[request.param].astype(np.float32)


CONFIGS = [MelConfig(), MelConfig(n_fft=512, hop_length=160, n_mels=40, f_min=50.0, f_max=7000.0)]


@pytest.mark.parametrize("config", CONFIGS, ids=["default", "other"])
def test_filters_are_librosas(config):
    import librosa

    reference = librosa.filters.mel(
        sr=config.sample_rate,
        n_fft=config.n_fft,
        n_mels=config.n_mels,
        fmin=config.f_min,
        fmax=config.f_max,
    )
    np.testing.assert_allclose(mel_filters(config), reference, rtol=1e-5, atol=1e-9)


@pytest.mark.filterwarnings("ignore:n_fft=.* is too large")
@pytest.mark.parametrize("config", CONFIGS, ids=["default", "other"])
def test_power_is_librosas(signal, config):
    import librosa

    reference = librosa.feature.melspectrogram(
        y=signal,
        sr=config.sample_rate,
        n_fft=config.n_fft,
        hop_length=config.hop_length,
        n_mels=config.n_mels,
        fmin=config.f_min,
        fmax=config.f_max,
    )
    assert_same_power(LogMel(config).mel_power(signal), reference)


def test_power_is_torchaudios(signal):
    import torch
    from torchaudio.transforms import MelSpectrogram

    torch.set_num_threads(1)
    transform = MelSpectrogram(
        16_000, n_fft=1024, hop_length=256, n_mels=64, norm="slaney", mel_scale="slaney", pad_mode="constant"
    )
    assert_same_power(LogMel().mel_power(signal), transform(torch.from_numpy(signal)).numpy())


@pytest.mark.skipif(not SHARED, reason="KELLY_SHARED doesn't point to the shared folder")
def test_power_is_librosas_on_recordings(tmp_path):
    import librosa
    import soundfile

    pack = next(iter(sorted(Path(SHARED, "data").glob("*ravdess*.tar*"))), None)
    if pack is None:
        pytest.skip("the shared folder has no pack of recordings")
    with tarfile.open(pack) as archive:
        clips = [member for member in itertools.islice(archive, 40) if member.name.endswith(".flac")][:4]
        for member in clips:
            samples, rate = soundfile.read(io.BytesIO(archive.extractfile(member).read()), dtype="float32")
            config = MelConfig(sample_rate=rate, f_max=rate / 2)
            reference = librosa.feature.melspectrogram(
                y=samples, sr=rate, n_fft=1024, hop_length=256, n_mels=64
            )
            assert_same_power(LogMel(config).mel_power(samples), reference)
    assert clips


def test_decibels_have_a_floor():
    decibels = LogMel()(np.zeros(1000, np.float32))
    assert decibels.shape == (64, 4)
    assert decibels.dtype == np.float32
    np.testing.assert_allclose(decibels, -100.0, rtol=1e-6)


def test_ten_decibels_are_ten_times_the_power():
    samples = (0.1 * np.random.default_rng(1).standard_normal(8000)).astype(np.float32)
    louder = LogMel()(samples * np.float32(np.sqrt(10.0)))
    np.testing.assert_allclose(louder - LogMel()(samples), 10.0, atol=1e-3)


@settings(max_examples=40, deadline=None)
@given(
    length=st.integers(0, 6000),
    blocks=st.lists(st.integers(0, 1500), max_size=30),
    geometry=st.sampled_from([(1024, 256), (512, 160), (256, 256), (256, 200), (256, 129)]),
)
def test_streaming_gives_the_whole_clips_frames(length, blocks, geometry):
    config = MelConfig(n_fft=geometry[0], hop_length=geometry[1], n_mels=20)
    samples = (0.1 * np.random.default_rng(length).standard_normal(length)).astype(np.float32)
    stream, parts, start = StreamingLogMel(config), [], 0
    for size in [*blocks, length]:
        parts.append(stream.push(samples[start : start + size]))
        start += size
        # Everything whose look-ahead has arrived is out: at no time does the stream lag.
        pushed = min(start, length)
        due = max(0, 1 + (pushed - stream.look_ahead) // config.hop_length)
        assert sum(part.shape[1] for part in parts) == due
    parts.append(stream.finish())
    np.testing.assert_allclose(np.hstack(parts), LogMel(config)(samples), atol=1e-3)


def test_a_finished_stream_starts_over():
    samples = (0.1 * np.random.default_rng(2).standard_normal(5000)).astype(np.float32)
    stream = StreamingLogMel()
    first = np.hstack([stream.push(samples), stream.finish()])
    second = np.hstack([stream.push(samples), stream.finish()])
    np.testing.assert_array_equal(first, second)


def test_threads_share_one_front_end():
    front = LogMel()
    clips = [(0.1 * np.random.default_rng(i).standard_normal(16_000)).astype(np.float32) for i in range(4)]
    alone = [front(clip) for clip in clips]
    together = [None] * len(clips)

    def work(i):
        for _ in range(20):
            together[i] = front(clips[i])
            np.testing.assert_array_equal(together[i], alone[i])

    threads = [threading.Thread(target=work, args=(i,)) for i in range(len(clips))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one, other)


def test_input_stays_as_it_was():
    samples = (0.1 * np.random.default_rng(3).standard_normal(5000)).astype(np.float32)
    before = samples.copy()
    LogMel()(samples)
    np.testing.assert_array_equal(samples, before)


@pytest.mark.parametrize(
    ("samples", "says"),
    [(np.zeros((10, 2), np.float32), "one channel"), (np.zeros(10, np.int16), "int16")],
)
def test_wrong_samples_are_named(samples, says):
    with pytest.raises(DataError, match=says):
        LogMel()(samples)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"n_fft": 1023}, "even"),
        ({"hop_length": 0}, "hop_length"),
        ({"hop_length": 1025}, "longer than n_fft"),
        ({"f_max": 9000.0}, "16000 Hz"),
        ({"f_min": 8000.0}, "f_min"),
        ({"n_fft": 128, "hop_length": 64}, "hold no bin"),
    ],
)
def test_settings_out_of_range_are_refused(wrong, says):
    with pytest.raises(ConfigError, match=says):
        LogMel(MelConfig(**wrong))


def test_every_setting_and_the_version_are_in_the_key():
    assert set(MelConfig().as_dict()) == {
        "version", "sample_rate", "n_fft", "hop_length", "n_mels", "f_min", "f_max"
    }  # fmt: skip
