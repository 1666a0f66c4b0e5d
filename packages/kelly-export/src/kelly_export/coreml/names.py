"""Names and shapes that Core ML files and the code around them share. Light."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kelly_core.contract import BATCH

if TYPE_CHECKING:
    from kelly_core.contract import Contract, TensorInfo

STATE_FORMAT = "coreml-state"
"""Name of the exporter whose files keep their state."""
LABEL, PROBABILITIES = "label", "label_probs"
"""Outputs of a classifier: the best label, and a probability for each."""


def classified(contract: Contract) -> int | None:
    """Which output holds the scores of the labels, (batch, labels); None where there is none."""
    found = [
        at
        for at, info in enumerate(contract.outputs)
        if contract.labels and len(info.shape) == 2 and info.shape[-1] == len(contract.labels)
    ]
    return found[0] if len(found) == 1 else None


def sizes(info: TensorInfo) -> list[Any]:
    """Shape of a tensor in the file: the batch is one; what varies in length keeps its name."""
    return [1 if dim == BATCH else dim for dim in info.shape]
