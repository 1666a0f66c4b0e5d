"""What the memory of the tune adds to logits: a weight for each source, on what the source proposes."""

from __future__ import annotations

from torch import Tensor

from kelly_melody.tokens import N_DURATIONS, N_PITCHES

PROPOSED = 24
"""Numbers that stand for a proposal, the same map for every source."""
GIVEN = 64
"""Width of the layer that says durations; it is computed for every pitch, hence narrow and without a curve."""
DURATION_COLUMN = N_PITCHES + 1
"""Where the duration stands in a proposal."""


def votes_on_pitches(weights: Tensor, proposals: Tensor) -> Tensor:
    """(..., sources) weights on the pitches that they propose: (..., N_PITCHES)."""
    return (weights[..., None, :] @ proposals[..., :N_PITCHES]).squeeze(-2)


def votes_given(weights: Tensor, proposals: Tensor, pitch: Tensor) -> Tensor:
    """The row of one pitch of `votes_on_durations`: (..., N_DURATIONS)."""
    proposed = proposals[..., :N_PITCHES]
    agrees = proposed.gather(-1, pitch[..., None, None].expand(*proposed.shape[:-1], 1)).squeeze(-1)
    anyway, agreeing = weights.chunk(2, dim=-1)
    return ((anyway + agreeing * agrees)[..., None, :] @ _durations(proposals)).squeeze(-2)


def votes_on_durations(weights: Tensor, proposals: Tensor) -> Tensor:
    """(batch, pitches, N_DURATIONS): of each source one weight for every row, one for its own pitch's row.

    Args:
        weights: (batch, 2 sources), those for every row first.
        proposals: (batch, sources, PROPOSAL).
    """
    anyway, agreeing = weights.chunk(2, dim=-1)
    proposed = proposals[..., :N_PITCHES].transpose(1, 2)
    return (anyway[:, None] + agreeing[:, None] * proposed) @ _durations(proposals)


def _durations(proposals: Tensor) -> Tensor:
    """The part of proposals that says which duration: (..., sources, N_DURATIONS)."""
    return proposals[..., DURATION_COLUMN : DURATION_COLUMN + N_DURATIONS]
