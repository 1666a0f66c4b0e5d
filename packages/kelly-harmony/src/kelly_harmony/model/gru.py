"""`gru`: one recurrent layer over the beats so far."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kelly_harmony.model.network import Channels, Harmony
from kelly_harmony.model.turning import INPUTS


class GruHarmony(Harmony):
    """Dense layer, gated recurrent layer.

    Args:
        width: Of both.
        dropout: Before and behind the recurrent layer.
    """

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__(width)
        self.entry = nn.Linear(INPUTS, width)
        self.memory = nn.GRU(width, width, batch_first=True)
        self.dropout = Channels(dropout)

    def hear(self, beats: Tensor, present: Tensor) -> Tensor:
        """See `Harmony.hear`."""
        entered = self.dropout(F.gelu(self.entry(beats))) * present
        return self.dropout(self.memory(entered)[0])

    def initial_state(self, batch: int) -> list[Tensor]:
        """(batch, width)."""
        return [self.entry.weight.new_zeros(batch, self.memory.hidden_size)]

    def advance(self, beats: Tensor, state: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """See `Harmony.advance`."""
        entered = F.gelu(self.entry(beats)) * beats[:, -2:-1]
        # The layer's own cell, written out: exporters know a recurrent layer over whole sequences only.
        memory = self.memory
        asked = F.linear(entered, memory.weight_ih_l0, memory.bias_ih_l0).split(memory.hidden_size, dim=-1)
        kept = F.linear(state[0], memory.weight_hh_l0, memory.bias_hh_l0).split(memory.hidden_size, dim=-1)
        reset = torch.sigmoid(asked[0] + kept[0])
        update = torch.sigmoid(asked[1] + kept[1])
        new = torch.tanh(asked[2] + reset * kept[2])
        following = (1.0 - update) * new + update * state[0]
        return following, [following]
