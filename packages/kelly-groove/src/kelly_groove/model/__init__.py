"""The networks of GroovePredictor, chosen by `input`."""

from __future__ import annotations

from torch import nn

from kelly_groove.config import GrooveConfig
from kelly_groove.model.network import Groove, LiveNet, ScoreNet
from kelly_groove.model.step import STATE, LiveStep, PlayedSteps, ScoreStep, state_shapes

__all__ = [
    "STATE",
    "Groove",
    "LiveNet",
    "LiveStep",
    "PlayedSteps",
    "ScoreNet",
    "ScoreStep",
    "build_network",
    "state_shapes",
]


def build_network(config: GrooveConfig) -> nn.Module:
    """The network a configuration asks for."""
    sizes = config.network
    encoder = (sizes.width, sizes.depth, sizes.embedding, config.dropout)
    if config.input == "score":
        return ScoreNet(*encoder)
    return LiveNet(*encoder, sizes.heads, sizes.key_size, sizes.span, sizes.hidden)
