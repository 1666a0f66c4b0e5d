"""The averaged weights that are evaluated and shipped."""

from __future__ import annotations

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn


class WeightAverage:
    """Exponential moving average of weights and buffers; with decay 0, the weights themselves.

    Args:
        module: The network that is trained.
        decay: Per step. Early steps average over the steps there were, so that the start isn't remembered.
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        self._source = module
        self._decay = decay
        self._steps = 0
        self._average = AveragedModel(module, use_buffers=True) if decay else None
        if self._average is not None:
            self._average.requires_grad_(requires_grad=False)

    @property
    def module(self) -> nn.Module:
        """The network to evaluate, save and export."""
        return self._average.module if self._average is not None else self._source

    @torch.no_grad()
    def update(self) -> None:
        """Take in the weights after a step."""
        if self._average is None:
            return
        self._steps += 1
        decay = min(self._decay, self._steps / (self._steps + 9))
        self._average.multi_avg_fn = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]
        self._average.update_parameters(self._source)

    def state_dict(self) -> dict[str, object]:
        """What a resume needs."""
        if self._average is None:
            return {}
        return {
            "steps": self._steps,
            "n_averaged": self._average.n_averaged,
            "module": self.module.state_dict(),
        }

    def load_state_dict(self, state: dict[str, object]) -> None:
        """Continue from a captured state."""
        if self._average is not None and state:
            self._steps = int(state["steps"])  # type: ignore[call-overload]
            self._average.n_averaged.copy_(state["n_averaged"])  # type: ignore[arg-type]
            self.module.load_state_dict(state["module"])  # type: ignore[arg-type]
