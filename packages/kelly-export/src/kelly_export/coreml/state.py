"""State inside the file: which models can have it, and the module that the converter finds it in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from kelly_core.contract import BATCH
from kelly_core.errors import FormatError
from kelly_core.tensors import symbols
from kelly_export.coreml.names import sizes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kelly_core.contract import Contract, StateInfo, TensorInfo


class Keeping(nn.Module):
    """A module that keeps its state in buffers: the converter makes states of them.

    Args:
        module: Takes inputs and state, gives outputs and the following state.
        state: The state tensors, in order.
    """

    def __init__(self, module: nn.Module, state: Sequence[StateInfo]) -> None:
        super().__init__()
        self.module = module
        self.names = [info.name for info in state]
        for info in state:
            self.register_buffer(info.name, torch.full(sizes(info), info.reset))

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """The outputs of the module."""
        kept = [self.get_buffer(name) for name in self.names]
        # Of copies: what follows one state may be what another one was before it is written.
        given = self.module(*inputs, *(buffer.clone() for buffer in kept))
        for buffer, following in zip(kept, given[-len(kept) :], strict=True):
            buffer[:] = following  # the converter knows assignments to slices, and not `copy_`
        return tuple(given[: -len(kept)])


def require_keepable(contract: Contract) -> None:
    """Refuse a model whose state Core ML can't keep.

    Raises:
        FormatError: It has no state, one that isn't of fractions or of varying size, or, beside inputs of
            varying length, some of fixed size; says which and what to take.
    """
    where = contract.model_id
    if not contract.state:
        raise FormatError(
            f"{contract.architecture_type!r} has no state that Core ML could keep",
            where=where,
            hint="take the format `coreml`",
            code="format.state",
        )
    reason = _reason(contract)
    if reason:
        hint = "take the format `coreml`, where state goes in and comes out"
        raise FormatError(reason, where=where, hint=hint, code="format.state")


def _reason(contract: Contract) -> str:
    for info in contract.state:
        if not np.issubdtype(np.dtype(info.dtype), np.floating):
            return f"its state {info.name!r} is {info.dtype}, and states of Core ML hold fp16"
        if _varies(info):
            return f"its state {info.name!r} varies in size, and states of Core ML don't"
    fixed = [repr(info.name) for info in contract.inputs if not _varies(info)]
    if 0 < len(fixed) < len(contract.inputs):
        # Core ML itself ends the program that opens such a file (coremltools issue 2548).
        return f"its inputs vary in length, but not {', '.join(fixed)}, and beside state Core ML can't mix them"
    return ""


def _varies(info: TensorInfo) -> bool:
    return bool(set(symbols([info])) - {BATCH})


def state_types(ct: Any, state: Sequence[StateInfo]) -> list[Any]:
    """The states for the converter: fp16, the one type that Core ML has for them."""
    return [
        ct.StateType(wrapped_type=ct.TensorType(shape=sizes(info), dtype=np.float16), name=info.name)
        for info in state
    ]
