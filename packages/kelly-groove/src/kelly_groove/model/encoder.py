"""What the score says about a step: dense layers on a wide window of hits, the place in the bar, the style."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from kelly_core.chain import Activation, Dense, Layer, array, layers_of
from kelly_groove.grid import CONTEXT, N_DRUMS, WINDOW
from kelly_groove.styles import FAMILIES, STYLES


class ScoreEncoder(nn.Module):
    """Window, context and style to a hidden vector. Over a sequence it is a convolution of width `WINDOW`.

    Args:
        width: Size of the hidden vector.
        depth: Residual layers after the first.
        embedding: Size of the style's embedding.
        dropout: Dropout after each layer.
        plain: Whether layers follow one another with ReLU between, as formats that compute frame by frame
            know them; else each adds to the one before, with GELU.
    """

    def __init__(self, width: int, depth: int, embedding: int, dropout: float, plain: bool = False) -> None:
        super().__init__()
        self.plain = plain
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
        if self.plain:
            hidden = self.dropout(torch.relu(self.first(joined)))
            for layer in self.layers:
                hidden = self.dropout(torch.relu(layer(hidden)))
            return hidden
        hidden = self.dropout(nn.functional.gelu(self.first(joined)))
        for layer in self.layers:
            hidden = hidden + self.dropout(nn.functional.gelu(layer(hidden)))
        return hidden

    def chain_layers(self) -> list[Layer]:
        """A plain encoder as layers of a chain: window, context, style and family stand side by side.

        Style and family are one-hot there, so that their embeddings are rows of the first layer.
        """
        assert self.plain
        (first,) = layers_of(self.first, self.first.in_features, "first")
        assert isinstance(first, Dense)
        told = WINDOW * N_DRUMS + CONTEXT
        embedded = [array(table.weight) @ first.weight[told:] for table in (self.style, self.family)]
        layers: list[Layer] = [Dense(np.concatenate([first.weight[:told], *embedded]), first.bias)]
        bend = Activation("relu", first.outputs)
        for layer in self.layers:
            layers += [bend, *layers_of(layer, first.outputs, "layers")]
        return [*layers, bend]
