"""Tunes as training examples, fetched a batch at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kelly_harmony.chords import UNKNOWN, reduced
from kelly_harmony.lead import MELODY, METRE, Lead


@dataclass(frozen=True)
class HarmonySource:
    """One side of a split; satisfies `kelly_core.task.Source`.

    Attributes:
        leads: Tunes.
        paths: Their files.
        groups: What a bootstrap resamples: songs.
        crop: Longest example, beats.
        extra: Further columns, each (tunes,).
    """

    leads: Sequence[Lead]
    paths: Sequence[str]
    groups: NDArray[np.str_]
    crop: int
    extra: Mapping[str, NDArray[np.str_]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.leads)

    def fetch(self, indices: NDArray[np.int64], rng: np.random.Generator | None) -> dict[str, Tensor]:
        """Tunes as sequences; those longer than `crop` begin at a random beat, without `rng` at their first.

        Returns:
            `melody`: (batch, beats, MELODY); `metre`: (batch, beats, METRE); `key`: (batch, beats) int64;
            `chords`: (batch, beats) int64, `classes`: the same among the 25, -1 where nothing counts. Zeros and
            -1 behind the end of a tune.
        """
        chosen = [self.leads[index] for index in indices]
        beats = min(self.crop, max(len(lead) for lead in chosen))
        batch = len(chosen)
        melody = np.zeros((batch, beats, MELODY), np.float32)
        metre = np.zeros((batch, beats, METRE), np.float32)
        key = np.zeros((batch, beats), np.int64)
        chords = np.full((batch, beats), UNKNOWN, np.int64)
        for row, lead in enumerate(chosen):
            start = 0
            if rng is not None and len(lead) > beats:
                start = int(rng.integers(0, len(lead) - beats + 1))
            stop = min(start + beats, len(lead))
            count = stop - start
            melody[row, :count] = lead.melody[start:stop]
            metre[row, :count] = lead.metre[start:stop]
            key[row, :count] = lead.key[start:stop]
            chords[row, :count] = lead.chords[start:stop]
        arrays = {"melody": melody, "metre": metre, "key": key, "chords": chords, "classes": reduced(chords)}
        return {name: torch.from_numpy(array) for name, array in arrays.items()}
