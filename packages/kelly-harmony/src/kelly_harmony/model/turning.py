"""Turning pitch classes towards the key, so that what is learned in one key holds in all twelve."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from kelly_harmony.chords import N_CHORDS, N_QUALITIES, NONE
from kelly_harmony.keys import N_KEYS
from kelly_harmony.lead import MELODY, METRE

INPUTS = MELODY + METRE + 1
"""Numbers about a beat inside the network: melody as degrees of the key, metre, whether it is minor."""


class Turning(nn.Module):
    """Absolute pitch classes to degrees of the key, and degrees of chords back to roots."""

    inward: Tensor
    outward: Tensor
    minor: Tensor

    def __init__(self) -> None:
        super().__init__()
        keys = torch.arange(N_KEYS)
        tonic = keys[:, None] // 2
        rows = torch.arange(MELODY - 2)[None]
        degrees = rows // 12 * 12 + (rows % 12 + tonic) % 12  # (keys, pitch-class columns)
        rest = torch.arange(MELODY - 2, MELODY)[None].expand(N_KEYS, 2)
        self.register_buffer("inward", torch.cat((degrees, rest), dim=1), persistent=False)
        chords = torch.arange(NONE)[None]
        roots = (chords // N_QUALITIES - tonic) % 12 * N_QUALITIES + chords % N_QUALITIES
        none = torch.full((N_KEYS, 1), NONE)
        self.register_buffer("outward", torch.cat((roots, none), dim=1), persistent=False)
        self.register_buffer("minor", (keys % 2)[:, None].to(torch.float32), persistent=False)

    def beats(self, melody: Tensor, metre: Tensor, key: Tensor) -> Tensor:
        """What the network sees.

        Args:
            melody: (..., MELODY), absolute.
            metre: (..., METRE).
            key: (...,) int64, `2 * tonic + minor`.

        Returns:
            (..., INPUTS).
        """
        # Everything of a key is looked up: arithmetic on integers makes many small operations in a file.
        return torch.cat((torch.gather(melody, -1, self.inward[key]), metre, self.minor[key]), dim=-1)

    def chords(self, degrees: Tensor, key: Tensor) -> Tensor:
        """Scores of chords by degree to scores by root: (..., N_CHORDS), (...,) int64 -> (..., N_CHORDS)."""
        return torch.gather(degrees, -1, self.outward[key])


assert N_CHORDS == NONE + 1
