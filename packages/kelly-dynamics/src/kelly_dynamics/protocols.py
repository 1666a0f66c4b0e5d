"""Declared protocols: how DynamicsEngine is measured on (n)ASAP."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from kelly_core.config import SplitConfig
from kelly_core.data import Dataset
from kelly_core.data.splits import group_position, split_items
from kelly_core.evaluate import Protocol

FOLDS = 5
VALIDATION_SHARE = 0.12
ARMS = {name: {"input": name} for name in ("notes", "markings", "causal")}


def one_split(dataset: Dataset, seed: int) -> Sequence[tuple[str, dict[str, NDArray[np.int64]]]]:  # noqa: ARG001
    """Pieces by hash, a tenth each for validation and test; the same for every seed."""
    return [("test", split_items(dataset.items, SplitConfig(by="group", validation=0.1, test=0.1, seed=0)))]


def piece_folds(dataset: Dataset, seed: int) -> Sequence[tuple[str, dict[str, NDArray[np.int64]]]]:
    """Five folds of pieces in the order of their hash; validation pieces follow the seed."""
    pieces = sorted({item.group for item in dataset.items}, key=lambda name: (group_position(name, 0), name))
    fold_of = {piece: at % FOLDS for at, piece in enumerate(pieces)}
    result = []
    for fold in range(FOLDS):
        side_of = {}
        for piece, its_fold in fold_of.items():
            held_out = group_position(piece, seed + 1) < VALIDATION_SHARE
            side_of[piece] = "test" if its_fold == fold else "validation" if held_out else "train"
        if "validation" not in side_of.values():  # few pieces: the nearest one
            side_of[min((p for p in pieces if side_of[p] == "train"), default=pieces[0])] = "validation"
        sides = [side_of[item.group] for item in dataset.items]
        split = {
            name: np.array([at for at, side in enumerate(sides) if side == name], dtype=np.int64)
            for name in ("train", "validation", "test")
        }
        result.append((str(fold), split))
    return result


ASAP = Protocol(
    name="asap",
    summary="(n)ASAP, pieces by hash: 80/10/10, means per performance",
    dataset="asap",
    folds=one_split,
    headline="velocity_mae",
    arms=ARMS,
)
ASAP_5FOLD = Protocol(
    name="asap-5fold",
    summary="(n)ASAP, five folds over pieces, means per performance",
    dataset="asap",
    folds=piece_folds,
    headline="velocity_mae",
    arms=ARMS,
)
PROTOCOLS = {protocol.name: protocol for protocol in (ASAP, ASAP_5FOLD)}
"""By the name that `--protocol` takes."""
