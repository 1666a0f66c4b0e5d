"""Performances as training examples: crops of whole steps, cut a batch at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kelly_groove.grid import CONTEXT, N_DRUMS, REACH, WINDOW, Performance, played_of
from kelly_groove.styles import FAMILIES, UNKNOWN, family_index, style_index

FEEL_SHARE = 0.4
"""How often the latest and earliest quarter of the training performances are called laid back or pushed."""


@dataclass(frozen=True)
class GrooveSource:
    """One side of a split; satisfies `kelly_core.task.Source`.

    Attributes:
        performances: Drum parts.
        paths: Their files.
        groups: Drummer's sessions.
        crop: Steps of an example.
        hide: How often a training example isn't told its style, and how often its family.
        gain: Largest change of all velocities of a training example, share.
        extra: Further columns, each (performances,).
    """

    performances: Sequence[Performance]
    paths: Sequence[str]
    groups: NDArray[np.str_]
    crop: int
    hide: float = 0.0
    gain: float = 0.0
    extra: Mapping[str, NDArray[np.str_]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.crops)

    @cached_property
    def crops(self) -> NDArray[np.int64]:
        """(examples, 2): performance and first step. Long performances give one per `crop` steps."""
        return np.array(
            [
                (index, start)
                for index, performance in enumerate(self.performances)
                for start in range(0, len(performance.steps), self.crop)
            ],
            dtype=np.int64,
        ).reshape(-1, 2)

    @cached_property
    def controls(self) -> NDArray[np.int64]:
        """(performances, 2): style and family index."""
        return np.array([(style_index(p.style), family_index(p.style)) for p in self.performances])

    @cached_property
    def feel(self) -> NDArray[np.int64]:
        """(performances,) family index of how they lie: laid back, pushed, or `UNKNOWN` for the middle half."""
        lateness = np.array([float(np.median(p.hits["offset"])) for p in self.performances])
        early, late = np.percentile(lateness, [25, 75])
        result = np.full(len(lateness), UNKNOWN)
        result[lateness > late] = FAMILIES.index("laid_back") + 1
        result[lateness < early] = FAMILIES.index("pushed") + 1
        return result

    @cached_property
    def arrays(self) -> list[tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]]:
        """Per performance its mask with `REACH` silent steps around it, context and cells."""
        return [(np.pad(p.mask, ((REACH, REACH), (0, 0))), p.context(), p.cells()) for p in self.performances]

    def fetch(self, indices: NDArray[np.int64], rng: np.random.Generator | None) -> dict[str, Tensor]:
        """Crops as sequences; with `rng` at random places, in random loudness, the style at times hidden.

        Returns:
            `window`: (batch, steps, WINDOW, drums); `context`: (batch, steps, CONTEXT); `style`, `family`:
            (batch, steps) int64; `cells`: (batch, steps, drums, 4) as `Performance.cells`, zeros where a
            performance has ended; `played`: (batch, steps, drums, 3) as `Performance.played`.
        """
        chosen = self.crops[indices]
        lengths = [len(self.performances[index].steps) for index, _ in chosen]
        steps = min(self.crop, max(lengths))
        batch = len(chosen)
        window = np.zeros((batch, steps, WINDOW, N_DRUMS), dtype=np.float32)
        context = np.zeros((batch, steps, CONTEXT), dtype=np.float32)
        cells = np.zeros((batch, steps, N_DRUMS, 4), dtype=np.float32)
        for row, ((index, start), length) in enumerate(zip(chosen, lengths, strict=True)):
            if rng is not None and length > steps:
                start = int(rng.integers(0, length - steps + 1))  # noqa: PLW2901 - the crop's place is redrawn
            stop = min(start + steps, length)
            mask, told, played = self.arrays[index]
            view = np.lib.stride_tricks.sliding_window_view(mask[start : stop + 2 * REACH], WINDOW, axis=0)
            window[row, : stop - start] = view.transpose(0, 2, 1)
            context[row, : stop - start] = told[start:stop]
            cells[row, : stop - start] = played[start:stop]
        controls = self.controls[chosen[:, 0]].copy()
        if rng is not None:
            self._vary(chosen[:, 0], controls, context, cells, rng)
        shape = (batch, steps)
        return {
            "window": torch.from_numpy(window),
            "context": torch.from_numpy(context),
            "style": torch.from_numpy(controls[:, :1]).expand(shape),
            "family": torch.from_numpy(controls[:, 1:]).expand(shape),
            "cells": torch.from_numpy(cells),
            "played": torch.from_numpy(played_of(cells)),
        }

    def _vary(
        self,
        performances: NDArray[np.int64],
        controls: NDArray[np.int64],
        context: NDArray[np.float32],
        cells: NDArray[np.float32],
        rng: np.random.Generator,
    ) -> None:
        """Change a training batch in place: tempo, loudness of all drums, what is told of the style."""
        batch = len(performances)
        told = rng.random((batch, 3))
        feel = self.feel[performances]
        by_feel = (told[:, 2] < FEEL_SHARE) & (feel != UNKNOWN)
        controls[by_feel, 1] = feel[by_feel]
        controls[told[:, 0] < self.hide, 0] = UNKNOWN
        controls[told[:, 1] < self.hide, 1] = UNKNOWN
        context[..., -1] += rng.normal(0.0, 0.03, (batch, 1))
        gain = 1.0 + self.gain * rng.uniform(-1.0, 1.0, (batch, 1, 1))
        cells[..., 2] = np.where(cells[..., 0] > 0, np.clip(cells[..., 2] * gain, 1.0, 127.0), 0.0)
