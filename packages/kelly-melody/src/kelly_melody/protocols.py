"""Declared protocols: how MelodyTransformer is measured on public sets."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from kelly_core.data import Dataset
from kelly_core.evaluate import Protocol
from kelly_melody.polymusic.protocols import PROTOCOLS as POLYMUSIC


def by_tune(dataset: Dataset, seed: int) -> Sequence[tuple[str, dict[str, NDArray[np.int64]]]]:  # noqa: ARG001
    """One split by tune, a tenth each to choose by and to test on; the same for every seed of training."""
    from kelly_core.config import SplitConfig
    from kelly_core.data.splits import split_items

    return [("by tune", split_items(dataset.items, SplitConfig(by="group", seed=0)))]


NOTTINGHAM = Protocol(
    name="nottingham",
    summary="Nottingham Music Database, split by tune: nats per token of pitch and duration",
    dataset="nottingham",
    folds=by_tune,
    headline="nats",
    arms={kind: {"architecture_type": kind} for kind in ("transformer", "lstm", "frames")},
)

PROTOCOLS = {NOTTINGHAM.name: NOTTINGHAM, **POLYMUSIC}
"""By the name that `--protocol` takes."""
