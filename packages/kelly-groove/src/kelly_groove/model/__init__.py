"""The network of GroovePredictor, what it is told about the past, and its step."""

from __future__ import annotations

from kelly_groove.config import RECENT, GrooveConfig
from kelly_groove.grid import N_DRUMS
from kelly_groove.model.mlp import MlpGroove
from kelly_groove.model.network import Groove, GrooveNet, drum_rows
from kelly_groove.model.past import PAST, PLACES, past_of, recent_of
from kelly_groove.model.pasts import pasts
from kelly_groove.model.step import STATE, LiveStep, PlayedSteps, ScoreStep, state_shapes

__all__ = [
    "PAST",
    "PLACES",
    "STATE",
    "Groove",
    "GrooveNet",
    "LiveStep",
    "MlpGroove",
    "PlayedSteps",
    "ScoreStep",
    "build_network",
    "drum_rows",
    "past_of",
    "pasts",
    "recent_of",
    "state_shapes",
]


def build_network(config: GrooveConfig) -> GrooveNet | MlpGroove:
    """The network a configuration asks for."""
    sizes = config.network
    if config.architecture_type == "mlp":
        return MlpGroove(sizes.width, sizes.depth, config.dropout)
    live = config.input == "live"
    recent, past = (RECENT * 3 * N_DRUMS, PAST) if live else (0, 0)
    return GrooveNet(sizes.width, sizes.depth, sizes.embedding, config.dropout, recent, past)
