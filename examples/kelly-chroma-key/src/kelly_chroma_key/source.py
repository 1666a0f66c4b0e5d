"""Tunes in memory, and batches of crops of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from kelly_core.data import Item
from numpy.typing import NDArray

from kelly_chroma_key.chroma import INPUTS, UNKNOWN, Tune
from kelly_chroma_key.keys import transposed

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Tunes:
    """One side of the split.

    Attributes:
        tunes: What was read.
        items: Their files.
        crop: Beats of an example at most.
        transpose: Whether random crops are moved to a random key.
    """

    tunes: Sequence[Tune]
    items: Sequence[Item]
    crop: int
    transpose: bool = True

    def __len__(self) -> int:
        return len(self.tunes)

    def fetch(self, indices: NDArray[np.int64], rng: np.random.Generator | None) -> dict[str, Tensor]:
        """`frames` (batch, beats, INPUTS) and `keys` (batch, beats); with `rng` from anywhere and in any key.

        Shorter tunes end in silence whose key is unknown.
        """
        import torch

        chosen = [self.tunes[int(index)] for index in indices]
        beats = min(self.crop, max(len(tune.keys) for tune in chosen))
        frames = np.zeros((len(chosen), beats, INPUTS), np.float32)
        keys = np.full((len(chosen), beats), UNKNOWN, np.int64)
        for row, tune in enumerate(chosen):
            late = max(0, len(tune.keys) - beats)
            start = 0 if rng is None else int(rng.integers(late + 1))
            part, written = tune.frames[start : start + beats], tune.keys[start : start + beats]
            if rng is not None and self.transpose:
                semitones = int(rng.integers(12))
                part = np.roll(part.reshape(-1, 2, 12), semitones, axis=2).reshape(-1, INPUTS)
                written = transposed(written, semitones)
            frames[row, : len(part)], keys[row, : len(part)] = part, written
        return {"frames": torch.from_numpy(frames), "keys": torch.from_numpy(keys)}
