"""The network: from what is written, with input live also what the drummer did so far, to a groove."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from kelly_groove.grid import CONTEXT, LIMIT, N_DRUMS, WINDOW
from kelly_groove.styles import FAMILIES, STYLES


class Groove(NamedTuple):
    """Predictions: each (..., drums); offsets and their spread in 16ths, velocities in MIDI units.

    A spread is the mean absolute distance that hits are expected to have from the prediction.
    """

    offset: Tensor
    velocity: Tensor
    offset_spread: Tensor
    velocity_spread: Tensor


BENT = (1.0, 1.0, 0.5, 0.5), (0.0, 0.0, -1.0, -0.75)
"""Scale and shift of each number before a tanh. A sigmoid is half of the tanh of half, and half: spreads are
`LIMIT * sigmoid(x - 2)` and `64 * sigmoid(x - 1.5)`."""
RANGES = (LIMIT, 63.0, LIMIT / 2, 32.0), (0.0, 64.0, LIMIT / 2, 32.0)
"""Scale and shift behind it."""


class GrooveNet(nn.Module):
    """Dense layers on a wide window; the first is shared by all drums of a step, the others are per drum.

    Args:
        width: Of the layers.
        depth: Residual layers after the first.
        embedding: Size of a style's embedding.
        dropout: Dropout after each layer.
        recent: Numbers of what was played at the last steps; 0 for input score.
        past: Numbers per drum of what the drummer did so far; 0 for input score.
    """

    def __init__(self, width: int, depth: int, embedding: int, dropout: float, recent: int, past: int) -> None:
        super().__init__()
        self.style = nn.Embedding(len(STYLES) + 1, embedding)
        self.family = nn.Embedding(len(FAMILIES) + 1, embedding)
        nn.init.normal_(self.style.weight, std=0.1)
        nn.init.normal_(self.family.weight, std=0.1)
        self.of_step = nn.Linear(WINDOW * N_DRUMS + CONTEXT + embedding + recent, width)
        self.of_drum = nn.Linear(N_DRUMS + past, width, bias=False)
        self.layers = nn.ModuleList(nn.Linear(width, width) for _ in range(depth))
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(width, len(Groove._fields))
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
        """Predict.

        Args:
            window: (..., WINDOW, drums), 1 where a drum is hit.
            context: (..., CONTEXT), see `kelly_groove.grid.step_context`.
            style: (...,) int64, 0 for unknown.
            family: (...,) int64, 0 for unknown.
            drum: (..., asked, drums + past), for each drum that is asked about: one-hot, what it did so far.
            recent: (..., recent).

        Returns:
            Each (..., asked).
        """
        embedded = self.style(style) + self.family(family)
        told = (window.flatten(-2), context, embedded, *(() if recent is None else (recent.clamp(-4.0, 4.0),)))
        both = self.of_step(torch.cat(told, dim=-1))[..., None, :] + self.of_drum(drum.clamp(-4.0, 4.0))
        hidden = self.dropout(nn.functional.gelu(both))
        for layer in self.layers:
            hidden = hidden + self.dropout(nn.functional.gelu(layer(hidden)))
        return bounded(self.head(hidden))

    def step(self, window: Tensor, context: Tensor, style: Tensor, family: Tensor) -> Groove:
        """Every drum of steps of a score: as `forward`, each (..., drums)."""
        groove: Groove = self(window, context, style, family, drum_rows(None, context))
        return groove


def bounded(raw: Tensor) -> Groove:
    """(..., 4) of any size to predictions within their ranges."""
    bent = torch.tanh(raw * raw.new_tensor(BENT[0]) + raw.new_tensor(BENT[1]))
    return Groove(*(bent * raw.new_tensor(RANGES[0]) + raw.new_tensor(RANGES[1])).unbind(dim=-1))


def drum_rows(past: Tensor | None, like: Tensor) -> Tensor:
    """One-hot of every drum beside its past: (..., drums, PAST) -> (..., drums, drums + PAST).

    Args:
        past: None for input score.
        like: (..., anything), for the leading shape where there is no past.
    """
    leading = like.shape[:-1] if past is None else past.shape[:-2]
    which = torch.eye(N_DRUMS, dtype=like.dtype, device=like.device).expand(*leading, -1, -1)
    return which if past is None else torch.cat((which, past), dim=-1)
