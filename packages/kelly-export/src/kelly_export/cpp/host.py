"""The steps that a contract leaves to the host, as C++."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from kelly_core.contract import Votes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kelly_core.contract import ChainTensor, Contract, Turn


@dataclass(frozen=True)
class HostCode:
    """What is done with a frame before the first layer and behind the last.

    Attributes:
        kernels: Functions that the statements call.
        prepare: Calls with the pointers `input`, what goes in, and `frame`, a copy of it for the layers.
        finish: Calls with the pointers `input` and `frame`, here what the layers gave.
        outputs: Numbers at the beginning of `frame` that are the model's outputs afterwards.
    """

    kernels: str
    prepare: Sequence[str]
    finish: Sequence[str]
    outputs: int


def host_code(contract: Contract) -> HostCode | None:
    """The steps of a contract; None where it has none."""
    chain = contract.chain
    if chain is None or not (chain.prepare or chain.host):
        return None
    kinds = sorted({step.kind for step in (*chain.prepare, *chain.host)})
    kernels = [(files(__package__) / f"{kind}.hpp").read_text(encoding="utf-8") for kind in kinds]
    finish = [
        _vote(contract, step) if isinstance(step, Votes) else _turn(contract, step, chain.outputs)
        for step in chain.host
    ]
    return HostCode(
        "\n".join(kernels),
        [_turn(contract, step, chain.inputs) for step in chain.prepare],
        finish,
        sum(slot.size for slot in chain.finished),
    )


def _turn(contract: Contract, step: Turn, slots: Sequence[ChainTensor]) -> str:
    assert contract.chain is not None
    first, count = places(contract.chain.inputs)[step.by]
    sizes = (step.groups, step.cycle, step.inner, count, step.per, str(step.back).lower())
    return f"turn<{', '.join(map(str, sizes))}>(input + {first}, frame + {places(slots)[step.part][0]});"


def _vote(contract: Contract, step: Votes) -> str:
    assert contract.chain is not None
    given, taken = places(contract.chain.outputs), places(contract.chain.inputs)
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


def places(slots: Sequence[ChainTensor]) -> dict[str, tuple[int, int]]:
    """Where parts of a frame begin, and their sizes."""
    firsts = np.cumsum([0, *(slot.size for slot in slots)])
    return {slot.name: (int(first), slot.size) for slot, first in zip(slots, firsts, strict=False)}
