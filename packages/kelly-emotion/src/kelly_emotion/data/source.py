"""Clips as training examples: log-mels end to end in memory, windows cut a whole batch at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kelly_core.sound.store import MelStore
from kelly_core.sound.windows import training_bounds


@dataclass(frozen=True)
class ClipSource:
    """One side of a split; satisfies `kelly_core.task.Source`.

    Attributes:
        stores: log-mels by speed; 1.0 is the recording itself.
        targets: (clips,) class indices.
        weights: (clips,) weight of each clip in the loss, mean 1.
        groups: (clips,) speakers.
        paths: files, for reports.
        window: frames of a window.
        reach: frames fetched for training; more than `window` leaves room for time stretch.
        extra: further columns, each (clips,).
    """

    stores: Mapping[float, MelStore]
    targets: NDArray[np.int64]
    weights: NDArray[np.float32]
    groups: NDArray[np.str_]
    paths: Sequence[str]
    window: int
    reach: int
    extra: Mapping[str, NDArray[np.str_]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.targets)

    @property
    def store(self) -> MelStore:
        """The recordings at their own speed."""
        return self.stores[1.0]

    def fetch(self, indices: NDArray[np.int64], rng: np.random.Generator | None) -> dict[str, Tensor]:
        """One window per clip: random in position and speed with `rng`, else the centred one.

        Returns:
            `mel`: (batch, 1, n_mels, reach or window), dB; `target`: (batch,) int64; `weight`: (batch,).
        """
        store, size = self.store, self.window
        if rng is not None and len(self.stores) > 1:
            store = self.stores[list(self.stores)[int(rng.integers(len(self.stores)))]]
        regions = [store.regions[index] for index in indices]
        if rng is None:
            starts = np.array([(start + stop - size) // 2 for start, stop in regions])
        else:
            bounds = np.array([training_bounds(region, self.window) for region in regions])
            size = self.reach
            starts = rng.integers(bounds[:, 0], bounds[:, 1] + 1) - (self.reach - self.window) // 2
        mel = store.windows(indices, starts, size)
        return {
            "mel": torch.from_numpy(mel),
            "target": torch.from_numpy(self.targets[indices]),
            "weight": torch.from_numpy(self.weights[indices]),
        }

    def evaluation_batches(
        self, batch_size: int, hop: int
    ) -> Iterator[tuple[NDArray[np.float32], NDArray[np.int64]]]:
        """All windows of all clips with the clip each belongs to, `batch_size` windows at a time."""
        owners, starts = self.store.grid(self.window, hop)
        for at in range(0, len(owners), batch_size):
            part = slice(at, at + batch_size)
            yield self.store.windows(owners[part], starts[part], self.window), owners[part]
