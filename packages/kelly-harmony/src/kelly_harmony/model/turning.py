"""Turning pitch classes towards the key, so that what is learned in one key holds in all twelve."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from kelly_harmony.chords import N_CHORDS, N_QUALITIES, NONE
from kelly_harmony.lead import MELODY, METRE

INPUTS = MELODY + METRE + 1
"""Numbers about a beat inside the network: melody as degrees of the key, metre, whether it is minor."""


class Turning(nn.Module):
    """Absolute pitch classes to degrees of the key, and degrees of chords back to roots."""

    inward: Tensor
    outward: Tensor

    def __init__(self) -> None:
        super().__init__()
        tonic = torch.arange(12)[:, None]
        rows = torch.arange(MELODY - 2)[None]
        degrees = rows // 12 * 12 + (rows % 12 + tonic) % 12  # (tonics, pitch-class columns)
        rest = torch.arange(MELODY - 2, MELODY)[None].expand(12, 2)
        self.register_buffer("inward", torch.cat((degrees, rest), dim=1), persistent=False)
        chords = torch.arange(NONE)[None]
        roots = (chords // N_QUALITIES - tonic) % 12 * N_QUALITIES + chords % N_QUALITIES
        none = torch.full((12, 1), NONE)
        self.register_buffer("outward", torch.cat((roots, none), dim=1), persistent=False)

    def beats(self, melody: Tensor, metre: Tensor, key: Tensor) -> Tensor:
        """What the network sees.

        Args:
            melody: (..., MELODY), absolute.
            metre: (..., METRE).
            key: (...,) int64, `2 * tonic + minor`.

        Returns:
            (..., INPUTS).
        """
        degrees = torch.gather(melody, -1, self.inward[torch.div(key, 2, rounding_mode="floor")])
        return torch.cat((degrees, metre, (key % 2).to(melody.dtype)[..., None]), dim=-1)

    def chords(self, degrees: Tensor, key: Tensor) -> Tensor:
        """Scores of chords by degree to scores by root: (..., N_CHORDS), (...,) int64 -> (..., N_CHORDS)."""
        return torch.gather(degrees, -1, self.outward[torch.div(key, 2, rounding_mode="floor")])


assert N_CHORDS == NONE + 1
