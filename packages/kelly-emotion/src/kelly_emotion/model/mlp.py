"""`mlp`: dense layers on statistics over time, computed inside the graph."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from kelly_core.sound.standardize import Standardize


class EmotionMlp(nn.Module):
    """Dense net on statistics over time of each mel band, computed inside the graph.

    Statistics per band: mean, deviation, minimum, maximum and mean absolute difference between frames;
    all are parameter-free reductions, so the frames dimension stays dynamic in an export.

    Args:
        n_classes: number of emotions.
        n_mels: mel bands of the input.
        hidden_layers: widths of the dense layers.
        dropout: dropout after each dense layer.
        lags: frame distances of the differences.
    """

    def __init__(
        self,
        n_classes: int = 7,
        n_mels: int = 64,
        hidden_layers: Sequence[int] = (128, 64),
        dropout: float = 0.3,
        lags: Sequence[int] = (1, 4),
    ) -> None:
        super().__init__()
        self.normalize = Standardize()
        self.lags = tuple(lags)
        width = n_mels * (4 + 2 * len(self.lags))
        layers: list[nn.Module] = [nn.BatchNorm1d(width)]
        for size in hidden_layers:
            layers += [nn.Linear(width, size), nn.BatchNorm1d(size), nn.ReLU(), nn.Dropout(dropout)]
            width = size
        self.net = nn.Sequential(*layers, nn.Linear(width, n_classes))

    def forward(self, mel: Tensor) -> Tensor:
        """Classify windows.

        Args:
            mel: `(batch, 1, n_mels, frames)`, dB.

        Returns:
            `(batch, n_classes)` logits.
        """
        bands = self.normalize(mel).squeeze(1)  # (batch, n_mels, frames)
        mean = bands.mean(dim=2)
        spread = (bands - mean[:, :, None]).square().mean(dim=2).add(1e-5).sqrt()
        parts = [mean, spread, bands.amax(dim=2), bands.amin(dim=2)]
        for lag in self.lags:
            change = bands[:, :, lag:] - bands[:, :, :-lag]
            parts += [change.abs().mean(dim=2), change.amax(dim=2)]
        return self.net(torch.cat(parts, dim=1))
