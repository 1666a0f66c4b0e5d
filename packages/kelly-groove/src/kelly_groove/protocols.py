"""Declared protocols: how GroovePredictor is measured on public sets."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from kelly_core.data import Dataset
from kelly_core.evaluate import Protocol


def official_split(dataset: Dataset, seed: int) -> Sequence[tuple[str, dict[str, NDArray[np.int64]]]]:  # noqa: ARG001
    """The published split; validation and test are the performances in 4/4, training takes every metre."""
    sides: dict[str, list[int]] = {"train": [], "validation": [], "test": []}
    for index, item in enumerate(dataset.items):
        if item.split == "train" or item.extra.get("metre", "4/4") == "4/4":
            sides[str(item.split)].append(index)
    return [("official", {side: np.array(indices, dtype=np.int64) for side, indices in sides.items()})]


GROOVE = Protocol(
    name="groove",
    summary="Groove MIDI Dataset, published split, 4/4: errors of timing and velocity per hit",
    dataset="groove-midi",
    folds=official_split,
    headline="timing_mae_ms",
    arms={"score": {"input": "score"}, "live": {"input": "live"}},
)

PROTOCOLS = {GROOVE.name: GROOVE}
"""By the name that `--protocol` takes."""
