"""What this drummer did at like places: attention over past steps, one weight for all drums of a step.

For drum d at step t, with logits l(t, s) and r(s, d) what the drummer did there beyond the score's prediction:

    mean(t, d) = sum_s e^l(t,s) hit(s,d) r(s,d) / (e^null + sum_s e^l(t,s) hit(s,d))

The null weight shrinks the mean to zero while little is known. A head whose logits ignore the place is a
running mean per drum; one that attends to equal places in the bar is a running mean per place and drum.
Logits are bounded, so that no maximum has to be subtracted and step by step gives what a whole block gives.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from kelly_groove.grid import CONTEXT, N_DRUMS

VALUES = 3 * N_DRUMS
"""Remembered numbers of a step: hit, offset and velocity beyond the prediction, of each drum."""
SHARPEST = 9.0


class PastHits(nn.Module):
    """Attention over at most `span` past steps.

    Args:
        width: Size of the encoder's vector.
        heads: Ways of comparing two places.
        size: Size of a key.
        span: Steps that are remembered.
    """

    def __init__(self, width: int, heads: int, size: int, span: int) -> None:
        super().__init__()
        self.heads, self.size, self.span = heads, size, span
        self.keys = nn.Linear(width + CONTEXT, heads * size)
        self.scale = nn.Parameter(torch.linspace(1.0, 5.0, heads))
        self.fading = nn.Parameter(torch.linspace(-7.0, -3.0, heads))
        self.null = nn.Parameter(torch.zeros(heads))

    @property
    def features(self) -> int:
        """Numbers that `forward` gives per step."""
        return self.heads * VALUES

    def key(self, hidden: Tensor, context: Tensor) -> Tensor:
        """Where a step stands: (..., width), (..., CONTEXT) -> (..., heads, size) of length 1."""
        raw = self.keys(torch.cat((hidden, context), dim=-1)).unflatten(-1, (self.heads, self.size))
        return raw / raw.square().sum(dim=-1, keepdim=True).add(1e-6).sqrt()

    def forward(self, query: Tensor, keys: Tensor, values: Tensor, age: Tensor) -> Tensor:
        """Weighted means of the past.

        Args:
            query: (batch, queries, heads, size).
            keys: (batch, past, heads, size).
            values: (batch, past, VALUES); a step that isn't there has hit 0 everywhere.
            age: (queries, past) steps between the two; outside 1 to `span` a step isn't seen.

        Returns:
            (batch, queries, features): means of offset and velocity, and how much they rest on.
        """
        alike = torch.einsum("bqhd,bkhd->bhqk", query, keys) * self.scale.clamp(0.0, SHARPEST)[:, None, None]
        fading = self.fading.exp()[:, None, None] * age.clamp(min=0)
        seen = ((age >= 1) & (age <= self.span)).to(alike.dtype)
        weight = (alike - fading).exp() * seen  # (batch, heads, queries, past)
        sums = weight @ values[:, None]  # (batch, heads, queries, VALUES)
        mass, offset, velocity = sums.split(N_DRUMS, dim=-1)
        total = mass + self.null.clamp(-SHARPEST, SHARPEST).exp()[:, None, None]
        means = torch.cat((mass / total, offset / total, velocity / total), dim=-1)
        return means.transpose(1, 2).flatten(2)
