"""The two networks: `score` knows what is written, `live` also what the drummer did so far."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from kelly_groove.config import RECENT
from kelly_groove.grid import LIMIT, N_DRUMS
from kelly_groove.model.encoder import ScoreEncoder
from kelly_groove.model.memory import VALUES, PastHits

OUTPUTS = 4 * N_DRUMS
VELOCITY_UNIT = 32.0
"""Velocities inside the network are in units of this, offsets in units of `LIMIT`."""


class Groove(NamedTuple):
    """Predictions: each (..., drums); offsets and their spread in 16ths, velocities in MIDI units.

    A spread is the mean absolute distance that hits are expected to have from the prediction.
    """

    offset: Tensor
    velocity: Tensor
    offset_spread: Tensor
    velocity_spread: Tensor


def bounded(raw: Tensor) -> Groove:
    """(..., OUTPUTS) of any size to predictions within their ranges."""
    offset, velocity, offset_spread, velocity_spread = raw.split(N_DRUMS, dim=-1)
    return Groove(
        LIMIT * torch.tanh(offset),
        64.0 + 63.0 * torch.tanh(velocity),
        LIMIT * torch.sigmoid(offset_spread - 2.0),
        64.0 * torch.sigmoid(velocity_spread - 1.5),
    )


class ScoreNet(nn.Module):
    """From what is written around a step to its groove.

    Args:
        width, depth, embedding, dropout: Of the encoder.
    """

    def __init__(self, width: int = 128, depth: int = 1, embedding: int = 16, dropout: float = 0.1) -> None:
        super().__init__()
        self.encoder = ScoreEncoder(width, depth, embedding, dropout)
        self.head = nn.Linear(width, OUTPUTS)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, window: Tensor, context: Tensor, style: Tensor, family: Tensor) -> Groove:
        """Predict steps; shapes as `ScoreEncoder.forward`."""
        return bounded(self.head(self.encoder(window, context, style, family)))


class LiveNet(nn.Module):
    """The score's prediction, corrected by what this drummer did so far.

    Args:
        width, depth, embedding, dropout: Of the encoder.
        heads, key_size, span: Of the memory; `span` in steps.
        hidden: Width of the dense layers that correct.
    """

    def __init__(
        self,
        width: int = 128,
        depth: int = 1,
        embedding: int = 16,
        dropout: float = 0.1,
        heads: int = 4,
        key_size: int = 16,
        span: int = 128,
        hidden: int = 128,
    ) -> None:
        super().__init__()
        self.score = ScoreNet(width, depth, embedding, dropout)
        self.memory = PastHits(width, heads, key_size, span)
        inputs = width + self.memory.features + RECENT * VALUES
        self.correct = nn.Sequential(
            nn.Linear(inputs, hidden),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(hidden, hidden),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(hidden, OUTPUTS),
        )
        nn.init.zeros_(self.correct[-1].weight)
        nn.init.zeros_(self.correct[-1].bias)

    def encode(
        self, window: Tensor, context: Tensor, style: Tensor, family: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Hidden vector, the score's raw prediction, and the memory key of each step."""
        hidden = self.score.encoder(window, context, style, family)
        return hidden, self.score.head(hidden), self.memory.key(hidden, context)

    def surprise(self, raw: Tensor, played: Tensor) -> Tensor:
        """What is remembered of steps.

        Args:
            raw: (..., OUTPUTS), the score's raw prediction.
            played: (..., drums, 3): hit (0 or 1), offset in 16ths, velocity / 127.

        Returns:
            (..., VALUES).
        """
        said = bounded(raw)
        hit = played[..., 0]
        offset = (played[..., 1] - said.offset) / LIMIT * hit
        velocity = (127.0 * played[..., 2] - said.velocity) / VELOCITY_UNIT * hit
        return torch.cat((hit, offset, velocity), dim=-1)

    def decide(self, hidden: Tensor, raw: Tensor, remembered: Tensor, recent: Tensor) -> Tensor:
        """Raw prediction from the score's raw prediction and the past; leading shapes are the same."""
        return raw + self.correct(torch.cat((hidden, remembered, recent), dim=-1))

    def forward(
        self, window: Tensor, context: Tensor, style: Tensor, family: Tensor, played: Tensor
    ) -> tuple[Groove, Groove]:
        """Whole sequences that start from a reset.

        Args:
            window: (batch, steps, WINDOW, drums).
            context: (batch, steps, CONTEXT).
            style: (batch, steps) int64.
            family: (batch, steps) int64.
            played: (batch, steps, drums, 3); what is played at a step is used for later ones only.

        Returns:
            Predictions with the past, and from the score alone; each (batch, steps, drums).
        """
        hidden, raw, keys = self.encode(window, context, style, family)
        values = self.surprise(raw, played)
        parts = [
            self._remember(keys, values, start, min(start + self.memory.span, keys.shape[1]))
            for start in range(0, keys.shape[1], self.memory.span)
        ]
        padded = nn.functional.pad(values, (0, 0, RECENT, 0))[:, :-1]
        recent = padded.unfold(1, RECENT, 1).transpose(2, 3).flatten(2)  # oldest first
        return bounded(self.decide(hidden, raw, torch.cat(parts, dim=1), recent)), bounded(raw)

    def _remember(self, keys: Tensor, values: Tensor, start: int, stop: int) -> Tensor:
        """The memory's answer for a block of steps, which sees itself and the `span` steps before it."""
        first = max(0, start - self.memory.span)
        places = torch.arange(first, stop, device=keys.device)
        age = places[start - first :, None] - places[None, :]
        return self.memory(keys[:, start:stop], keys[:, first:stop], values[:, first:stop], age)
