"""The past of every hit of many performances, computed in groups of like length."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from kelly_groove.grid import Performance, windows
from kelly_groove.model.past import PLACES, past_of

MOST_STEPS = 16_384
"""Of a group, so that memory stays small."""


def pasts(performances: Sequence[Performance], span: int) -> list[NDArray[np.float32]]:
    """Per performance (cells, PAST) of `kelly_groove.model.past_of`, for its steps and drums that are hit."""
    found: dict[int, NDArray[np.float32]] = {}
    for group in _groups([len(p.steps) for p in performances]):
        longest = max(len(performances[index].steps) for index in group)
        arrays = [_padded(performances[index], longest) for index in group]
        told = [torch.from_numpy(np.stack(column)) for column in zip(*arrays, strict=True)]
        past = past_of(told[0], told[1], told[2], span).numpy()
        for row, index in enumerate(group):
            found[index] = past[row][np.nonzero(performances[index].mask)]
    return [found[index] for index in range(len(performances))]


def _groups(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Indices of performances that are computed together, the longest first."""
    group: list[int] = []
    for index in np.argsort(lengths)[::-1].tolist():
        if group and lengths[group[0]] * (len(group) + 1) > MOST_STEPS:
            yield group
            group = []
        group.append(index)
    if group:
        yield group


def _padded(performance: Performance, steps: int) -> tuple[NDArray[np.float32], ...]:
    """Window, place and hits of a performance, silent after its end."""
    missing = ((0, steps - len(performance.steps)), (0, 0))
    mask = np.pad(performance.mask, missing)
    place = np.pad(performance.context()[:, :PLACES], missing)
    return windows(mask), place, np.pad(performance.played(), (*missing, (0, 0)))
