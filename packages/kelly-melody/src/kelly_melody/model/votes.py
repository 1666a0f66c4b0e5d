"""What the memory of the tune adds to logits: a weight for each source, on what the source proposes."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kelly_melody.features.memory import N_SOURCES
from kelly_melody.tokens import N_DURATIONS, N_PITCHES

PROPOSED = 24
"""Numbers that stand for a proposal, the same map for every source."""
GIVEN = 64
"""Width of the layer that says durations; it is computed for every pitch, hence narrow and without a curve."""
DURATION_COLUMN = N_PITCHES + 1
"""Where the duration stands in a proposal."""


def joined(inputs: Tensor, *layers: nn.Linear) -> tuple[Tensor, ...]:
    """What several layers make of the same numbers, in one product: cheaper where a call is one step.

    Args:
        inputs: (batch, numbers).
        layers: Each gives a part.
    """
    weight = torch.cat([layer.weight for layer in layers])
    bias = torch.cat([layer.bias for layer in layers])
    return F.linear(inputs, weight, bias).split([layer.out_features for layer in layers], dim=-1)


def votes_on_pitches(weights: Tensor, proposals: Tensor) -> Tensor:
    """(..., sources) weights on the pitches that they propose: (..., N_PITCHES)."""
    return (weights[..., None, :] @ proposals[..., :N_PITCHES]).squeeze(-2)


def votes_given(weights: Tensor, proposals: Tensor, pitch: Tensor) -> Tensor:
    """The row of one pitch of `votes_on_durations`: (..., N_DURATIONS)."""
    proposed = proposals[..., :N_PITCHES]
    agrees = proposed.gather(-1, pitch[..., None, None].expand(*proposed.shape[:-1], 1)).squeeze(-1)
    anyway, agreeing = weights.split(N_SOURCES, dim=-1)
    return ((anyway + agreeing * agrees)[..., None, :] @ _durations(proposals)).squeeze(-2)


def votes_on_durations(weights: Tensor, proposals: Tensor) -> Tensor:
    """(batch, pitches, N_DURATIONS): of each source one weight for every row, one for its own pitch's row.

    Args:
        weights: (batch, 2 sources), those for every row first.
        proposals: (batch, sources, PROPOSAL).
    """
    anyway, agreeing = weights.split(N_SOURCES, dim=-1)
    proposed = proposals[..., :N_PITCHES].transpose(1, 2)
    return (anyway[:, None] + agreeing[:, None] * proposed) @ _durations(proposals)


def _durations(proposals: Tensor) -> Tensor:
    """The part of proposals that says which duration: (..., sources, N_DURATIONS)."""
    return proposals[..., DURATION_COLUMN : DURATION_COLUMN + N_DURATIONS]
