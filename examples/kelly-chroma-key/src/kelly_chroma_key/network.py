"""The network: a dense layer, a recurrent one that hears beat after beat, and a verdict after each."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from kelly_chroma_key.chroma import INPUTS
from kelly_chroma_key.keys import KEYS


class Network(nn.Module):
    """Beats in, a key after every beat out.

    Args:
        width: Numbers that it remembers.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width
        self.entry = nn.Linear(INPUTS, width)
        self.memory = nn.GRU(width, width, batch_first=True)
        self.head = nn.Linear(width, KEYS)

    def forward(self, frames: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Logits, and the state for the following call.

        Args:
            frames: (batch, beats, INPUTS), any number of beats.
            hidden: (batch, width), zeros at the start.

        Returns:
            (batch, beats, KEYS) and (batch, width).
        """
        heard, last = self.memory(torch.tanh(self.entry(frames)), hidden.unsqueeze(0))
        return self.head(heard), last.squeeze(0)
