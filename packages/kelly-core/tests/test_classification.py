import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kelly_core.evaluate.classification import classification_metrics, confusion_matrix
from kelly_core.evaluate.linear import linear_svm, majority
from kelly_core.infer.result import softmax


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


def test_the_majority_baseline_names_the_commonest_training_class():
    scores = majority(np.array([0, 1, 1, 1, 2]), 4, 7)
    assert (scores.argmax(1) == 1).all()
    assert np.exp(scores).sum(1) == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("kept", [(0, 1), (0, 3), (2, 2)])
def test_a_linear_classifier_gives_log_probabilities_of_the_classes_it_met(kept):
    rng = np.random.default_rng(0)
    targets = np.array([kept[at % 2] for at in range(24)])
    features = rng.normal(0, 1, (24, 5)) + 3 * targets[:, None]
    groups = np.array([f"speaker {at // 4}" for at in range(24)])
    scores = linear_svm(features, targets, groups, features, 4, (1e-3, 1e-2))
    assert scores.shape == (24, 4)
    assert (scores.argmax(1) == targets).all()
    assert np.exp(scores).sum(1) == pytest.approx(1, abs=1e-3)
