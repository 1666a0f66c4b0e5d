"""Melodies as training examples: crops, cut a batch at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kelly_melody.features.inputs import (
    NOTHING_DURATION,
    NOTHING_PITCH,
    PLACE,
    TONIC,
    Told,
    spread_proposals,
    spread_token,
)
from kelly_melody.features.memory import N_SOURCES
from kelly_melody.tokens import END, Melody

PADDED = -2
"""Duration of what lies behind the end of a shorter melody in a batch."""


@dataclass(frozen=True)
class MelodySource:
    """One side of a split; satisfies `kelly_core.task.Source`.

    Attributes:
        melodies: On the grid.
        told: Their inputs.
        paths: Their files.
        groups: Tunes.
        crop: Longest example, in tokens.
        transpose: How often a training example is moved to another key.
        extra: Further columns, each (melodies,).
    """

    melodies: Sequence[Melody]
    told: Sequence[Told]
    paths: Sequence[str]
    groups: NDArray[np.str_]
    crop: int
    transpose: float = 0.0
    extra: Mapping[str, NDArray[np.str_]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.crops)

    @cached_property
    def crops(self) -> NDArray[np.int64]:
        """(examples, 2): melody and first token. Long melodies give one for every begun `crop` tokens."""
        return np.array(
            [(at, start) for at, told in enumerate(self.told) for start in range(0, len(told.last), self.crop)],
            np.int64,
        ).reshape(-1, 2)

    def fetch(self, indices: NDArray[np.int64], rng: np.random.Generator | None) -> dict[str, Tensor]:
        """Crops as sequences; with `rng` at random places.

        Returns:
            `last` (batch, tokens, TOKEN), `place` (batch, tokens, PLACE), `proposals` (batch, tokens, sources,
            PROPOSAL): see `features.inputs`; `pitch`, `duration`: (batch, tokens) int64, what comes; behind the
            end of a melody the duration is `PADDED`.
        """
        chosen = self.crops[indices]
        longest = min(self.crop, max(len(self.told[at].last) for at, _ in chosen))
        batch = len(chosen)
        last = np.full((batch, longest, 2), (NOTHING_PITCH, NOTHING_DURATION))
        place = np.zeros((batch, longest, PLACE), np.float32)
        proposals = np.zeros((batch, longest, N_SOURCES, 3), np.int64)
        target = np.full((batch, longest, 2), (END, PADDED))
        for row, (at, first) in enumerate(chosen):
            told = self.told[at]
            start = first
            if rng is not None and len(told.last) > longest:
                start = int(rng.integers(0, len(told.last) - longest + 1))
            part = slice(start, start + longest)
            count = len(told.last[part])
            last[row, :count], place[row, :count] = told.last[part], told.place[part]
            proposals[row, :count], target[row, :count] = told.proposals[part], told.target[part]
            if rng is not None and rng.random() < self.transpose:
                # Pitches stand relative to the key, so that another key is all that changes.
                by = int(rng.integers(-6, 7))
                place[row, :count, TONIC] = np.roll(place[row, :count, TONIC], by, axis=-1)
        return {
            "last": torch.from_numpy(spread_token(last)),
            "place": torch.from_numpy(place),
            "proposals": torch.from_numpy(spread_proposals(proposals)),
            "pitch": torch.from_numpy(target[..., 0]),
            "duration": torch.from_numpy(target[..., 1]),
        }


def whole(told: Told) -> dict[str, Tensor]:
    """A whole melody, batch 1, named as in `MelodySource.fetch`."""
    return {
        "last": torch.from_numpy(spread_token(told.last))[None],
        "place": torch.from_numpy(told.place)[None],
        "proposals": torch.from_numpy(spread_proposals(told.proposals))[None],
        "pitch": torch.from_numpy(told.target[:, 0])[None],
        "duration": torch.from_numpy(told.target[:, 1])[None],
    }
