"""Which examples make up which step: a function of seed and epoch alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class BatchOrder:
    """Shuffled batches of a training set, the same on every process and after every resume.

    Args:
        length: Number of examples.
        batch_size: Examples per step over all processes.
        seed: Seed of the shuffle.

    The last batch of an epoch is dropped when it isn't full, unless it is the only one: a batch of
    two or three would upset batch norm statistics and gradient scale.
    """

    length: int
    batch_size: int
    seed: int

    @property
    def steps(self) -> int:
        """Steps per epoch, at least one."""
        return max(1, self.length // self.batch_size)

    def batches(self, epoch: int, first: int = 0) -> Iterator[NDArray[np.int64]]:
        """Yield (batch,) indices for each step of an epoch, from step `first` on."""
        order = np.random.default_rng([self.seed, epoch]).permutation(self.length)
        for step in range(first, self.steps):
            yield order[step * self.batch_size : (step + 1) * self.batch_size]


def share(indices: NDArray[np.int64], rank: int, world: int) -> NDArray[np.int64]:
    """The part of a global batch that one process computes; together the parts are the batch."""
    return indices[rank::world]
