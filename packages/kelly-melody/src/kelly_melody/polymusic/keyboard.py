"""What is the same for every key: how voices move along the keyboard, learned once for all pitches."""

from __future__ import annotations

import torch
from torch import Tensor, nn

REACH = 12
"""Keys to either side that are looked at: an octave."""
SEEN = 4
"""What is seen of each key: it sounds, it sounded in the frame before, it is the lowest, it is the highest."""


class Keyboard(nn.Module):
    """A convolution along the keys of a frame, whose channels the network's state turns up and down.

    Args:
        width: Numbers of that state.
        channels: How many.
    """

    def __init__(self, width: int, channels: int) -> None:
        super().__init__()
        self.look = nn.Linear(SEEN * (2 * REACH + 1), channels)
        self.weigh = nn.Linear(width, channels)
        self.vote = nn.Linear(channels, 1, bias=False)
        self.dropout = nn.Dropout(0.1)
        nn.init.zeros_(self.weigh.weight)
        nn.init.ones_(self.weigh.bias)
        nn.init.normal_(self.vote.weight, std=0.1)

    def forward(self, frame: Tensor, before: Tensor, hidden: Tensor) -> Tensor:
        """What it adds to the logits.

        Args:
            frame: (..., 88), 1 where a key sounds.
            before: (..., 88), the frame before.
            hidden: (..., width).

        Returns:
            (..., 88).
        """
        lowest = frame * (frame.cumsum(dim=-1) == 1.0)
        highest = frame * (frame.flip(-1).cumsum(dim=-1).flip(-1) == 1.0)
        seen = nn.functional.pad(torch.stack((frame, before, lowest, highest), dim=-2), (REACH, REACH))
        keys = frame.shape[-1]
        shifted = [seen[..., at : at + keys] for at in range(2 * REACH + 1)]
        around = torch.cat(shifted, dim=-2).transpose(-1, -2)  # (..., 88, SEEN * (2 * REACH + 1))
        channels = self.dropout(torch.relu(self.look(around))) * self.weigh(hidden)[..., None, :]
        votes: Tensor = self.vote(channels).squeeze(-1)
        return votes
