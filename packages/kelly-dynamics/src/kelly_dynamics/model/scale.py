"""Units at both ends of a network: inputs normalised, outputs in MIDI velocity, seconds, octaves and shares."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from kelly_core.chain import BatchNorm, Layer, clamp
from kelly_dynamics.targets import HIGH, LOW, OUTPUTS

LIMIT = 8.0
"""Largest normalised input."""


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
        return ((context - self.mean) / self.std).clamp(-LIMIT, LIMIT)

    def layers_before(self) -> list[Layer]:
        """`forward` as layers of a chain."""
        mean, std = self.mean.numpy(), self.std.numpy()
        normal = BatchNorm(mean, np.ones_like(mean), 1.0 / std, np.zeros_like(mean))
        limit = np.full(len(mean), LIMIT)
        return [normal, *clamp(-limit, limit)]

    def layers_after(self) -> list[Layer]:
        """`units` as layers of a chain."""
        affine = BatchNorm.affine(self.spread.numpy(), self.centre.numpy())
        return [affine, *clamp(self.low.numpy(), self.high.numpy())]

    def units(self, scaled: Tensor) -> Tensor:
        """Outputs in their units, within their bounds; same shape."""
        value = scaled * self.spread + self.centre
        return torch.maximum(torch.minimum(value, self.high), self.low)  # Core ML has no clamp by tensors
