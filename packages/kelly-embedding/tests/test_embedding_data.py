"""Windows of clips, labels that can be probed, errors clip by clip, and the synthetic instruments."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from kelly_core.config import SplitConfig
from kelly_core.data import Dataset, Item
from kelly_core.data.splits import split_items
from kelly_core.errors import DataError
from kelly_core.features.audio import LogMel
from kelly_core.sound.store import MelStore
from kelly_core.task import Context
from kelly_embedding import baselines
from kelly_embedding.config import EmbeddingConfig
from kelly_embedding.data.prepare import prepare
from kelly_embedding.data.source import WindowSource
from kelly_embedding.demo import DemoOptions, open_demo, recognises
from kelly_embedding.demo.instruments import KINDS
from kelly_embedding.metrics import Errors, reconstruction_metrics
from kelly_embedding.report import restore_clip
from kelly_embedding.task import EmbeddingTask


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    return open_demo(folder, {"players": 5, "takes": 1}), folder


def prepared(dataset, tmp_path, **values):
    split = split_items(dataset.items, SplitConfig())
    return prepare(EmbeddingConfig(**values), dataset, split, Context(tmp_path / "cache"))


def test_the_demo_is_the_same_every_time_and_says_that_it_is_made(demo, tmp_path):
    dataset, _ = demo
    again = open_demo(tmp_path, {"players": 5, "takes": 1})
    assert dataset.synthetic
    assert recognises(dataset.root)
    assert len(dataset.items) == 5 * len(KINDS)
    assert {item.split for item in dataset.items} == {"train", "validation", "test"}
    for one, other in zip(dataset.items, again.items, strict=True):
        samples, rate = soundfile.read(one.path)
        np.testing.assert_array_equal(samples, soundfile.read(other.path)[0])
        assert rate == 16_000
        assert 0.02 < np.abs(samples).max() <= 1.0
    assert DemoOptions().players >= 5  # fewer have no split of their own


def test_only_the_test_side_of_a_labelled_set_has_something_to_probe(demo, tmp_path):
    dataset, _ = demo
    few = prepared(dataset, tmp_path).sources  # three players: three clips of a kind
    assert few["test"].known is None
    more = open_demo(tmp_path / "more", {"players": 7, "takes": 1})
    sources = prepared(more, tmp_path).sources
    assert sources["test"].known is sources["train"]
    assert sources["validation"].known is None
    assert list(sources["test"].classes) == sorted(KINDS)
    bare = Dataset("bare", more.root, [Item(item.path, "", item.group, item.split) for item in more.items])
    assert prepared(bare, tmp_path).sources["test"].known is None


def test_a_single_window_is_not_enough(tmp_path):
    for name in ("a", "b"):
        soundfile.write(tmp_path / f"{name}.wav", np.random.default_rng(0).normal(0, 0.1, 2000), 16_000)
    items = [
        Item(str(tmp_path / "a.wav"), group="a", split="train"),
        Item(str(tmp_path / "b.wav"), group="b", split="validation"),
    ]
    with pytest.raises(DataError, match=r"the training side is a single window of 0\.26 s"):
        prepared(Dataset("two", tmp_path, items), tmp_path)


def windows(seed=0, clips=3, frames=60):
    rng = np.random.default_rng(seed)
    mels = [rng.normal(-40, 5, (frames, 64)).astype(np.float32) for _ in range(clips)]
    return WindowSource(MelStore(mels), 16, np.full(clips, -1), np.array(["g"] * clips), ["x"] * clips)


def test_moved_windows_are_the_clips_own(monkeypatch):
    source = windows()
    still, moved = (
        source.fetch(np.arange(len(source)), rng)["mel"].numpy() for rng in (None, np.random.default_rng(0))
    )
    owners, starts = source.grid
    offsets = []
    for at, (clip, start) in enumerate(zip(owners, starts, strict=True)):
        mel = source.store.clips[clip]
        np.testing.assert_array_equal(still[at, 0].T, mel[start : start + 16])
        found = [
            offset
            for offset in range(-4, 5)
            if 0 <= start + offset <= len(mel) - 16
            and np.array_equal(moved[at, 0].T, mel[start + offset : start + offset + 16])
        ]
        offsets += found
        assert found
    assert len(set(offsets)) > 3


def test_a_sample_can_be_seen_and_heard(demo, tmp_path):
    clip, task = Path(demo[0].items[0].path), EmbeddingTask(EmbeddingConfig())
    mel = LogMel()(soundfile.read(clip, dtype="float32")[0]).T
    source = WindowSource(MelStore([mel]), 16, np.array([-1]), np.array(["g"]), [str(clip)])
    task.write_samples(task.build(None).eval(), source, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        f"1-{clip.stem}{end}" for end in ("-mel.wav", "-restored.wav", ".png", ".wav")
    ]
    rendered = LogMel()(soundfile.read(tmp_path / f"1-{clip.stem}-mel.wav", dtype="float32")[0]).T
    error = np.abs(np.maximum(rendered, -80) - np.maximum(mel[: len(rendered)], -80)).mean()
    assert error < 3  # dB: the phase was guessed, and the sound is rounded to 16 bits
    np.testing.assert_allclose(restore_clip(mel, 16, lambda windows: windows), mel, atol=1e-4)


def test_errors_are_means_over_the_windows_of_a_clip():
    rng = np.random.default_rng(0)
    truth, restored = rng.normal(0, 9, (2, 6, 1, 4, 3)).astype(np.float32)
    owners = np.array([0, 0, 0, 1, 1, 1])
    errors = Errors(2)
    for part in (slice(0, 4), slice(4, 6)):
        errors.add(owners[part], truth[part], restored[part])
    difference = np.abs(truth - restored).reshape(2, -1)
    np.testing.assert_allclose(errors.rows()[:, 0], difference.mean(axis=1), rtol=1e-5)
    np.testing.assert_allclose(errors.rows()[:, 1], (difference**2).mean(axis=1), rtol=1e-5)


def test_a_predictor_is_measured_by_what_it_can_do():
    targets = np.array([0, 1, 1, -1])
    errors = np.array([[1.0, 4.0], [2.0, 4.0], [3.0, 4.0], [6.0, 4.0]])
    scores = np.log(np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.5, 0.5]]))
    assert reconstruction_metrics(errors, targets) == {"mae_db": 3.0, "rmse_db": 2.0}
    only = reconstruction_metrics(baselines.without_errors(scores), targets)
    assert only == pytest.approx({"uar": 0.75, "accuracy": 2 / 3})
    both = reconstruction_metrics(np.hstack([errors, scores]), targets)
    assert list(both) == ["mae_db", "rmse_db", "uar", "accuracy"]


def test_components_restore_what_lies_in_few_directions():
    """Windows of two shapes in any mixture: two components are enough, one is not, the mean frame is worst."""
    rng = np.random.default_rng(0)
    shapes = rng.normal(0, 8, (2, 64))
    mels = [
        (-40 + rng.normal(size=(40, 2)).repeat(8, axis=0)[:40] @ shapes).astype(np.float32) for _ in range(8)
    ]
    source = WindowSource(MelStore(mels), 8, np.full(8, -1), np.array(["g"] * 8), ["x"] * 8)
    errors = [baselines.components(source, source, -100.0, size)[:, 0].mean() for size in (1, 2, 8)]
    mean = baselines.mean_frame(source, source, -100.0)[:, 0].mean()
    assert mean > errors[0] > errors[1] > errors[2]


def test_the_embedding_of_a_clip_is_mean_and_deviation_of_its_windows():
    rows = np.arange(10, dtype=np.float32).reshape(5, 2)
    pooled = baselines.pooled(rows, np.array([0, 0, 1, 1, 1]))
    np.testing.assert_allclose(pooled[0], [1, 2, 1, 1])
    np.testing.assert_allclose(pooled[1], [*rows[2:].mean(0), *rows[2:].std(0)])
