"""Where the parts of a frame stand: first number and size by name."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

from kelly_core.contract import ChainTensor
from kelly_export.cpp.host import places

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kelly_core.contract import Contract, TensorInfo


def taken(contract: Contract) -> dict[str, tuple[int, int]]:
    """The inputs of a frame; of a network that is no chain, its tensors side by side."""
    return places(contract.chain.inputs if contract.chain else _slots(contract.inputs))


def given(contract: Contract) -> dict[str, tuple[int, int]]:
    """The outputs of a frame, likewise."""
    return places(contract.chain.finished if contract.chain else _slots(contract.outputs))


def total(parts: dict[str, tuple[int, int]]) -> int:
    """Numbers of a whole frame."""
    return sum(size for _, size in parts.values())


def _slots(infos: Sequence[TensorInfo]) -> list[ChainTensor]:
    sizes = {info.name: prod(dim for dim in info.shape[1:] if isinstance(dim, int)) for info in infos}
    return [ChainTensor(name=name, size=size) for name, size in sizes.items()]
