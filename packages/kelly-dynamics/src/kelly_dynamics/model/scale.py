"""Units at both ends of a network: inputs normalised, outputs in MIDI velocity, seconds, octaves and shares."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from kelly_dynamics.targets import HIGH, LOW, OUTPUTS


class Scale(nn.Module):
    """Statistics of the training notes, stored with the weights.

    Args:
        n_inputs: Numbers about a note.
    """

    mean: Tensor
    std: Tensor
    centre: Tensor
    spread: Tensor
    low: Tensor
    high: Tensor

    def __init__(self, n_inputs: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(n_inputs))
        self.register_buffer("std", torch.ones(n_inputs))
        self.register_buffer("centre", torch.zeros(len(OUTPUTS)))
        self.register_buffer("spread", torch.ones(len(OUTPUTS)))
        self.register_buffer("low", torch.tensor(LOW))
        self.register_buffer("high", torch.tensor(HIGH))

    def fit(self, inputs: Tensor, targets: Tensor) -> None:
        """Store mean and deviation of `(notes, n_inputs)` inputs and `(notes, 4)` targets."""
        self.mean.copy_(inputs.double().mean(dim=0))
        self.std.copy_(inputs.double().std(dim=0).clamp(min=1e-3))
        self.centre.copy_(targets.double().mean(dim=0))
        self.spread.copy_(targets.double().std(dim=0).clamp(min=1e-3))

    def forward(self, context: Tensor) -> Tensor:
        """Inputs in units of the training notes' deviation, at most eight of it; same shape."""
        return ((context - self.mean) / self.std).clamp(-8.0, 8.0)

    def units(self, scaled: Tensor) -> Tensor:
        """Outputs in their units, within their bounds; same shape."""
        return (scaled * self.spread + self.centre).clamp(self.low, self.high)
