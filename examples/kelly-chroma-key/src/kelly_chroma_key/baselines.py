"""What a network has to beat: the commonest key, a published key profile, profiles of the training tunes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from kelly_core.features.midi import estimate_key
from numpy.typing import NDArray

from kelly_chroma_key.chroma import Tune
from kelly_chroma_key.keys import KEYS, number_of

Guess = Callable[[NDArray[np.float64]], int]
"""A key for (12,) how long each pitch class has sounded."""


def guesses(train: Sequence[Tune]) -> dict[str, Guess]:
    """By name, each fitted on the training tunes where there is something to fit."""
    common = int(np.bincount([tune.key for tune in train], minlength=KEYS).argmax())
    profiles = _profiles(train)
    return {
        "commonest key": lambda lasting: common,
        "Krumhansl-Schmuckler": lambda lasting: number_of(estimate_key(lasting)),
        "profiles of the training tunes": lambda lasting: _nearest(profiles, lasting),
    }


def running(tune: Tune) -> NDArray[np.float64]:
    """(beats, 12): how long each pitch class has sounded up to the end of each beat."""
    return np.cumsum(tune.frames[:, :12].astype(np.float64), axis=0)


def _profiles(train: Sequence[Tune]) -> NDArray[np.float64]:
    """(KEYS, 12): the mean share of each pitch class in tunes of a mode, moved to each tonic, centred."""
    both = []
    for minor in (0, 1):
        shares = [
            np.roll(total / total.sum(), -(tune.key % 12))
            for tune in train
            if tune.key // 12 == minor and (total := running(tune)[-1]).sum() > 0
        ]
        mean = np.mean(shares, axis=0) if shares else np.full(12, 1 / 12)
        both += [np.roll(mean, tonic) for tonic in range(12)]
    profiles = np.array(both)
    profiles -= profiles.mean(axis=1, keepdims=True)
    return profiles / np.maximum(1e-9, np.linalg.norm(profiles, axis=1, keepdims=True))


def _nearest(profiles: NDArray[np.float64], lasting: NDArray[np.float64]) -> int:
    return int(np.argmax(profiles @ (lasting - lasting.mean())))
