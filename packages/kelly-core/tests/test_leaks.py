"""Leaks: copies are found under gain, coding, rate, noise and shifts; other takes are not copies."""

import io
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from kelly_core.data import Item
from kelly_core.data.fingerprint import distance, fingerprint
from kelly_core.data.leaks import NEAR, build_fingerprints, find_leaks

RATE = 16_000


def phrase(seed):
    """Three seconds that change like speech: gliding harmonics under a moving envelope, with some noise."""
    rng = np.random.default_rng(seed)
    time = np.arange(3 * RATE) / RATE
    knots = np.linspace(0, 3, 16)
    pitch = np.interp(time, knots, rng.uniform(100, 300, 16))
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    levels = [np.interp(time, knots, rng.uniform(0, 1, 16)) / k for k in range(1, 16)]
    voice = sum(level * np.sin(k * phase) for k, level in enumerate(levels, 1))
    voice = voice + 0.02 * rng.standard_normal(len(time))
    return (0.3 * voice / np.abs(voice).max()).astype(np.float32)


def coded(samples, **options):
    memory = io.BytesIO()
    soundfile.write(memory, samples, RATE, **options)
    memory.seek(0)
    return soundfile.read(memory, dtype="float32")[0]


CHANGES = {
    "gain": lambda x: x * 10 ** (-6 / 20),
    "ogg": lambda x: coded(x, format="OGG", subtype="VORBIS"),
    "mp3": lambda x: coded(x, format="MP3"),
    "shift by 100 ms": lambda x: np.concatenate([np.zeros(1600, np.float32), x]),
    "trim by an odd length": lambda x: x[1723:-500],
    "resampling": lambda x: soxr.resample(soxr.resample(x, RATE, 22_050), 22_050, RATE),
    "noise": lambda x: x + 0.003 * np.random.default_rng(9).standard_normal(len(x)).astype(np.float32),
    "all at once": lambda x: coded(0.5 * x[1600:], format="OGG", subtype="VORBIS"),
}


def write_items(folder, clips):
    items = []
    for i, samples in enumerate(clips):
        path = folder / f"{i:03d}.wav"
        soundfile.write(path, samples, RATE, subtype="FLOAT")
        items.append(Item(str(path), "happy", f"speaker {i}"))
    return items


@pytest.mark.parametrize("change", list(CHANGES))
def test_a_changed_copy_on_another_side_is_found_and_nothing_else(tmp_path, change):
    originals = [phrase(seed) for seed in range(8)]
    items = write_items(tmp_path, [*originals, CHANGES[change](originals[3])])
    split = {"train": np.arange(8), "validation": np.array([], int), "test": np.array([8])}
    (leak,) = find_leaks(items, split, build_fingerprints(items, tmp_path / "cache"))
    assert leak.kind == "near-duplicate"
    assert (leak.first, leak.second, leak.sides) == (items[3].path, items[8].path, ("train", "test"))


def test_the_same_audio_in_another_lossless_format_is_told_as_the_same(tmp_path):
    samples = np.rint(phrase(0) * 32768) / 32768
    items = write_items(tmp_path, [samples, phrase(1)])
    soundfile.write(tmp_path / "copy.flac", samples, RATE)
    items.append(Item(str(tmp_path / "copy.flac"), "sad", "somebody"))
    split = {"train": np.array([0, 1]), "test": np.array([2])}
    (leak,) = find_leaks(items, split, build_fingerprints(items, tmp_path / "cache"))
    assert leak.kind == "same audio"
    assert "same audio in train and test" in str(leak)


def test_copies_on_one_side_are_no_leak(tmp_path):
    items = write_items(tmp_path, [phrase(0), phrase(0), phrase(1)])
    split = {"train": np.array([0, 1]), "test": np.array([2])}
    assert find_leaks(items, split, build_fingerprints(items, tmp_path / "cache")) == []


def test_a_group_on_two_sides_is_found_once(tmp_path):
    items = write_items(tmp_path, [phrase(0), phrase(1), phrase(2)])
    items = [Item(item.path, item.label, "anna") for item in items]
    split = {"train": np.array([0, 1]), "test": np.array([2])}
    (leak,) = find_leaks(items, split, build_fingerprints(items, tmp_path / "cache"))
    assert str(leak) == "group 'anna' stands in train and test: 2 and 1 items"


def test_unusable_and_silent_files_are_passed_over(tmp_path):
    items = write_items(tmp_path, [np.zeros(RATE), phrase(0), np.zeros(2 * RATE)])
    (tmp_path / "bad.wav").write_bytes(b"")
    items.append(Item(str(tmp_path / "bad.wav"), "happy", "nobody"))
    split = {"train": np.array([0, 1]), "test": np.array([2, 3])}
    prints = build_fingerprints(items, tmp_path / "cache")
    assert find_leaks(items, split, prints) == []
    assert len(prints.problems) == 1


def test_very_short_clips_have_a_fingerprint():
    assert len(fingerprint(np.ones(800, np.float32))) >= 1
    assert distance(fingerprint(phrase(0)), fingerprint(phrase(0)[:800]), 0) == 1.0


@pytest.mark.skipif("KELLY_SHARED" not in os.environ, reason="KELLY_SHARED doesn't name the data packs")
def test_two_takes_of_one_sentence_by_one_actor_are_not_copies(tmp_path):
    import tarfile

    pack = Path(os.environ["KELLY_SHARED"]) / "data" / "ravdess_speech.tar"
    with tarfile.open(pack) as tar:
        names = [m for m in tar.getmembers() if "/Actor_05/" in m.name or "/Actor_06/" in m.name]
        tar.extractall(tmp_path, names, filter="data")
    files = sorted(tmp_path.rglob("*.flac"))
    items = [Item(str(path), "", path.stem) for path in files]
    first_take = np.array([path.stem.split("-")[5] == "01" for path in files])
    assert len(files) == 120
    prints = build_fingerprints(items, tmp_path / "cache")
    split = {"train": np.flatnonzero(first_take), "test": np.flatnonzero(~first_take)}
    assert find_leaks(items, split, prints) == []
    assert NEAR < 0.2
