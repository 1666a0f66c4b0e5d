"""Windows as training examples, and clips as what is measured."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kelly_core.sound.store import MelStore
from kelly_core.sound.windows import training_bounds


@dataclass(frozen=True)
class WindowSource:
    """One side of a split; satisfies `kelly_core.task.Source`. Its examples are windows.

    Attributes:
        store: log-mels of the clips.
        window: frames of a window.
        targets: (clips,) class indices; -1 where there are no classes to learn from.
        groups: (clips,) what stays together.
        paths: (clips,) files.
        classes: names of the classes; empty without labels.
        known: the training side, for the test side of a labelled set: what a probe learns from.
    """

    store: MelStore
    window: int
    targets: NDArray[np.int64]
    groups: NDArray[np.str_]
    paths: Sequence[str]
    classes: Sequence[str] = ()
    known: WindowSource | None = None

    @property
    def hop(self) -> int:
        """Frames between two windows of a clip."""
        return self.window // 2

    @cached_property
    def grid(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(windows,) the clip of each window, and (windows,) its first frame."""
        return self.store.grid(self.window, self.hop)

    def __len__(self) -> int:
        return len(self.grid[0])

    def fetch(self, indices: NDArray[np.int64], rng: np.random.Generator | None) -> dict[str, Tensor]:
        """Windows, moved by up to half a hop with `rng`.

        Returns:
            `mel`: (batch, 1, n_mels, window), dB.
        """
        owners, starts = self.grid
        clips, first = owners[indices], starts[indices]
        if rng is not None:
            bounds = np.array([training_bounds(self.store.regions[clip], self.window) for clip in clips])
            reach = self.hop // 2
            moved = first + rng.integers(-reach, reach + 1, size=len(first))
            first = np.clip(moved, bounds[:, 0], bounds[:, 1])
        return {"mel": torch.from_numpy(self.store.windows(clips, first, self.window))}

    def batches(self, size: int) -> Iterator[tuple[NDArray[np.float32], NDArray[np.int64]]]:
        """All windows, (batch, 1, n_mels, window) dB, with the clip each belongs to, (batch,)."""
        owners, starts = self.grid
        for at in range(0, len(owners), size):
            part = slice(at, at + size)
            yield self.store.windows(owners[part], starts[part], self.window), owners[part]

    def spread(self, most: int) -> NDArray[np.float32]:
        """At most so many windows, evenly over the source: (windows, 1, n_mels, window), dB."""
        owners, starts = self.grid
        chosen = np.unique(np.linspace(0, len(owners) - 1, min(most, len(owners))).astype(np.int64))
        return self.store.windows(owners[chosen], starts[chosen], self.window)
