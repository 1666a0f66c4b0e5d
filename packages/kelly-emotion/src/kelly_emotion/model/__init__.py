"""The networks of EmotionRecognizer, chosen by `architecture_type`."""

from __future__ import annotations

from torch import nn

from kelly_emotion.config import EmotionConfig
from kelly_emotion.model.chunk import PooledChunks, StreamingChunk
from kelly_emotion.model.cnn import EmotionCnn
from kelly_emotion.model.mlp import EmotionMlp
from kelly_emotion.model.streaming import EmotionStreaming

__all__ = [
    "EmotionCnn",
    "EmotionMlp",
    "EmotionStreaming",
    "PooledChunks",
    "StreamingChunk",
    "build_network",
]


def build_network(config: EmotionConfig) -> nn.Module:
    """The network a configuration asks for: `(batch, 1, n_mels, frames)` dB to `(batch, classes)` logits."""
    shape = {"n_classes": config.output_size, "n_mels": config.features.n_mels, "dropout": config.dropout}
    if config.architecture_type == "cnn":
        return EmotionCnn(**shape, hidden_layers=config.hidden_layers)
    if config.architecture_type == "streaming":
        return EmotionStreaming(**shape)
    return EmotionMlp(**shape, hidden_layers=config.hidden_layers or (128, 64))
