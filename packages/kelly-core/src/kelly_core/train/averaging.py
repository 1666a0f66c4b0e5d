"""The averaged weights that are evaluated and shipped."""

from __future__ import annotations

import copy
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn


class WeightAverage:
    """Exponential moving average of weights and buffers; with decay 0, the weights themselves.

    Args:
        module: The network that is trained, on its device.
        decay: Per step. Early steps average over the steps there were, so that the start isn't remembered.
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        self._decay, self._steps = decay, 0
        self.module = copy.deepcopy(module).requires_grad_(requires_grad=False) if decay else module
        pairs = list(zip(_tensors(self.module), _tensors(module), strict=True)) if decay else []
        self._mine = [mine for mine, _ in pairs if mine.is_floating_point()]
        self._theirs = [theirs for _, theirs in pairs if theirs.is_floating_point()]
        # Counters (batch norm's) have no mean; the newest is kept.
        self._counters = [(mine, theirs) for mine, theirs in pairs if not mine.is_floating_point()]

    @torch.no_grad()
    def update(self) -> None:
        """Take in the weights after a step."""
        if not self._decay:
            return
        self._steps += 1
        decay = min(self._decay, self._steps / (self._steps + 9))
        torch._foreach_lerp_(self._mine, self._theirs, 1 - decay)
        for mine, theirs in self._counters:
            mine.copy_(theirs)

    def state_dict(self) -> dict[str, Any]:
        """What a resume needs."""
        return {"steps": self._steps, "module": self.module.state_dict()} if self._decay else {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a captured state."""
        if self._decay and state:
            self._steps = int(state["steps"])
            self.module.load_state_dict(state["module"])


def _tensors(module: nn.Module) -> list[Tensor]:
    """Parameters and buffers, sharing memory with the module, outside the graph."""
    return [tensor.detach() for tensor in chain(module.parameters(), module.buffers())]
