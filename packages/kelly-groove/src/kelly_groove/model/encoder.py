"""What the score says about a step: dense layers on a wide window of hits, the place in the bar, the style."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from kelly_groove.grid import CONTEXT, N_DRUMS, WINDOW
from kelly_groove.styles import FAMILIES, STYLES


class ScoreEncoder(nn.Module):
    """Window, context and style to a hidden vector. Over a sequence it is a convolution of width `WINDOW`.

    Args:
        width: Size of the hidden vector.
        depth: Residual layers after the first.
        embedding: Size of the style's embedding.
        dropout: Dropout after each layer.
    """

    def __init__(self, width: int, depth: int, embedding: int, dropout: float) -> None:
        super().__init__()
        self.style = nn.Embedding(len(STYLES) + 1, embedding)
        self.family = nn.Embedding(len(FAMILIES) + 1, embedding)
        nn.init.normal_(self.style.weight, std=0.1)
        nn.init.normal_(self.family.weight, std=0.1)
        self.first = nn.Linear(WINDOW * N_DRUMS + CONTEXT + embedding, width)
        self.layers = nn.ModuleList(nn.Linear(width, width) for _ in range(depth))
        self.dropout = nn.Dropout(dropout)

    def forward(self, window: Tensor, context: Tensor, style: Tensor, family: Tensor) -> Tensor:
        """Encode steps.

        Args:
            window: (..., WINDOW, drums), 1 where a drum is hit.
            context: (..., CONTEXT), see `kelly_groove.grid.step_context`.
            style: (...,) int64, 0 for unknown.
            family: (...,) int64, 0 for unknown.

        Returns:
            (..., width).
        """
        embedded = self.style(style) + self.family(family)
        joined = torch.cat((window.flatten(-2), context, embedded), dim=-1)
        hidden = self.dropout(nn.functional.gelu(self.first(joined)))
        for layer in self.layers:
            hidden = hidden + self.dropout(nn.functional.gelu(layer(hidden)))
        return hidden
