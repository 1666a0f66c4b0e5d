"""The streaming network as it is exported: a chunk of frames and the state in, frame outputs and state out."""

from __future__ import annotations

from torch import Tensor, nn

from kelly_emotion.model.streaming import CausalConv, EmotionStreaming


class StreamingChunk(nn.Module):
    """Runs any number of frames on from a state; from the reset state this equals the whole network.

    Args:
        network: The trained network; its weights are shared.
    """

    def __init__(self, network: EmotionStreaming) -> None:
        super().__init__()
        self.network = network

    def forward(self, mel: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        """Advance by a chunk.

        Args:
            mel: `(batch, 1, n_mels, frames)`, dB.
            state: one `(batch, channels, rows, past)` tensor per convolution, as `initial_state` gives them.

        Returns:
            `(batch, 2 * n_classes, frames)` for the host to pool, then the next state of each convolution.
        """
        hidden = self.network.normalize(mel)
        following = []
        for layer, past in zip(self.network.layers, state, strict=True):
            assert isinstance(layer, CausalConv)
            hidden, kept = layer.step(hidden, past)
            following.append(kept)
        frames = hidden.squeeze(2).transpose(1, 2)  # (batch, frames, channels)
        return self.network.head(frames).transpose(1, 2), *following


class PooledChunks(nn.Module):
    """An exported chunk network in the place of the whole one: its frames pooled as a host does.

    Args:
        frames: Gives `(batch, 2 * n_classes, frames)` for whole sequences.
        network: The trained network, for its pooling.
    """

    def __init__(self, frames: nn.Module, network: EmotionStreaming) -> None:
        super().__init__()
        self.frames = frames
        self.network = network

    def forward(self, mel: Tensor) -> Tensor:
        """`(batch, 1, n_mels, frames)` dB to `(batch, n_classes)` logits."""
        return self.network.pool(self.frames(mel))
