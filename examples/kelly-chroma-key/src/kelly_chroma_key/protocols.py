"""Declared protocols: how chroma-key is measured on public sets."""

from __future__ import annotations

from collections.abc import Sequence

from kelly_core.config import SplitConfig
from kelly_core.data import Dataset
from kelly_core.data.splits import split_items
from kelly_core.evaluate import Protocol
from kelly_core.task import Split


def one_split(dataset: Dataset, seed: int) -> Sequence[tuple[str, Split]]:
    """Tunes by hash, a tenth each for validation and test; the same for every seed."""
    return [("test", split_items(dataset.items, SplitConfig(by="group", validation=0.1, test=0.1, seed=0)))]


NOTTINGHAM = Protocol(
    name="nottingham-keys",
    summary="key signatures of the Nottingham tunes, tunes by hash: 80/10/10",
    dataset="midi-key-signatures",
    folds=one_split,
    headline="accuracy",
    arms={"gru": {}},
)
POP909 = Protocol(
    name="pop909-keys",
    summary="keys estimated from POP909's recordings, songs by hash: 80/10/10",
    dataset="pop909-keys",
    folds=one_split,
    headline="accuracy",
    arms={"gru": {}},
)
PROTOCOLS = {protocol.name: protocol for protocol in (NOTTINGHAM, POP909)}
"""By the name that `--protocol` takes."""
