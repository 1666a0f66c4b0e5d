"""What the networks are compared with, on the same tokens."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from kelly_melody.ngram import Model
from kelly_melody.tokens import END, N_DURATIONS, N_PITCHES, Melody

Scores = list[NDArray[np.float64]]
"""Per melody (tokens + 1, 4), as `metrics.token_sums` takes them."""


def predict_baselines(
    train: Sequence[Melody], tune_on: Sequence[Melody], on: Sequence[Melody]
) -> dict[str, Scores]:
    """Scores of every baseline on every melody of `on`.

    Args:
        train: What they learn from.
        tune_on: What the weights of the within-tune memory are fitted on.
        on: What they predict.
    """
    markov = Model()
    markov.learn(train)
    plain = [markov.score(melody) for melody in on]
    markov.memory = True
    markov.fit_weights(tune_on)
    return {
        "unigram": unigram(train, on),
        "Kneser-Ney": plain,
        "Kneser-Ney + this tune": [markov.score(melody) for melody in on],
    }


def unigram(train: Sequence[Melody], on: Sequence[Melody]) -> Scores:
    """How often each pitch and each duration occurs in the training melodies, wherever it stands."""
    pitches = np.concatenate([melody.pitch for melody in train] + [np.full(len(train), END)])
    durations = np.concatenate([melody.duration for melody in train])
    pitch, duration = (
        (np.bincount(seen, minlength=size) + 0.5) / (len(seen) + 0.5 * size)
        for seen, size in ((pitches, N_PITCHES), (durations, N_DURATIONS))
    )
    result = []
    for melody in on:
        scores = np.zeros((len(melody) + 1, 4))
        scores[:, 0] = -np.log(pitch[np.append(melody.pitch, END)])
        scores[:-1, 1] = -np.log(duration[melody.duration])
        scores[:, 2] = np.append(melody.pitch, END) == pitch.argmax()
        scores[:, 3] = np.append(melody.duration == duration.argmax(), True)
        result.append(scores)
    return result
