"""Metrics of a classifier, by their standard names. NumPy only: the bootstrap calls them by the thousand."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kelly_core.inference import softmax

CALIBRATION_BINS = 10


def confusion_matrix(
    targets: NDArray[np.int64], predicted: NDArray[np.int64], n_classes: int
) -> NDArray[np.int64]:
    """Counts.

    Args:
        targets: (items,) true classes.
        predicted: (items,) predicted classes.
        n_classes: Number of classes.

    Returns:
        (n_classes, n_classes), rows true, columns predicted.
    """
    return np.bincount(targets * n_classes + predicted, minlength=n_classes**2).reshape(n_classes, n_classes)


def classification_metrics(logits: NDArray[np.float64], targets: NDArray[np.int64]) -> dict[str, float]:
    """UAR, accuracy, macro F1 and expected calibration error.

    Args:
        logits: (items, classes); log-probabilities do as well.
        targets: (items,) true classes.

    Returns:
        `uar`: unweighted average recall over the classes that occur. `accuracy`. `macro_f1` over the
        classes that occur or were predicted. `ece`: expected calibration error of the top class over ten
        equal bins (Guo et al., 2017).
    """
    predicted = logits.argmax(axis=1)
    matrix = confusion_matrix(targets, predicted, logits.shape[1])
    hits, true, said = np.diag(matrix), matrix.sum(axis=1), matrix.sum(axis=0)
    occurs = true > 0
    either = (true + said) > 0
    return {
        "uar": float((hits[occurs] / true[occurs]).mean()),
        "accuracy": float(hits.sum() / true.sum()),
        "macro_f1": float((2 * hits[either] / (true + said)[either]).mean()),
        "ece": calibration_error(logits, targets),
    }


def calibration_error(logits: NDArray[np.float64], targets: NDArray[np.int64]) -> float:
    """Mean distance between confidence and accuracy, weighted by how many items fall in each bin."""
    probabilities = softmax(logits)
    confidence = probabilities.max(axis=1)
    correct = probabilities.argmax(axis=1) == targets
    bins = np.minimum((confidence * CALIBRATION_BINS).astype(np.int64), CALIBRATION_BINS - 1)
    gaps = np.bincount(bins, weights=confidence - correct, minlength=CALIBRATION_BINS)
    return float(np.abs(gaps).sum() / len(targets))
