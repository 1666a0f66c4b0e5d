"""The networks of HarmonyPredictor, chosen by `architecture_type`."""

from __future__ import annotations

from kelly_harmony.config import HarmonyConfig
from kelly_harmony.model.frames import FramesHarmony
from kelly_harmony.model.gru import GruHarmony
from kelly_harmony.model.mlp import MlpHarmony
from kelly_harmony.model.network import EMBEDDING, Harmony, HarmonyStep, PlayedBeats
from kelly_harmony.model.tcn import TcnHarmony

__all__ = [
    "EMBEDDING",
    "FramesHarmony",
    "GruHarmony",
    "Harmony",
    "HarmonyStep",
    "MlpHarmony",
    "PlayedBeats",
    "TcnHarmony",
    "build_network",
]


def build_network(config: HarmonyConfig) -> Harmony:
    """The network a configuration asks for."""
    if config.architecture_type == "mlp":
        mlp = config.mlp
        return MlpHarmony(mlp.width, mlp.entry, mlp.window, mlp.span, mlp.heads, config.dropout)
    if config.architecture_type == "gru":
        return GruHarmony(config.gru.width, config.dropout)
    if config.architecture_type == "frames":
        frames = config.frames
        return FramesHarmony(frames.width, frames.entry, frames.window, config.dropout)
    tcn = config.tcn
    return TcnHarmony(tcn.width, tcn.layers, tcn.look_ahead, config.dropout)
