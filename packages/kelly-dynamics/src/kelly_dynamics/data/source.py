"""Notes as training examples: runs of neighbouring notes, a whole batch at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kelly_dynamics.targets import OUTPUTS

_N = len(OUTPUTS)


@dataclass(frozen=True)
class NoteSource:
    """One side of a split; satisfies `kelly_core.task.Source`.

    An example is a run of `window` notes. Without randomness runs lie end to end; with it each is shifted, or
    with `drawn` found by chance: first a piece, then one of its performances, then a place in it. Famous pieces
    have dozens of performances, so taking every note alike would teach a few pieces by heart.

    Attributes:
        tables: per performance (notes, columns), as `features.table.make_table` makes them.
        n_inputs: leading columns that the network sees.
        window: notes of a run.
        drawn: runs of an epoch that are found by chance; 0: every run of every performance once.
        groups: (performances,) pieces.
        paths: files, for reports.
        extra: further columns, each (performances,).
    """

    tables: Sequence[NDArray[np.float32]]
    n_inputs: int
    window: int
    drawn: int
    groups: NDArray[np.str_]
    paths: Sequence[str]
    extra: Mapping[str, NDArray[np.str_]] = field(default_factory=dict)

    def __len__(self) -> int:
        return self.drawn or len(self._starts)

    @cached_property
    def lengths(self) -> NDArray[np.int64]:
        """(performances,) notes of each."""
        return np.array([len(table) for table in self.tables], dtype=np.int64)

    @cached_property
    def inputs(self) -> NDArray[np.float32]:
        """(all notes, n_inputs) of all performances, end to end."""
        return np.concatenate([table[:, : self.n_inputs] for table in self.tables])

    @cached_property
    def answers(self) -> NDArray[np.float32]:
        """(all notes, 2 * outputs): targets, then their weights."""
        return np.concatenate([table[:, -2 * _N :] for table in self.tables])

    @cached_property
    def offsets(self) -> NDArray[np.int64]:
        """(performances + 1,) where each begins in the whole, and the end."""
        return np.concatenate(([0], np.cumsum(self.lengths))).astype(np.int64)

    @cached_property
    def _starts(self) -> NDArray[np.int64]:
        """First note of each run, in the whole."""
        runs = [
            np.arange(first, last, self.window)
            for first, last in zip(self.offsets, self.offsets[1:], strict=False)
        ]
        return np.concatenate(runs).astype(np.int64)

    @cached_property
    def _bounds(self) -> NDArray[np.int64]:
        """(runs, 2): first and last note, exclusive, of the performance of each run."""
        owner = np.searchsorted(self.offsets, self._starts, side="right") - 1
        return np.stack([self.offsets[owner], self.offsets[owner + 1]], axis=1)

    @cached_property
    def _chances(self) -> NDArray[np.float64]:
        """(performances,) chance that a draw falls on this one or an earlier one.

        A piece's is as the square root of its length; its performances share it equally.
        """
        _, piece, count = np.unique(self.groups, return_inverse=True, return_counts=True)
        share = np.sqrt(self.lengths) / count[piece]
        return np.cumsum(share) / share.sum()

    def draw(
        self, count: int, rng: np.random.Generator, window: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """First notes of runs found by chance, (count,), and (count, 2) bounds of their performances."""
        owner = np.minimum(np.searchsorted(self._chances, rng.random(count)), len(self.lengths) - 1)
        bounds = np.stack([self.offsets[owner], self.offsets[owner + 1]], axis=1)
        places = np.maximum(self.lengths[owner] - window, 0) + 1
        return bounds[:, 0] + (rng.random(count) * places).astype(np.int64), bounds

    def fetch(self, indices: NDArray[np.int64], rng: np.random.Generator | None) -> dict[str, Tensor]:
        """Runs of notes.

        Returns:
            `context`: (batch, window, n_inputs); `target` and `weight`: (batch, window, outputs), weight 0
            beyond the end of a performance.
        """
        if rng is not None and self.drawn:
            starts, bounds = self.draw(len(indices), rng, self.window)
        else:
            indices = indices % len(self._starts)
            starts, bounds = self._starts[indices], self._bounds[indices]
        if rng is not None and self.window > 1 and not self.drawn:
            starts = starts + rng.integers(-self.window // 2, self.window // 2 + 1, len(starts))
            starts = np.clip(starts, bounds[:, 0], np.maximum(bounds[:, 1] - self.window, bounds[:, 0]))
        places = starts[:, None] + np.arange(self.window)
        inside = places < bounds[:, 1:]
        places = np.minimum(places, bounds[:, 1:] - 1)
        answers = self.answers[places]
        inputs = self.inputs[places]
        if not inside.all():
            inputs[~inside] = 0.0
            answers[~inside, _N:] = 0.0
        return {
            "context": torch.from_numpy(inputs),
            "target": torch.from_numpy(np.ascontiguousarray(answers[..., :_N])),
            "weight": torch.from_numpy(np.ascontiguousarray(answers[..., _N:])),
        }
