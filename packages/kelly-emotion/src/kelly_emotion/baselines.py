"""What the model has to beat beside the majority class: a linear classifier on functionals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dct

from kelly_core.evaluate.linear import linear_svm
from kelly_emotion.data.source import ClipSource

N_MFCC = 20
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
COSTS = (1e-5, 1e-4, 1e-3, 1e-2)
"""Values of C that grouped cross-validation inside the training side chooses from."""


def functionals_svm(train: Sequence[ClipSource], test: ClipSource, n_classes: int) -> NDArray[np.float64]:
    """Log-probabilities (items, n_classes) of a linear support vector machine on functionals.

    Args:
        train: Sources to learn from: nothing has to be held out, since no epoch is chosen.
        test: Clips to predict.
        n_classes: Number of classes.
    """
    return linear_svm(
        np.stack([functionals(clip) for source in train for clip in source.store.regions_of_clips()]),
        np.concatenate([source.targets for source in train]),
        np.concatenate([source.groups for source in train]),
        np.stack([functionals(clip) for clip in test.store.regions_of_clips()]),
        n_classes,
        COSTS,
    )


def functionals(mel: NDArray[np.float32]) -> NDArray[np.float64]:
    """Statistics over time of 24 contours, their slopes and their curvatures.

    The contours are 20 MFCCs, energy, spectral centroid and spread (in mel bands) and spectral flux. The
    statistics are mean, deviation, five quantiles, two ranges between quantiles, trend, skewness and kurtosis.

    Args:
        mel: (frames, n_mels), dB.

    Returns:
        (864,), finite.
    """
    from scipy.stats import kurtosis, skew  # slow to import, and only training needs it

    contours = _contours(mel.astype(np.float64))  # (frames, 24)
    slopes = np.gradient(contours, axis=0)
    tracks = np.concatenate([contours, slopes, np.gradient(slopes, axis=0)], axis=1)  # (frames, 72)
    quantiles = np.quantile(tracks, QUANTILES, axis=0)
    time = np.linspace(-1, 1, len(tracks))[:, None]
    trend = (time * (tracks - tracks.mean(axis=0))).sum(axis=0) / (time**2).sum()
    ranges = [quantiles[3] - quantiles[1], quantiles[4] - quantiles[0]]
    shape = [skew(tracks, axis=0), kurtosis(tracks, axis=0)]
    parts = [tracks.mean(axis=0), tracks.std(axis=0), quantiles.ravel(), *ranges, trend, *shape]
    return np.nan_to_num(np.concatenate(parts))  # a constant contour has no skewness


def _contours(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    power = 10 ** (mel / 10)
    share = power / power.sum(axis=1, keepdims=True)
    bands = np.arange(mel.shape[1])
    centroid = share @ bands
    spread = np.sqrt((share * (bands - centroid[:, None]) ** 2).sum(axis=1))
    flux = np.abs(np.diff(mel, axis=0, prepend=mel[:1])).mean(axis=1)
    energy = 10 * np.log10(power.sum(axis=1))
    cepstrum = dct(mel, type=2, norm="ortho", axis=1)[:, :N_MFCC]
    return np.column_stack([cepstrum, energy, centroid, spread, flux])
