"""The networks of DynamicsEngine, chosen by `architecture_type`."""

from __future__ import annotations

from kelly_dynamics.config import DynamicsConfig
from kelly_dynamics.features.table import INPUTS
from kelly_dynamics.model.mlp import DynamicsMlp
from kelly_dynamics.model.scale import Scale
from kelly_dynamics.model.tcn import DynamicsTcn, TcnStep, WholeSteps

__all__ = ["DynamicsMlp", "DynamicsTcn", "Scale", "TcnStep", "WholeSteps", "build_network"]


def build_network(config: DynamicsConfig) -> DynamicsMlp | DynamicsTcn:
    """The network a configuration asks for: `(batch, notes, inputs)` to `(batch, notes, 4)`."""
    n_inputs = len(INPUTS[config.input])
    if config.architecture_type == "mlp":
        return DynamicsMlp(n_inputs, config.hidden_layers, config.dropout)
    ahead = 0 if config.input == "causal" else config.look_ahead
    return DynamicsTcn(n_inputs, config.channels, config.layers, ahead, config.dropout)
