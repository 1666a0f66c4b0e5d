"""Declared protocols: how GroovePredictor is measured on public sets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from kelly_core.data import Dataset
from kelly_core.evaluate import Protocol

FOLDS = 5
ARMS = {
    "score": {"input": "score"},
    "chain": {"input": "score", "architecture_type": "mlp"},
    "live": {"input": "live"},
}


def official_split(dataset: Dataset, seed: int) -> Sequence[tuple[str, dict[str, NDArray[np.int64]]]]:  # noqa: ARG001
    """The published split; validation and test are the performances in 4/4, training takes every metre."""
    sides: dict[str, list[int]] = {"train": [], "validation": [], "test": []}
    for index, item in enumerate(dataset.items):
        if item.split == "train" or item.extra.get("metre", "4/4") == "4/4":
            sides[str(item.split)].append(index)
    return [("official", {side: np.array(indices, dtype=np.int64) for side, indices in sides.items()})]


def drummer_folds(dataset: Dataset, seed: int) -> Sequence[tuple[str, dict[str, NDArray[np.int64]]]]:  # noqa: ARG001
    """Five folds that keep drummers apart: each tests the 4/4 performances of drummers it never heard.

    Drummers are dealt out by how much they played, the busiest first, each into the fold with the least so far.
    Of the other drummers, the published validation performances in 4/4 choose the epoch, all others train.
    """
    played = Counter(item.extra["drummer"] for item in dataset.items)
    load, fold_of = [0] * FOLDS, {}
    for drummer in sorted(played, key=lambda name: (-played[name], name)):
        fold_of[drummer] = load.index(min(load))
        load[fold_of[drummer]] += played[drummer]
    result = []
    for fold in sorted(set(fold_of.values())):
        sides: dict[str, list[int]] = {"train": [], "validation": [], "test": []}
        for index, item in enumerate(dataset.items):
            held_out = fold_of[item.extra["drummer"]] == fold
            side = "test" if held_out else "validation" if item.split == "validation" else "train"
            if side == "train" or item.extra.get("metre", "4/4") == "4/4":
                sides[side].append(index)
        result.append((str(fold), {side: np.array(rows, dtype=np.int64) for side, rows in sides.items()}))
    return result


GROOVE = Protocol(
    name="groove",
    summary="Groove MIDI Dataset, published split, 4/4: errors of timing and velocity per hit",
    dataset="groove-midi",
    folds=official_split,
    headline="timing_mae_ms",
    arms=ARMS,
)
GROOVE_BY_DRUMMER = Protocol(
    name="groove-by-drummer",
    summary="Groove MIDI Dataset, five folds over drummers, 4/4: drummers it never heard",
    dataset="groove-midi",
    folds=drummer_folds,
    headline="timing_mae_ms",
    arms=ARMS,
)

PROTOCOLS = {protocol.name: protocol for protocol in (GROOVE, GROOVE_BY_DRUMMER)}
"""By the name that `--protocol` takes."""
