"""Host steps in NumPy: what is done with frames before the first layer of a chain and behind the last."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from kelly_core.contract import Votes

if TYPE_CHECKING:
    from kelly_core.contract import HostStep, Turn

Floats = NDArray[np.float32]
Parts = dict[str, Floats]
"""Parts of frames by name: (batch, frames, size) each."""


def apply(step: HostStep, parts: Parts, taken: Mapping[str, Floats], sizes: Sequence[int]) -> None:
    """Do a step.

    Args:
        step: What to do.
        parts: Parts of the frame that it changes.
        taken: Parts of the frame that goes in.
        sizes: Of a vote's output, without batch and frames.
    """
    if isinstance(step, Votes):
        output = parts[step.output]
        votes = _votes(step, parts[step.weights], taken[step.rows], sizes)
        parts[step.output] = (output.reshape(*output.shape[:2], *sizes) + votes).reshape(output.shape)
    else:
        parts[step.part] = _turned(step, parts[step.part], taken[step.by])


def _votes(step: Votes, weights: Floats, rows: Floats, sizes: Sequence[int]) -> Floats:
    """What a step adds to an output of these sizes: (batch, frames, ...), 1 where an axis has no column."""
    table = rows.reshape(*weights.shape, -1)
    letters, shape, operands, inner = "", [], [weights], "ij"[: len(step.columns)]
    for letter, column, size in zip(inner, step.columns, sizes, strict=True):
        shape.append(1 if column is None else size)
        if column is not None:
            letters += letter
            operands.append(table[..., column : column + size])
    terms = ",".join(["bts", *(f"bts{letter}" for letter in letters)])
    added = np.einsum(f"{terms}->bt{letters}", *operands)
    return np.asarray(added.reshape(*weights.shape[:2], *shape), np.float32)


def _turned(step: Turn, part: Floats, by: Floats) -> Floats:
    size = step.groups * step.cycle * step.inner
    shift = by.argmax(axis=-1)[..., None] // step.per
    places = (np.arange(step.cycle) + (-shift if step.back else shift)) % step.cycle  # (batch, frames, cycle)
    round_ = part[..., :size].reshape(*part.shape[:2], step.groups, step.cycle, step.inner)
    turned = np.take_along_axis(round_, places[:, :, None, :, None], axis=3)
    return np.concatenate([turned.reshape(*part.shape[:2], size), part[..., size:]], axis=-1)
