"""`cnn`: 2-D convolutions over a window, mean and max over time."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from kelly_core.sound.standardize import Standardize


class EmotionCnn(nn.Module):
    """2-D convolutions with strides, then mean and max over time of the kept frequency bands.

    Args:
        n_classes: number of emotions.
        n_mels: mel bands of the input.
        channels: output channels of each convolution.
        kernels: `(frequency, time)` kernel of each convolution.
        strides: `(frequency, time)` stride of each convolution.
        bands: frequency bands kept until the dense layers.
        hidden_layers: widths of dense layers between pooling and output.
        dropout: dropout before each dense layer.
    """

    def __init__(
        self,
        n_classes: int = 7,
        n_mels: int = 64,
        channels: Sequence[int] = (24, 48, 96, 128),
        kernels: Sequence[tuple[int, int]] = ((5, 5), (3, 3), (3, 3), (3, 3)),
        strides: Sequence[tuple[int, int]] = ((2, 2), (2, 2), (2, 2), (2, 1)),
        bands: int = 2,
        hidden_layers: Sequence[int] = (),
        dropout: float = 0.15,
    ) -> None:
        super().__init__()
        self.normalize = Standardize()
        layers: list[nn.Module] = []
        previous, height = 1, n_mels
        for width, kernel, stride in zip(channels, kernels, strides, strict=True):
            padding = (kernel[0] // 2, kernel[1] // 2)
            layers += [
                nn.Conv2d(previous, width, kernel, stride, padding, bias=False),
                nn.BatchNorm2d(width),
                nn.ReLU(inplace=True),
            ]
            previous = width
            height = (height + 2 * padding[0] - kernel[0]) // stride[0] + 1
        if height % bands:
            raise ValueError(f"{height} frequency rows cannot be split into bands={bands}")
        self.features = nn.Sequential(*layers)
        self.bands = bands
        width = 2 * bands * previous
        dense: list[nn.Module] = [nn.Dropout(dropout)]
        for size in hidden_layers:
            dense += [nn.Linear(width, size), nn.ReLU(inplace=True), nn.Dropout(dropout)]
            width = size
        self.head = nn.Sequential(*dense, nn.Linear(width, n_classes))

    def forward(self, mel: Tensor) -> Tensor:
        """Classify windows; `frames` may be any number from 16 on.

        Args:
            mel: `(batch, 1, n_mels, frames)`, dB.

        Returns:
            `(batch, n_classes)` logits.
        """
        hidden = self.features(self.normalize(mel))  # (batch, channels, rows, frames / 8)
        hidden = hidden.unflatten(2, (self.bands, -1)).mean(dim=3).flatten(1, 2)
        pooled = torch.cat((hidden.mean(dim=2), hidden.amax(dim=2)), dim=1)
        logits: Tensor = self.head(pooled)
        return logits
