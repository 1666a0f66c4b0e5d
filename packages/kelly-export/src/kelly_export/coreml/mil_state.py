"""Core ML's states in torch: tensors of fp16 that a program reads and writes, and that outlive a call."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from kelly_export.coreml.mil_args import Args


@dataclass(slots=True)
class State:
    """A state tensor; its numbers are those of fp16, held in float32.

    Attributes:
        value: What it holds.
    """

    value: Tensor

    def write(self, value: Tensor) -> None:
        """Put other numbers in, rounded."""
        self.value = value.half().float()


def _update(a: Args) -> Tensor:
    state: State = a["state"]
    state.write(a["value"])
    return state.value


STATES: dict[str, Callable[[Args], Any]] = {
    "read_state": lambda a: a["input"].value,
    "coreml_update_state": _update,
}
"""What each of these operations gives for its arguments; the second also writes."""
