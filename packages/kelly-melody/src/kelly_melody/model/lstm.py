"""Backbone `lstm`: recurrent layers alone, so that frame-by-frame runtimes can run it."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kelly_melody.model.backbone import Backbone, State


class LstmBackbone(Backbone):
    """Recurrent layers (Hochreiter and Schmidhuber, 1997) over the steps.

    Args:
        features: Numbers per step.
        width: Size of the hidden state of each layer.
        layers: How many.
        dropout: Share of activations dropped before, between and after layers.
    """

    def __init__(self, features: int, width: int = 128, layers: int = 1, dropout: float = 0.0) -> None:
        super().__init__()
        self.features, self.width, self.layers = features, width, layers
        sizes = [features, *[width] * (layers - 1)]
        self.cells = nn.ModuleList(nn.LSTM(size, width, batch_first=True) for size in sizes)
        self.dropout = nn.Dropout(dropout)
        for cell in self.cells:
            for name, weight in cell.named_parameters():
                if "bias" in name:
                    nn.init.zeros_(weight)
            # Remember by default (Jozefowicz et al., 2015): the second quarter belongs to the forget gate.
            nn.init.ones_(cell.bias_ih_l0[width : 2 * width])

    def forward(self, steps: Tensor) -> Tensor:
        """(batch, steps, features) -> (batch, steps, width)."""
        for cell in self.cells:
            steps = self.dropout(cell(steps)[0])
        return steps

    def step(self, features: Tensor, state: State) -> tuple[Tensor, State]:
        """One step, written out: exporters have frozen the batch of recurrent layers."""
        following: State = []
        for at, cell in enumerate(self.cells):
            assert isinstance(cell, nn.LSTM)
            hidden, memory = state[2 * at : 2 * at + 2]  # (batch, width) both
            weight = torch.cat((cell.weight_ih_l0, cell.weight_hh_l0), dim=1)
            gates = F.linear(torch.cat((features, hidden), dim=1), weight, cell.bias_ih_l0 + cell.bias_hh_l0)
            write, keep, new, show = gates.split(self.width, dim=-1)
            kept = torch.sigmoid(keep) * memory + torch.sigmoid(write) * torch.tanh(new)
            features = torch.sigmoid(show) * torch.tanh(kept)
            following += [features, kept]
        return features, following

    def state_shapes(self) -> dict[str, tuple[int, ...]]:
        """Hidden state and cell state of each layer."""
        return {f"{kind}_{at}": (self.width,) for at in range(self.layers) for kind in ("hidden", "cell")}
