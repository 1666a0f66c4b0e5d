"""Backbone `transformer`: causal attention over the last steps, with relative positions.

Keys and values of the last `span - 1` steps are the state, oldest first, so that a step costs the same wherever
it stands. A number per head and age is added to the attention's logits (Raffel et al., 2020); the absolute
place of a step is not known to the network.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from kelly_melody.model.backbone import Backbone, State

NEAR = 32
"""Ages below this have a number each; those above share one with their neighbours, on a log scale."""
BUCKETS = 48
HIDDEN = -1e4
"""Added to the logits of what isn't seen; its weight is zero in float32."""


class TransformerBackbone(Backbone):
    """Attention layers over the steps.

    Args:
        features: Numbers per step.
        width: Width of the layers.
        layers: How many.
        heads: Heads of each; must divide the width.
        span: Steps that are seen, the step itself included.
        dropout: Share of activations dropped after each part.
    """

    age: Tensor

    def __init__(
        self,
        features: int,
        width: int = 96,
        layers: int = 2,
        heads: int = 4,
        span: int = 256,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.features, self.width, self.layers, self.span = features, width, layers, span
        self.enter = nn.Linear(features, width)
        self.blocks = nn.ModuleList(Block(width, heads, dropout) for _ in range(layers))
        self.leave = nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)
        self.register_buffer("age", torch.arange(span - 1, -1, -1), persistent=False)

    def forward(self, steps: Tensor) -> Tensor:
        """(batch, steps, features) -> (batch, steps, width)."""
        hidden = self.dropout(self.enter(steps))
        count = steps.shape[1]
        place = torch.arange(count, device=steps.device)
        age = place[:, None] - place[None]
        unseen = ((age < 0) | (age >= self.span)) * HIDDEN
        for block in self.blocks:
            hidden = block(hidden, age.clamp(min=0), unseen)
        return self.leave(hidden)

    def step(self, features: Tensor, state: State) -> tuple[Tensor, State]:
        """One step; the oldest keys and values fall out of the state."""
        keys, values, seen = state  # (batch, layers, span - 1, width) twice, (batch, span - 1)
        hidden = self.enter(features)
        seen = torch.cat((seen, torch.ones_like(seen[:, :1])), dim=1)
        unseen = ((1.0 - seen) * HIDDEN)[:, None, None]
        new_keys, new_values = [], []
        for at, block in enumerate(self.blocks):
            assert isinstance(block, Block)
            hidden, past_keys, past_values = block.step(
                hidden, keys[:, at], values[:, at], self.age[None], unseen
            )
            new_keys.append(past_keys)
            new_values.append(past_values)
        following = [torch.stack(new_keys, dim=1), torch.stack(new_values, dim=1), seen[:, 1:]]
        return self.leave(hidden), following

    def state_shapes(self) -> dict[str, tuple[int, ...]]:
        """Keys and values of past steps per layer, and which of them there are."""
        past = self.span - 1
        wide = (self.layers, past, self.width)
        return {"keys": wide, "values": wide, "seen": (past,)}


class Block(nn.Module):
    """Attention, then two dense layers; each normalises its input and adds to it.

    Args:
        width, heads, dropout: As in `TransformerBackbone`.
    """

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.size = heads, width // heads
        self.before_attention = nn.LayerNorm(width)
        self.mix = nn.Linear(width, 3 * width)
        self.join = nn.Linear(width, width)
        self.by_age = nn.Embedding(BUCKETS, heads)
        self.before_dense = nn.LayerNorm(width)
        self.dense = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))
        self.dropout = nn.Dropout(dropout)
        nn.init.zeros_(self.by_age.weight)

    def forward(self, hidden: Tensor, age: Tensor, unseen: Tensor) -> Tensor:
        """Whole sequences: (batch, steps, width), ages and mask (steps, steps)."""
        query, key, value = self.mix(self.before_attention(hidden)).chunk(3, dim=-1)
        hidden = hidden + self._attend(query, key, value, age, unseen)
        return hidden + self.dropout(self.dense(self.before_dense(hidden)))

    def step(
        self, hidden: Tensor, keys: Tensor, values: Tensor, age: Tensor, unseen: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """One step: (batch, width) and the past (batch, span - 1, width); gives also the following past."""
        query, key, value = self.mix(self.before_attention(hidden)).chunk(3, dim=-1)
        keys = torch.cat((keys, key[:, None]), dim=1)
        values = torch.cat((values, value[:, None]), dim=1)
        hidden = hidden + self._attend(query[:, None], keys, values, age, unseen)[:, 0]
        return hidden + self.dense(self.before_dense(hidden)), keys[:, 1:], values[:, 1:]

    def _attend(self, query: Tensor, key: Tensor, value: Tensor, age: Tensor, unseen: Tensor) -> Tensor:
        shape = (self.heads, self.size)
        query, key, value = (part.unflatten(-1, shape).transpose(1, 2) for part in (query, key, value))
        logits = query @ key.transpose(-1, -2) * self.size**-0.5
        logits = logits + self.by_age(bucket(age)).permute(2, 0, 1) + unseen
        mixed = logits.softmax(dim=-1) @ value  # (batch, heads, queries, size)
        return self.dropout(self.join(mixed.transpose(1, 2).flatten(2)))


def bucket(age: Tensor) -> Tensor:
    """Which of the `BUCKETS` numbers an age of at least 0 has."""
    far = torch.log2(age.clamp(min=NEAR).to(torch.float32) / NEAR) * 4.0
    return torch.where(age < NEAR, age, (NEAR + far.long()).clamp(max=BUCKETS - 1))
