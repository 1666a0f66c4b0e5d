"""Reading sound: every format becomes the same mono signal, every unusable file one clear message."""

import os
import struct

import numpy as np
import pytest
import soundfile

from kelly_core.data.audio_files import audio_info, content_hash, read_audio
from kelly_core.errors import DataError

RATE = 16_000


@pytest.fixture
def tone():
    """Half a second of two partials on the 16-bit grid, so that lossless formats keep it exactly."""
    time = np.arange(RATE // 2) / RATE
    wave = 0.4 * np.sin(2 * np.pi * 440 * time) + 0.2 * np.sin(2 * np.pi * 1000 * time)
    return (np.rint(wave * 32768) / 32768).astype(np.float32)


def write(path, samples, rate=RATE, **options):
    soundfile.write(path, samples, rate, **options)
    return path


@pytest.mark.parametrize(
    ("name", "subtype"),
    [("a.wav", "PCM_16"), ("a.wav", "PCM_24"), ("a.wav", "PCM_32"), ("a.wav", "FLOAT"), ("a.flac", "PCM_24")],
)
def test_lossless_formats_give_the_same_samples_and_hash(tmp_path, tone, name, subtype):
    samples = read_audio(write(tmp_path / name, tone, subtype=subtype))
    np.testing.assert_array_equal(samples, tone)
    assert samples.dtype == np.float32
    assert content_hash(samples) == content_hash(tone)


@pytest.mark.parametrize(("name", "least"), [("a.ogg", 20.0), ("a.mp3", 20.0)])
def test_lossy_formats_are_read(tmp_path, tone, name, least):
    samples = read_audio(write(tmp_path / name, tone))[: len(tone)]
    error = samples - tone[: len(samples)]
    assert 10 * np.log10(np.sum(tone**2) / np.sum(error**2)) > least


def test_eight_channels_are_mixed_to_their_mean(tmp_path, tone):
    gains = np.arange(1, 9) / 8
    path = write(tmp_path / "a.wav", tone[:, None] * gains, subtype="FLOAT")
    assert audio_info(path).channels == 8
    np.testing.assert_allclose(read_audio(path), tone * gains.mean(), atol=1e-6)


def test_other_rates_are_resampled(tmp_path):
    time = np.arange(48_000) / 48_000
    path = write(tmp_path / "a.wav", 0.5 * np.sin(2 * np.pi * 440 * time), 48_000)
    samples = read_audio(path)
    expected = 0.5 * np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)
    assert len(samples) == RATE
    np.testing.assert_allclose(samples[500:-500], expected[500:-500], atol=1e-3)


def test_a_flac_named_wav_is_read(tmp_path, tone):
    path = write(tmp_path / "a.wav", tone, format="FLAC")
    np.testing.assert_array_equal(read_audio(path), tone)


def test_different_sound_has_another_hash(tone):
    assert content_hash(tone) != content_hash(tone * np.float32(0.5))
    assert content_hash(tone) != content_hash(tone[:-1])


def broken_files(folder, tone):
    good = write(folder / "good.wav", tone).read_bytes()
    zero_hz = bytearray(good)
    struct.pack_into("<I", zero_hz, 24, 0)
    long = bytearray(good)  # a header that promises two hours at 1 Hz needs no large file
    struct.pack_into("<I", long, 24, 1)
    return {
        "empty.wav": (b"", "empty"),
        "truncated.wav": (good[: len(good) // 2], "truncated"),
        "zero.wav": (bytes(zero_hz), "0 Hz"),
        "long.wav": (bytes(long), "at most 1 h"),
        "text.wav": (b"no sound at all, really\n" * 9, "begins like text"),
        "page.mp3": (b"<html><body>Not found</body></html>" * 9, "HTML"),
        "pointer.flac": (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "git lfs pull"),
        "film.m4a": (b"\0\0\0\x20ftypM4A " + bytes(99), "isn't read directly"),
    }


@pytest.mark.parametrize(
    "name",
    ["empty.wav", "truncated.wav", "zero.wav", "long.wav", "text.wav", "page.mp3", "pointer.flac", "film.m4a"],
)
def test_files_that_are_no_whole_sound_are_refused_with_the_reason(tmp_path, tone, name):
    content, reason = broken_files(tmp_path, tone)[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=reason) as caught:
        read_audio(tmp_path / name)
    assert caught.value.where == str(tmp_path / name)
    assert caught.value.hint


@pytest.mark.parametrize("name", ["a.flac", "a.mp3"])
def test_a_cut_off_compressed_file_is_refused_or_read_short_never_a_crash(tmp_path, name):
    noise = np.random.default_rng(0).standard_normal(RATE).astype(np.float32) * 0.1
    whole = write(tmp_path / name, noise).read_bytes()
    (tmp_path / name).write_bytes(whole[: len(whole) // 2])
    if name == "a.flac":
        with pytest.raises(DataError, match="truncated"):
            read_audio(tmp_path / name)
    else:
        assert len(read_audio(tmp_path / name)) < RATE


@pytest.mark.parametrize(
    ("samples", "reason"),
    [
        (np.array([0.0] * 4000 + [np.nan] * 3), "3 of 4003 samples are NaN"),
        (np.array([0.0] * 4000 + [np.inf]), "1 of 4001 samples are NaN or infinite"),
        (np.zeros(0), "no samples"),
        (np.zeros(RATE // 50), "lasts 20 ms"),
    ],
)
def test_samples_that_cannot_be_used_are_refused(tmp_path, samples, reason):
    path = write(tmp_path / "a.wav", samples, subtype="FLOAT")
    with pytest.raises(DataError, match=reason):
        read_audio(path)


def test_missing_files_and_folders_are_named(tmp_path):
    with pytest.raises(DataError, match="missing"):
        read_audio(tmp_path / "nothing.wav")
    with pytest.raises(DataError, match="folder"):
        read_audio(tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_an_unreadable_file_is_named(tmp_path, tone):
    path = write(tmp_path / "a.wav", tone)
    path.chmod(0)
    with pytest.raises(DataError, match="can't be read"):
        read_audio(path)
