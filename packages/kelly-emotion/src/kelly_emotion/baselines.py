"""What the model has to beat: the majority class, and a linear classifier on functionals."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dct

from kelly_emotion.data.source import ClipSource

N_MFCC = 20


def majority(train: ClipSource, n_items: int, n_classes: int) -> NDArray[np.float64]:
    """Log-probabilities (n_items, n_classes) that always name the most frequent training class."""
    counts = np.bincount(train.targets, minlength=n_classes)
    scores = np.log((counts + 1e-6) / counts.sum())
    return np.tile(scores, (n_items, 1))


def functionals_linear(train: ClipSource, test: ClipSource, n_classes: int) -> NDArray[np.float64]:
    """Log-probabilities (items, n_classes) of a logistic regression on MFCC functionals.

    Classes are weighted by the inverse of their count, as the model's are; C is chosen by grouped
    cross-validation inside the training side.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV, GroupKFold
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    classifier = make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced", max_iter=1000))
    groups = len(np.unique(train.groups))
    features = np.stack([functionals(clip) for clip in train.regions_of_clips()])
    if groups >= 3:
        grid = {"logisticregression__C": [0.003, 0.03, 0.3]}
        folds = GroupKFold(min(4, groups))
        classifier = GridSearchCV(classifier, grid, cv=folds, scoring="balanced_accuracy")
        classifier.fit(features, train.targets, groups=train.groups)
        classifier = classifier.best_estimator_
    else:
        classifier.fit(features, train.targets)
    scores = classifier.predict_log_proba(np.stack([functionals(clip) for clip in test.regions_of_clips()]))
    result = np.full((len(test), n_classes), -30.0)
    result[:, classifier.classes_] = scores
    return result


def functionals(mel: NDArray[np.float32]) -> NDArray[np.float64]:
    """Mean, deviation, minimum and maximum over time of the MFCCs, and mean and deviation of their steps.

    Args:
        mel: (frames, n_mels), dB.

    Returns:
        (6 * 20,).
    """
    cepstrum = dct(mel, type=2, norm="ortho", axis=1)[:, :N_MFCC]
    steps = np.diff(cepstrum, axis=0) if len(cepstrum) > 1 else np.zeros_like(cepstrum)
    parts = [
        cepstrum.mean(0),
        cepstrum.std(0),
        cepstrum.min(0),
        cepstrum.max(0),
        np.abs(steps).mean(0),
        steps.std(0),
    ]
    return np.concatenate(parts).astype(np.float64)
