"""The backbone that a configuration asks for."""

from __future__ import annotations

from kelly_melody.config import MelodyConfig
from kelly_melody.model.backbone import Backbone
from kelly_melody.model.lstm import LstmBackbone
from kelly_melody.model.tcn import TcnBackbone
from kelly_melody.model.transformer import TransformerBackbone


def build_backbone(config: MelodyConfig) -> Backbone:
    """The configured backbone with fresh weights: `network.width` numbers a step in, as many out."""
    sizes = config.network
    width, layers = sizes.width, sizes.layers
    if config.architecture_type == "lstm":
        return LstmBackbone(width, width, layers, config.dropout)
    if config.architecture_type == "frames":
        return LstmBackbone(width, 2 * width, layers, config.dropout)
    if config.architecture_type == "tcn":
        return TcnBackbone(width, width, layers, sizes.kernel, config.dropout)
    return TransformerBackbone(width, width, layers, sizes.heads, sizes.span, config.dropout)
