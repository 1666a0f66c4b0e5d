"""Backbones over steps with explicit state, and what stands on them."""

from kelly_melody.model.backbone import Backbone, State
from kelly_melody.model.lstm import LstmBackbone
from kelly_melody.model.tcn import TcnBackbone
from kelly_melody.model.transformer import TransformerBackbone

__all__ = ["Backbone", "LstmBackbone", "State", "TcnBackbone", "TransformerBackbone"]
