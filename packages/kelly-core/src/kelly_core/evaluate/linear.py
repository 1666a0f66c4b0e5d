"""A linear classifier on plain numbers: what a network has to beat, and what probes an embedding."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

UNSEEN = -30.0
"""Log-probability of a class without training items."""


def majority(targets: NDArray[np.int64], n_items: int, n_classes: int) -> NDArray[np.float64]:
    """Log-probabilities (n_items, n_classes) that always name the most frequent class.

    Args:
        targets: (training items,) classes.
        n_items: Items to predict.
        n_classes: Number of classes.
    """
    counts = np.bincount(targets, minlength=n_classes)
    scores = np.log((counts + 1e-6) / counts.sum())
    return np.tile(scores, (n_items, 1))


def linear_svm(
    features: NDArray[Any],
    targets: NDArray[np.int64],
    groups: NDArray[Any],
    heard: NDArray[Any],
    n_classes: int,
    costs: Sequence[float],
) -> NDArray[np.float64]:
    """Log-probabilities (items, n_classes) of a linear support vector machine.

    Classes are weighted by the inverse of their count. C is chosen by grouped cross-validation inside the
    training items, and so is the map from distances to probabilities (Platt, 1999).

    Args:
        features: (training items, columns).
        targets: (training items,) classes.
        groups: (training items,) names that stay together.
        heard: (items, columns) to predict.
        n_classes: Number of classes.
        costs: Values of C to choose from.
    """
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.model_selection import GridSearchCV, GroupKFold
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import LinearSVC

    machine = make_pipeline(StandardScaler(), LinearSVC(C=1e-3, class_weight="balanced"))
    classes = np.unique(targets)
    if len(classes) < 2:
        return majority(targets, len(heard), n_classes)
    folds = min(4, len(np.unique(groups)))
    parts = list(GroupKFold(folds).split(features, targets, groups)) if folds >= 2 else []
    result = np.full((len(heard), n_classes), UNSEEN)
    if parts and all(len(np.unique(targets[kept])) == len(classes) for kept, _ in parts):
        search = GridSearchCV(machine, {"linearsvc__C": costs}, cv=parts, scoring="balanced_accuracy")
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="A single label was found")  # in a very small fold
            chosen = search.fit(features, targets).best_estimator_
        fitted = CalibratedClassifierCV(chosen, cv=parts, ensemble=False).fit(features, targets)
        result[:, classes] = np.log(fitted.predict_proba(heard) + 1e-12)
    else:  # too few items to cross-validate: the classes of the plain machine, without confidence
        result[np.arange(len(heard)), machine.fit(features, targets).predict(heard)] = 0.0
    return result
