"""The feature cache: keyed by content and settings, mended when damaged, shared, bounded."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from kelly_core.data import Item, processes
from kelly_core.data.feature_set import build_features
from kelly_core.errors import DataError, KellyError
from kelly_core.features.cache import FeatureCache, cache_size, clear_cache


def square(samples):
    return (samples[::100] ** 2)[:, None]


def never(samples):
    raise AssertionError("computed again")


@pytest.fixture
def items(tmp_path):
    rng = np.random.default_rng(0)
    result = []
    for i in range(6):
        path = tmp_path / "sound" / f"{i}.wav"
        path.parent.mkdir(exist_ok=True)
        soundfile.write(path, rng.uniform(-0.5, 0.5, 2000 + 100 * i), 16_000)
        result.append(Item(str(path), "happy", str(i)))
    return result


@pytest.fixture
def cache(tmp_path):
    return FeatureCache(tmp_path / "cache", {"n_mels": 64}, "1")


@settings(max_examples=40, deadline=None)
@given(
    st.dictionaries(
        st.text(min_size=1, max_size=8),
        hnp.arrays(
            st.sampled_from([np.float32, np.int16, np.uint32]), hnp.array_shapes(max_dims=3, max_side=5)
        ),
        max_size=5,
    )
)
def test_arrays_come_back_as_they_were(tmp_path_factory, arrays):
    cache = FeatureCache(tmp_path_factory.mktemp("cache"), {}, "1")
    cache.put_many(arrays)
    found = FeatureCache(cache.folder, {}, "1").get_many(list(arrays))
    assert set(found) == set(arrays)
    for key, array in arrays.items():
        np.testing.assert_array_equal(found[key], array)
        assert found[key].dtype == array.dtype
        assert not found[key].flags.writeable


def test_a_warm_start_neither_decodes_nor_computes(items, cache):
    cold = build_features(items, square, cache)
    warm = build_features(items, never, FeatureCache(cache.folder, {"n_mels": 64}, "1"))
    for a, b in zip(cold.arrays, warm.arrays, strict=True):
        np.testing.assert_array_equal(a, b)
    assert cold.content_hash == warm.content_hash
    assert warm.content_hashes == cold.content_hashes


def test_several_workers_give_the_same(items, cache, tmp_path, monkeypatch):
    monkeypatch.setattr(processes, "STARTING", 0.0)
    monkeypatch.setattr(processes, "_TRIAL", 0.0)
    alone = build_features(items, np.abs, cache)
    many = build_features(items, np.abs, FeatureCache(tmp_path / "other", {}, "1"), workers=2)
    assert many.content_hash == alone.content_hash
    for a, b in zip(alone.arrays, many.arrays, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(("config", "version"), [({"n_mels": 65}, "1"), ({"n_mels": 64}, "2")])
def test_another_configuration_or_code_version_computes_anew(items, cache, config, version):
    build_features(items, square, cache)
    other = build_features(items, lambda samples: samples[:3], FeatureCache(cache.folder, config, version))
    assert other.arrays[0].shape == (3,)


def test_a_changed_file_computes_anew_and_changes_the_data_hash(items, cache):
    before = build_features(items, square, cache)
    soundfile.write(items[0].path, np.zeros(3000), 16_000)
    after = build_features(items, square, cache)
    assert after.arrays[0].shape == (30, 1)
    assert after.content_hash != before.content_hash
    assert after.content_hashes[1:] == before.content_hashes[1:]


def test_the_data_hash_depends_on_content_and_label_only(items, cache):
    before = build_features(items, square, cache)
    renamed = [Item(item.path + ".wav", item.label) for item in reversed(items)]
    for old, new in zip(reversed(items), renamed, strict=True):
        Path(old.path).rename(new.path)
    assert build_features(renamed, square, cache).content_hash == before.content_hash
    relabelled = [Item(item.path, "sad") for item in renamed]
    assert build_features(relabelled, square, cache).content_hash != before.content_hash


def test_unusable_files_are_problems_or_with_strict_an_error(items, cache, tmp_path):
    bad = tmp_path / "sound" / "bad.wav"
    bad.write_bytes(b"")
    features = build_features([Item(str(bad)), *items], square, cache)
    assert features.arrays[0] is None
    assert features.content_hashes[0] is None
    assert [(p.path, p.reason) for p in features.problems] == [(str(bad), "is empty (0 bytes)")]
    assert features.content_hash == build_features(items, never, cache).content_hash
    with pytest.raises(DataError, match="empty"):
        build_features([Item(str(bad))], square, cache, strict=True)


def test_a_file_that_went_away_is_a_problem_though_its_features_are_cached(items, cache):
    build_features(items, square, cache)
    Path(items[2].path).unlink()
    features = build_features(items, square, cache)
    assert "missing" in features.problems[0].reason
    assert features.arrays[2] is None


def test_damaged_shards_are_rebuilt(items, cache):
    cold = build_features(items, square, cache)
    (shard,) = cache.folder.glob("*.shard")
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 0xFF
    shard.write_bytes(bytes(content))
    again = build_features(items, square, FeatureCache(cache.folder, {"n_mels": 64}, "1"))
    for a, b in zip(cold.content_hashes, again.content_hashes, strict=True):
        assert a == b
    for item, array in zip(items, again.arrays, strict=True):
        np.testing.assert_array_equal(array, square(soundfile.read(item.path, dtype="float32")[0]))
    assert build_features(items, never, FeatureCache(cache.folder, {"n_mels": 64}, "1")).problems == []


def test_a_vanished_shard_and_a_damaged_index_are_rebuilt(items, cache):
    build_features(items, square, cache)
    next(cache.folder.glob("*.shard")).unlink()
    fresh = FeatureCache(cache.folder, {"n_mels": 64}, "1")
    assert all(array is not None for array in build_features(items, square, fresh).arrays)
    for index in cache.folder.glob("index.sqlite*"):
        index.write_bytes(b"this is no database, not even nearly" * 200)
    assert all(array is not None for array in build_features(items, square, fresh).arrays)


def test_get_or_compute_computes_once(cache):
    calls = []
    for _ in range(2):
        array = cache.get_or_compute("key", lambda: calls.append(1) or np.arange(4.0))
    assert len(calls) == 1
    np.testing.assert_array_equal(array, np.arange(4.0))


def test_the_bound_drops_what_was_unused_for_longest_but_not_what_is_in_use(tmp_path):
    for i in range(5):
        FeatureCache(tmp_path, {}, "1", max_bytes=3000).put_many({f"k{i}": np.full(250, i, np.float32)})
    found = FeatureCache(tmp_path, {}, "1").get_many([f"k{i}" for i in range(5)])
    assert sorted(found) == ["k2", "k3", "k4"]
    small = FeatureCache(tmp_path / "small", {}, "1", max_bytes=10)
    small.put_many({"a": np.zeros(100)})
    small.put_many({"b": np.zeros(100)})
    assert set(small.get_many(["a", "b"])) == {"a", "b"}


def test_the_size_is_told_and_clearing_leaves_mapped_arrays_whole(items, cache):
    features = build_features(items, square, cache)
    files, size = cache_size(cache.folder)
    assert files >= 2
    assert clear_cache(cache.folder) == size
    assert cache_size(cache.folder) == (0, 0)
    assert np.isfinite(features.arrays[0]).all()


def test_a_place_that_cannot_be_written_is_an_error_with_a_next_step(tmp_path):
    cache = FeatureCache(tmp_path / "cache", {}, "1")
    cache.get_many([])
    for path in cache.folder.iterdir():
        path.unlink()
    cache.folder.rmdir()
    cache.folder.write_text("in the way")
    with pytest.raises(KellyError, match="can't be written") as caught:
        cache.put_many({"a": np.zeros(3)})
    assert "data_root" in caught.value.hint


WORKER = """
import sys, numpy as np
from kelly_core.features.cache import FeatureCache
folder, me = sys.argv[1], int(sys.argv[2])
for i in range(25):
    cache = FeatureCache(folder, {}, "1")
    key = f"k{(i + 7 * me) % 25}"
    array = cache.get_or_compute(key, lambda: np.full(50, int(key[1:]), np.float32))
    assert (array == int(key[1:])).all()
"""


def test_processes_at_once_lose_and_mix_up_nothing(tmp_path):
    started = [subprocess.Popen([sys.executable, "-c", WORKER, str(tmp_path), str(i)]) for i in range(3)]
    assert [process.wait(60) for process in started] == [0, 0, 0]
    found = FeatureCache(tmp_path, {}, "1").get_many([f"k{i}" for i in range(25)])
    assert {key: array[0] for key, array in found.items()} == {f"k{i}": i for i in range(25)}
