"""What the model has to beat: the mean frame, principal components, and statistics of the log-mel."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dct

from kelly_core.evaluate.linear import linear_svm, majority
from kelly_embedding.components import MOST_NUMBERS, fit_components
from kelly_embedding.data.source import WindowSource
from kelly_embedding.metrics import ERRORS, Errors, Rows
from kelly_embedding.pool import pool

COSTS = (1e-4, 1e-3, 1e-2, 1e-1)
"""Values of C that grouped cross-validation inside the training side chooses from."""
N_MFCC = 20
Statistics = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""(frames, n_mels) dB to numbers, as many for every clip."""
BATCH = 1024


def mean_frame(train: WindowSource, test: WindowSource, floor_db: float) -> Rows:
    """Errors of saying the training side's mean frame always: (clips, 2)."""
    frames = np.concatenate([np.maximum(clip, floor_db) for clip in train.store.regions_of_clips()])
    mean = frames.mean(axis=0, dtype=np.float64).astype(np.float32)[:, None]  # (n_mels, 1)
    errors = Errors(len(test.paths))
    for mel, owners in test.batches(BATCH):
        heard = np.maximum(mel, np.float32(floor_db))
        errors.add(owners, heard, np.broadcast_to(mean, heard.shape))
    return errors.rows()


def components(train: WindowSource, test: WindowSource, floor_db: float, size: int) -> Rows:
    """Principal components of the training side's windows, as many as an embedding has numbers.

    Returns:
        (clips, 2 + classes): errors, and scores of the probe where the test side knows classes.
    """
    floor = np.float32(floor_db)
    windows = np.maximum(train.spread(MOST_NUMBERS // (train.window * train.store.clips[0].shape[1])), floor)
    fitted = fit_components(windows.reshape(len(windows), -1), size)

    def embedded(source: WindowSource, errors: Errors | None = None) -> NDArray[np.float32]:
        parts, of_clip = [], []
        for mel, owners in source.batches(BATCH):
            heard = np.maximum(mel, floor)
            numbers = fitted.encode(heard.reshape(len(heard), -1))
            parts.append(numbers)
            of_clip.append(owners)
            if errors is not None:
                errors.add(owners, heard, fitted.decode(numbers).reshape(heard.shape))
        return pooled(np.concatenate(parts), np.concatenate(of_clip))

    errors = Errors(len(test.paths))
    heard = embedded(test, errors)
    if test.known is None:
        return errors.rows()
    return np.hstack([errors.rows(), probe(embedded(test.known), test.known, heard)])


def statistics_svm(test: WindowSource, statistics: Statistics) -> Rows:
    """Scores of the probe on statistics of whole clips, as (clips, 2 + classes) without errors.

    Args:
        test: A side that knows the training side.
        statistics: Of a clip.
    """
    assert test.known is not None
    known, heard = (
        np.stack([statistics(clip) for clip in source.store.regions_of_clips()])
        for source in (test.known, test)
    )
    return without_errors(probe(known, test.known, heard))


def commonest(test: WindowSource) -> Rows:
    """Scores that always name the training side's commonest class, as (clips, 2 + classes) without errors."""
    assert test.known is not None
    return without_errors(majority(test.known.targets, len(test.paths), len(test.classes)))


def probe(features: NDArray[np.float32], known: WindowSource, heard: NDArray[np.float32]) -> Rows:
    """A linear classifier fitted on the training side.

    Args:
        features: (training clips, columns).
        known: The training side.
        heard: (clips, columns) to classify.

    Returns:
        (clips, classes) log-probabilities.
    """
    return linear_svm(features, known.targets, known.groups, heard, len(known.classes), COSTS)


def pooled(windows: NDArray[np.float32], owners: NDArray[np.int64]) -> NDArray[np.float32]:
    """Embeddings of clips, (clips, 2 * size), from those of windows, (windows, size), in the clips' order."""
    cuts = np.flatnonzero(np.diff(owners)) + 1
    return np.stack([pool(part) for part in np.split(windows, cuts)])


def without_errors(scores: Rows) -> Rows:
    """Scores of a predictor that restores nothing."""
    return np.hstack([np.full((len(scores), ERRORS), np.nan), scores])


def mfcc_statistics(mel: NDArray[np.float32]) -> NDArray[np.float32]:
    """Mean and deviation of 20 MFCCs and of their slopes over time.

    Args:
        mel: (frames, n_mels), dB.

    Returns:
        (80,).
    """
    cepstrum = dct(mel, type=2, norm="ortho", axis=1)[:, :N_MFCC]
    return pool(np.hstack([cepstrum, np.gradient(cepstrum, axis=0)]))
