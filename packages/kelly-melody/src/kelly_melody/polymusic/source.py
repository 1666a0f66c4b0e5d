"""Pieces as training examples: runs of frames with what the memory says after each, a batch at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kelly_melody.polymusic.memory import KEYS, remembered
from kelly_melody.polymusic.metrics import novel_frames

AT_ONCE = 4096
"""Frames of a batch of whole pieces, padding included."""


@dataclass(frozen=True)
class RollSource:
    """One side of a split; satisfies `kelly_core.task.Source`.

    An example is a run of up to `crop` frames: a whole piece, or one of several runs that together cover it,
    `warm` frames of each but the first being there for the network's state alone.

    Attributes:
        rolls: per piece (frames, 88), 1 where a key sounds.
        names: of the pieces.
        candidates: continuations of the memory.
        crop: longest run, frames.
        warm: frames of a run from inside a piece that don't count; at least two less than `crop`.
    """

    rolls: Sequence[NDArray[np.uint8]]
    names: Sequence[str]
    candidates: int
    crop: int
    warm: int

    def __len__(self) -> int:
        return len(self._runs)

    @cached_property
    def memory(self) -> list[tuple[NDArray[np.uint8], NDArray[np.int64]]]:
        """Per piece what the memory says after each frame: (frames, candidates, 88), (frames, candidates)."""
        return [remembered(roll, self.candidates) for roll in self.rolls]

    @cached_property
    def novel(self) -> list[NDArray[np.bool_]]:
        """Per piece (frames,), whether what follows each frame is novel."""
        known = self.memory if self.candidates else [remembered(roll, 1) for roll in self.rolls]
        return [novel_frames(buckets) for _, buckets in known]

    @cached_property
    def _runs(self) -> list[tuple[int, int]]:
        """Piece and first frame of each run."""
        stride = self.crop - self.warm - 1
        return [
            (piece, start)
            for piece, roll in enumerate(self.rolls)
            for start in (range(0, len(roll) - self.warm - 1, stride) if len(roll) > self.crop else (0,))
        ]

    def fetch(self, indices: NDArray[np.int64], rng: np.random.Generator | None) -> dict[str, Tensor]:
        """Runs of frames, each followed by zeros up to the longest of them.

        Returns:
            `roll`: (batch, frames, 88); `continuations`: (batch, frames, candidates, 88); `buckets`: (batch,
            frames, candidates) int64; `weight`: (batch, frames - 1), 1 where the frame after this one counts.
        """
        return self._batch([self._span(int(index), rng) for index in indices])

    def whole(self, pieces: Sequence[int]) -> dict[str, Tensor]:
        """Whole pieces; names and shapes as in `fetch`."""
        return self._batch([(piece, 0, len(self.rolls[piece])) for piece in pieces])

    def by_length(self, batch_size: int) -> Iterator[list[int]]:
        """Every piece once, in batches of about equally long ones, together `AT_ONCE` frames or one piece."""
        waiting: list[int] = []
        for piece in sorted(range(len(self.rolls)), key=lambda piece: len(self.rolls[piece])):
            full = len(self.rolls[piece]) * (len(waiting) + 1) > AT_ONCE or len(waiting) == batch_size
            if waiting and full:
                yield waiting
                waiting = []
            waiting.append(piece)
        yield waiting

    def _batch(self, spans: Sequence[tuple[int, int, int]]) -> dict[str, Tensor]:
        frames = max(last - first for _, first, last in spans)
        batch = len(spans)
        roll = np.zeros((batch, frames, KEYS), np.float32)
        continuations = np.zeros((batch, frames, self.candidates, KEYS), np.float32)
        buckets = np.zeros((batch, frames, self.candidates), np.int64)
        weight = np.zeros((batch, frames - 1), np.float32)
        for row, (piece, first, last) in enumerate(spans):
            length = last - first
            heard, matched = self.memory[piece]
            roll[row, :length] = self.rolls[piece][first:last]
            continuations[row, :length], buckets[row, :length] = heard[first:last], matched[first:last]
            weight[row, (self.warm if first else 0) : length - 1] = 1.0
        arrays = {"roll": roll, "continuations": continuations, "buckets": buckets, "weight": weight}
        return {name: torch.from_numpy(array) for name, array in arrays.items()}

    def _span(self, index: int, rng: np.random.Generator | None) -> tuple[int, int, int]:
        """Piece, first and last frame, exclusive, of a run; with randomness it is shifted."""
        piece, start = self._runs[index]
        length = len(self.rolls[piece])
        if rng is not None and length > self.crop:
            half = (self.crop - self.warm) // 2
            start += int(rng.integers(-half, half + 1))
        start = min(max(start, 0), max(0, length - self.crop))
        return piece, start, min(length, start + self.crop)
