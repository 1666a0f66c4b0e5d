import numpy as np
import pytest

from kelly_core.sound.store import MelStore
from kelly_emotion.baselines import functionals_svm
from kelly_emotion.data.source import ClipSource


def clips(targets, seed):
    """Clips with a formant whose place tells their class."""
    rng = np.random.default_rng(seed)
    bands = np.arange(64)
    formants = [20 * np.exp(-(((bands - 8 - 8 * t) / 4) ** 2)) for t in targets]
    mels = [rng.normal(-50 + formant, 3, (80, 64)).astype(np.float32) for formant in formants]
    count = len(targets)
    groups = np.array([f"speaker {i % 6}" for i in range(count)])
    ones = np.ones(count, dtype=np.float32)
    return ClipSource({1.0: MelStore(mels)}, np.asarray(targets), ones, groups, [""] * count, 128, 128)


def test_the_linear_baseline_learns_what_is_plain_to_hear():
    targets = np.arange(42) % 7
    scores = functionals_svm([clips(targets, 1)], clips(targets, 2), 7)
    assert scores.shape == (42, 7)
    assert (scores.argmax(1) == targets).mean() > 0.8


@pytest.mark.parametrize("clips_per_class", [1, 2, 3])
def test_the_linear_baseline_makes_do_with_little(clips_per_class):
    """A handful of clips, each its own group, some classes never heard: a score for every clip all the same."""
    targets = np.repeat(np.array([0, 3]), clips_per_class)
    scores = functionals_svm([clips(targets, 1)], clips(np.arange(7), 2), 7)
    assert scores.shape == (7, 7)
    assert np.isfinite(scores).all()
