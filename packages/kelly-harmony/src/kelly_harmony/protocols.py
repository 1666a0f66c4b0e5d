"""Declared protocols: how HarmonyPredictor is measured on public sets."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from kelly_core.config import SplitConfig
from kelly_core.data import Dataset
from kelly_core.data.splits import split_items
from kelly_core.evaluate import Protocol

ARMS = {
    "causal": {"architecture_type": "mlp"},
    "recurrent": {"architecture_type": "gru"},
    "chain": {"architecture_type": "frames"},
    "offline": {"architecture_type": "tcn"},
}
"""`causal`, `recurrent` and `chain` hear a tune up to the beat that is named, `offline` both sides of it."""


def one_split(dataset: Dataset, seed: int) -> Sequence[tuple[str, dict[str, NDArray[np.int64]]]]:  # noqa: ARG001
    """Groups by hash, a tenth each for validation and test; the same for every seed."""
    return [("test", split_items(dataset.items, SplitConfig(by="group", validation=0.1, test=0.1, seed=0)))]


POP909 = Protocol(
    name="pop909",
    summary="POP909, songs by hash: 80/10/10, chords per beat",
    dataset="pop909",
    folds=one_split,
    headline="accuracy",
    arms=ARMS,
)
NOTTINGHAM = Protocol(
    name="nottingham-chords",
    summary="Nottingham, tunes by hash: 80/10/10, chords per beat",
    dataset="nottingham-chords",
    folds=one_split,
    headline="accuracy",
    arms=ARMS,
)
PROTOCOLS = {protocol.name: protocol for protocol in (POP909, NOTTINGHAM)}
"""By the name that `--protocol` takes."""
