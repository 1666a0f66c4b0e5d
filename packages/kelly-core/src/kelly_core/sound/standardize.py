"""Normalisation that lives in the network, so that the interface takes plain dB."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Standardize(nn.Module):
    """Global z-normalisation of dB values by two stored scalars."""

    mean: Tensor
    std: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(-50.0))
        self.register_buffer("std", torch.tensor(20.0))

    def fit(self, mean: float, std: float) -> None:
        """Store the training set's mean and standard deviation, dB."""
        self.mean.fill_(mean)
        self.std.fill_(std)

    def forward(self, mel: Tensor) -> Tensor:
        """Return `mel` in units of the training set's deviation; same shape."""
        return (mel - self.mean) / self.std

    def back(self, values: Tensor) -> Tensor:
        """The inverse: units of the deviation to dB; same shape."""
        return values * self.std + self.mean
