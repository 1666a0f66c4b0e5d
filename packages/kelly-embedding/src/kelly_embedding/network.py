"""The network: windows of log-mel to an embedding and back."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from kelly_core.sound.standardize import Standardize
from kelly_embedding.components import fit_components
from kelly_embedding.config import EmbeddingConfig


class Embedder(nn.Module):
    """Windows to embeddings: the part that is exported.

    Args:
        config: Of the network.
    """

    def __init__(self, config: EmbeddingConfig) -> None:
        super().__init__()
        bands, frames, size = config.features.n_mels, config.input_size, config.embedding_size
        self.floor_db = config.floor_db
        self.normalize = Standardize()
        self.project = nn.Linear(bands * frames, size)
        layers: list[nn.Module] = []
        previous, kernel = 1, 5
        for width in config.channels if config.architecture_type == "conv" else ():
            layers += [
                nn.Conv2d(previous, width, kernel, 2, kernel // 2, bias=False),
                nn.BatchNorm2d(width),
                nn.ReLU(),
            ]
            previous, kernel = width, 3
            bands, frames = -(-bands // 2), -(-frames // 2)
        if layers:
            layers += [nn.Flatten(), _zero(previous * bands * frames, size)]
        self.correct = nn.Sequential(*layers) if layers else None
        # Each number has mean 0 and deviation 1 on the training windows, so that none outweighs the others.
        self.settle = nn.BatchNorm1d(size, affine=False)

    def heard(self, mel: Tensor) -> Tensor:
        """`mel` above the floor, in deviations of the training data; same shape."""
        normalized: Tensor = self.normalize(mel.clamp(min=self.floor_db))
        return normalized

    def forward(self, mel: Tensor) -> Tensor:
        """`(batch, 1, n_mels, frames)` dB to `(batch, embedding_size)`."""
        heard = self.heard(mel)
        numbers = self.project(heard.flatten(1))
        if self.correct is not None:
            numbers = numbers + self.correct(heard)
        embedding: Tensor = self.settle(numbers)
        return embedding


class Decoder(nn.Module):
    """Embeddings to windows, in deviations of the training data. Only training needs it.

    Args:
        config: Of the network.
    """

    def __init__(self, config: EmbeddingConfig) -> None:
        super().__init__()
        self.shape = (1, config.features.n_mels, config.input_size)
        numbers, width = config.features.n_mels * config.input_size, config.decoder_width
        self.project = nn.Linear(config.embedding_size, numbers)
        self.correct = nn.Sequential(
            nn.Linear(config.embedding_size, width, bias=False),
            nn.BatchNorm1d(width),
            nn.ReLU(),
            _zero(width, numbers),
        )

    def forward(self, embedding: Tensor) -> Tensor:
        """`(batch, embedding_size)` to `(batch, 1, n_mels, frames)`."""
        return (self.project(embedding) + self.correct(embedding)).unflatten(1, self.shape)


class AudioAutoencoder(nn.Module):
    """Embedder and decoder.

    Args:
        config: Of the network.
    """

    def __init__(self, config: EmbeddingConfig) -> None:
        super().__init__()
        self.embedder = Embedder(config)
        self.decoder = Decoder(config)

    def restore(self, embedding: Tensor) -> Tensor:
        """`(batch, embedding_size)` to `(batch, 1, n_mels, frames)`, dB."""
        return self.embedder.normalize.back(self.decoder(embedding))

    def forward(self, mel: Tensor) -> tuple[Tensor, Tensor]:
        """Embed and restore.

        Args:
            mel: `(batch, 1, n_mels, frames)`, dB.

        Returns:
            `(batch, embedding_size)`, and the windows restored from it, dB.
        """
        embedding = self.embedder(mel)
        return embedding, self.restore(embedding)

    @torch.no_grad()
    def begin(self, windows: NDArray[np.float32]) -> None:
        """Begin as principal components: training goes on from the best linear map.

        Args:
            windows: `(windows, 1, n_mels, frames)`, dB, of the training side.
        """
        heard = np.maximum(windows, np.float32(self.embedder.floor_db))
        self.embedder.normalize.fit(float(heard.mean(dtype=np.float64)), float(heard.std(dtype=np.float64)))
        flat = self.embedder.heard(torch.from_numpy(windows)).flatten(1).numpy()
        if len(flat) < 2:  # nothing varies: the projection stays as it was drawn
            return
        found = fit_components(flat, self.embedder.project.out_features)
        scale, count = torch.from_numpy(found.deviations)[:, None], len(found.deviations)
        directions, mean = torch.from_numpy(found.directions), torch.from_numpy(found.mean)
        encode, decode = self.embedder.project, self.decoder.project
        encode.weight[:count] = directions / scale
        encode.bias[:count] = -(directions / scale) @ mean
        decode.weight[:, :count] = (directions * scale).T
        decode.bias.copy_(mean)


def _zero(inputs: int, outputs: int) -> nn.Linear:
    """A dense layer that gives nothing until it has learned."""
    layer = nn.Linear(inputs, outputs)
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer
