import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kelly_core.infer.result import softmax
from kelly_emotion.baselines import functionals_svm, majority
from kelly_emotion.data.source import ClipSource, MelStore
from kelly_emotion.metrics import classification_metrics, confusion_matrix


def case(seed, items, classes=7):
    rng = np.random.default_rng(seed)
    return rng.normal(0, 2, (items, classes)), rng.integers(classes, size=items)


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 10_000), items=st.integers(1, 200))
def test_metrics_agree_with_scikit_learn(seed, items):
    from sklearn import metrics

    logits, targets = case(seed, items)
    predicted = logits.argmax(1)
    ours = classification_metrics(logits, targets)
    occurring = np.unique(targets)
    uar = metrics.recall_score(targets, predicted, labels=occurring, average="macro", zero_division=0)
    assert ours["uar"] == pytest.approx(uar)
    assert ours["accuracy"] == pytest.approx(metrics.accuracy_score(targets, predicted))
    assert ours["macro_f1"] == pytest.approx(
        metrics.f1_score(targets, predicted, average="macro", zero_division=0)
    )
    theirs = metrics.confusion_matrix(targets, predicted, labels=range(7))
    assert np.array_equal(confusion_matrix(targets, predicted, 7), theirs)


@pytest.mark.parametrize("seed", range(5))
def test_calibration_error_agrees_with_torchmetrics(seed):
    import torch
    from torchmetrics.functional.classification import multiclass_calibration_error

    logits, targets = case(seed, 300)
    probabilities = torch.from_numpy(softmax(logits))
    theirs = multiclass_calibration_error(probabilities, torch.from_numpy(targets), 7, n_bins=10, norm="l1")
    assert classification_metrics(logits, targets)["ece"] == pytest.approx(float(theirs), abs=1e-6)


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


def test_the_majority_baseline_names_the_commonest_training_class():
    scores = majority(clips([0, 1, 1, 1, 2], 0), 4, 7)
    assert (scores.argmax(1) == 1).all()
    assert np.exp(scores).sum(1) == pytest.approx(1, abs=1e-4)


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
