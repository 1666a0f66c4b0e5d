"""Performances as training examples: one per drum and step that is hit, gathered a batch at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kelly_groove.config import RECENT
from kelly_groove.grid import N_DRUMS, REACH, WINDOW, Performance
from kelly_groove.model import pasts, recent_of
from kelly_groove.styles import FAMILIES, UNKNOWN, family_index, style_index

FEEL_SHARE = 0.4
"""How often examples of the latest and earliest quarter of the performances are called laid back or pushed."""

Rows = NDArray[np.int64]
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class GrooveSource:
    """One side of a split; satisfies `kelly_core.task.Source`.

    Attributes:
        performances: Drum parts.
        paths: Their files.
        groups: Drummer's sessions.
        span: With input live, steps of the past that are compared; 0 for input score.
        hide: How often a training example isn't told its style, and how often its family.
        extra: Further columns, each (performances,).
    """

    performances: Sequence[Performance]
    paths: Sequence[str]
    groups: NDArray[np.str_]
    span: int = 0
    hide: float = 0.0
    extra: Mapping[str, NDArray[np.str_]] = field(default_factory=dict)

    def __len__(self) -> int:
        return int(self.edges[-1])

    @cached_property
    def places(self) -> list[tuple[Rows, Rows]]:
        """Per performance, step and drum of its examples."""
        return [np.nonzero(p.mask) for p in self.performances]

    @cached_property
    def edges(self) -> Rows:
        """(performances + 1,): the first example of each performance, and how many there are."""
        return np.cumsum([0, *(len(step) for step, _ in self.places)])

    @cached_property
    def columns(self) -> dict[str, NDArray[np.generic]]:
        """Per example: performance, drum, `at` (its row in `score`), context, and of `Performance.cells`."""
        lengths = [len(p.steps) + 2 * REACH for p in self.performances]
        starts = np.cumsum([0, *lengths])[:-1]
        each = list(zip(self.performances, self.places, strict=True))
        return {
            "performance": np.repeat(np.arange(len(each)), np.diff(self.edges)),
            "drum": np.concatenate([drum for _, (_, drum) in each]),
            "at": np.concatenate([step + start for (_, (step, _)), start in zip(each, starts, strict=True)]),
            "context": np.concatenate([p.context()[step] for p, (step, _) in each]),
            "cell": np.concatenate([p.cells()[where] for p, where in each]),
        }

    @cached_property
    def score(self) -> Floats:
        """All performances' masks one after the other, each with `REACH` silent steps on either side."""
        return np.concatenate([np.pad(p.mask, ((REACH, REACH), (0, 0))) for p in self.performances])

    @cached_property
    def played(self) -> Floats:
        """(rows of `score`, drums, 3): what was played there."""
        return np.concatenate([np.pad(p.played(), ((REACH, REACH), (0, 0), (0, 0))) for p in self.performances])

    @cached_property
    def recent(self) -> Floats:
        """(rows of `score`, numbers): what was played at the steps before."""
        return recent_of(torch.from_numpy(self.played)[None], 1)[0].numpy()

    @cached_property
    def past(self) -> Floats:
        """(examples, PAST): what the drummer did so far with this drum."""
        return np.concatenate(pasts(self.performances, self.span))

    @cached_property
    def controls(self) -> Rows:
        """(performances, 2): style and family index."""
        return np.array([(style_index(p.style), family_index(p.style)) for p in self.performances])

    @cached_property
    def feel(self) -> Rows:
        """(performances,) family index of how they lie: laid back, pushed, or `UNKNOWN` for the middle half."""
        lateness = np.array([float(np.median(p.hits["offset"])) for p in self.performances])
        early, late = np.percentile(lateness, [25, 75])
        result = np.full(len(lateness), UNKNOWN)
        result[lateness > late] = FAMILIES.index("laid_back") + 1
        result[lateness < early] = FAMILIES.index("pushed") + 1
        return result

    def fetch(self, indices: Rows, rng: np.random.Generator | None) -> dict[str, Tensor]:
        """Examples; with `rng` the style is at times hidden.

        Returns:
            `window`: (batch, WINDOW, drums); `context`: (batch, CONTEXT); `style`, `family`: (batch,) int64;
            `drum`: (batch, 1, drums + past); `cells`: (batch, 1, 4) as `Performance.cells`; with a span also
            `recent`: (batch, numbers).
        """
        rows = {name: column[indices] for name, column in self.columns.items()}
        performance, at = rows["performance"].astype(np.int64), rows["at"].astype(np.int64)
        controls = self._told(performance, rng)
        drum = np.eye(N_DRUMS, dtype=np.float32)[rows["drum"].astype(np.int64)]
        found = {
            "window": self.score[at[:, None] + np.arange(WINDOW)],
            "context": rows["context"],
            "style": controls[:, 0],
            "family": controls[:, 1],
            "cells": rows["cell"][:, None],
        }
        if self.span:
            drum = np.concatenate([drum, self.past[indices]], axis=1)
            # a row of `recent` tells of the step before it, and windows begin REACH rows before their step
            before = at[:, None] + REACH - np.arange(RECENT)
            found["recent"] = self.recent[before].reshape(len(at), -1)
        found["drum"] = drum[:, None]
        return {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in found.items()}

    def _told(self, performance: Rows, rng: np.random.Generator | None) -> Rows:
        """(batch, 2): style and family index as examples are told."""
        controls = self.controls[performance]
        if rng is not None:
            told = rng.random((len(performance), 3))
            feel = self.feel[performance]
            by_feel = (told[:, 2] < FEEL_SHARE) & (feel != UNKNOWN)
            controls[by_feel, 1] = feel[by_feel]
            controls[told[:, 0] < self.hide, 0] = UNKNOWN
            controls[told[:, 1] < self.hide, 1] = UNKNOWN
        return controls
