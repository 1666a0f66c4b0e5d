"""The steps that a contract leaves to the host, as C++."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from math import prod
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kelly_core.contract import ChainTensor, Contract
    from kelly_core.host_step import HostStep


@dataclass(frozen=True)
class Finish:
    """What is done with a frame behind the last layer.

    Attributes:
        kernels: Functions that the statements call.
        calls: Of `vote`, with the pointers `input` and `frame`: what goes in, and what the layers gave.
        outputs: Numbers at the beginning of `frame` that are the model's outputs afterwards.
    """

    kernels: str
    calls: Sequence[str]
    outputs: int


def finish_of(contract: Contract) -> Finish | None:
    """The steps of a contract; None where it has none."""
    if contract.chain is None or not contract.chain.host:
        return None
    kernels = (files(__package__) / "votes.hpp").read_text(encoding="utf-8")
    outputs = sum(slot.size for slot in contract.chain.finished)
    return Finish(kernels, [_vote(contract, step) for step in contract.chain.host], outputs)


def _vote(contract: Contract, step: HostStep) -> str:
    assert contract.chain is not None
    given, taken = _places(contract.chain.outputs), _places(contract.chain.inputs)
    shapes = {info.name: [dim for dim in info.shape[1:] if isinstance(dim, int)] for info in contract.outputs}
    sizes = shapes[step.output][-len(step.columns) :]
    columns = [-1 if column is None else column for column in step.columns]
    if len(columns) == 1:
        sizes, columns = [1, *sizes], [-1, *columns]
    assert prod(sizes) == given[step.output][1]
    (weights, rows), (first, size) = given[step.weights], taken[step.rows]
    numbers = (rows, size // rows, sizes[0], columns[0], sizes[1], columns[1])
    text = ", ".join(map(str, numbers))
    return f"vote<{text}>(frame + {weights}, input + {first}, frame + {given[step.output][0]});"


def _places(slots: Sequence[ChainTensor]) -> dict[str, tuple[int, int]]:
    """Where parts of a frame begin, and their sizes."""
    firsts = np.cumsum([0, *(slot.size for slot in slots)])
    return {slot.name: (int(first), slot.size) for slot, first in zip(slots, firsts, strict=False)}
