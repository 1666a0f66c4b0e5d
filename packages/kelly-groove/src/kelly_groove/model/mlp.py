"""`mlp`: plain dense layers on what is written, all drums of a step at once; a chain for RTNeural and C++."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from kelly_core.chain import Activation, BatchNorm, Chain, Dense, array, layers_of
from kelly_core.contract import ChainInfo, ChainTensor
from kelly_groove.grid import CONTEXT, N_DRUMS, WINDOW
from kelly_groove.model.network import BENT, RANGES, Groove, bounded
from kelly_groove.styles import FAMILIES, STYLES

FIELDS = len(Groove._fields)
PLACES = (len(STYLES) + 1, len(FAMILIES) + 1)
"""Styles and families, the unknown first."""


class MlpGroove(nn.Module):
    """Dense layers with ReLU.

    Args:
        width: Of the layers.
        depth: Layers after the first.
        dropout: Dropout after each layer.
    """

    def __init__(self, width: int, depth: int, dropout: float) -> None:
        super().__init__()
        self.style, self.family = (nn.Embedding(places, width) for places in PLACES)
        for embedding in (self.style, self.family):
            nn.init.normal_(embedding.weight, std=0.1)
        self.of_step = nn.Linear(WINDOW * N_DRUMS + CONTEXT, width)
        further = (
            part for _ in range(depth) for part in (nn.Linear(width, width), nn.ReLU(), nn.Dropout(dropout))
        )
        self.layers = nn.Sequential(nn.ReLU(), nn.Dropout(dropout), *further)
        self.head = nn.Linear(width, FIELDS * N_DRUMS)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(
        self,
        window: Tensor,
        context: Tensor,
        style: Tensor,
        family: Tensor,
        drum: Tensor,
        recent: Tensor | None = None,
    ) -> Groove:
        """As `GrooveNet.forward`, of which `recent` and what drums did so far are never told.

        Args:
            window: (..., WINDOW, drums).
            context: (..., CONTEXT).
            style: (...,) int64.
            family: (...,) int64.
            drum: (..., asked, drums), one-hot.
            recent: None.

        Returns:
            Each (..., asked).
        """
        assert recent is None
        return bounded(drum @ self._raw(window, context, style, family).transpose(-1, -2))

    def step(self, window: Tensor, context: Tensor, style: Tensor, family: Tensor) -> Groove:
        """As `GrooveNet.step`."""
        return bounded(self._raw(window, context, style, family).transpose(-1, -2))

    def _raw(self, window: Tensor, context: Tensor, style: Tensor, family: Tensor) -> Tensor:
        """(..., FIELDS, drums) of any size."""
        told = self.of_step(torch.cat((window.reshape(*window.shape[:-2], WINDOW * N_DRUMS), context), dim=-1))
        hidden = self.layers(told + self.style(style) + self.family(family))
        raw: Tensor = self.head(hidden)
        return raw.unflatten(-1, (FIELDS, N_DRUMS))

    @torch.no_grad()
    def chain(self) -> Chain:
        """A step as layers; its outputs are those of `ScoreStep`, one after the other."""
        tables = (self.style.weight, self.family.weight)
        entering = Dense(array(torch.cat((self.of_step.weight.T, *tables))), array(self.of_step.bias))
        width = entering.outputs
        sizes = {"window": WINDOW * N_DRUMS, "context": CONTEXT}
        hidden, heads = layers_of(self.layers, width, "layers"), layers_of(self.head, width, "head")
        inputs = [ChainTensor(name=name, size=size) for name, size in sizes.items()]
        inputs += [
            ChainTensor(name=name, size=size, one_hot=True)
            for name, size in zip(("style", "family"), PLACES, strict=True)
        ]
        outputs = [ChainTensor(name=name, size=N_DRUMS) for name in Groove._fields]
        return Chain([entering, *hidden, *heads, *_bounds()], ChainInfo(inputs=inputs, outputs=outputs))


def _bounds() -> list[BatchNorm | Activation]:
    """`bounded` as layers."""
    before, after = (
        BatchNorm.affine(*(np.repeat(np.float32(one), N_DRUMS) for one in pair)) for pair in (BENT, RANGES)
    )
    return [before, Activation("tanh", FIELDS * N_DRUMS), after]
