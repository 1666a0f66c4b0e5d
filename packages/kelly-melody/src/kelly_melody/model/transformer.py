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
        self.heads = heads
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
        *past, seen = state  # per layer two of (batch, heads, span - 1, size); (batch, 1, 1, span - 1)
        hidden = self.enter(features)
        seen = nn.functional.pad(seen, (0, 1), value=1.0)
        unseen = (1.0 - seen) * HIDDEN
        following: State = []
        for at, block in enumerate(self.blocks):
            assert isinstance(block, Block)
            hidden, keys, values = block.step(hidden, past[2 * at], past[2 * at + 1], self.age[None], unseen)
            following += [keys, values]
        return self.leave(hidden), [*following, seen[..., 1:]]

    def state_shapes(self) -> dict[str, tuple[int, ...]]:
        """Keys and values of past steps per layer, and which of them there are."""
        past = self.span - 1
        wide = (self.heads, past, self.width // self.heads)
        kinds = [f"{kind}_{at}" for at in range(self.layers) for kind in ("keys", "values")]
        return {**dict.fromkeys(kinds, wide), "seen": (1, 1, past)}


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
        told = self.mix(self.before_attention(hidden)).chunk(3, dim=-1)
        shape = (self.heads, self.size)
        mixed = self._attend(*(part.unflatten(-1, shape).transpose(1, 2) for part in told), age, unseen)
        hidden = hidden + self.dropout(self.join(mixed.transpose(1, 2).flatten(2)))
        return hidden + self.dropout(self.dense(self.before_dense(hidden)))

    def step(
        self, hidden: Tensor, keys: Tensor, values: Tensor, age: Tensor, unseen: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """One step: (batch, width), both pasts (batch, heads, span - 1, size); gives those that follow."""
        told = self.mix(self.before_attention(hidden)).reshape(-1, 3 * self.heads, 1, self.size)
        query, key, value = told.split(self.heads, dim=1)
        keys, values = torch.cat((keys, key), dim=2), torch.cat((values, value), dim=2)
        mixed = self._attend(query, keys, values, age, unseen)
        hidden = hidden + self.join(mixed.reshape(-1, self.heads * self.size))
        return hidden + self.dense(self.before_dense(hidden)), keys[:, :, 1:], values[:, :, 1:]

    def _attend(self, query: Tensor, key: Tensor, value: Tensor, age: Tensor, unseen: Tensor) -> Tensor:
        """(batch, heads, queries, size) of query, and of keys and values (batch, heads, steps, size)."""
        logits = query @ key.transpose(-1, -2) * self.size**-0.5
        logits = logits + (self.by_age(bucket(age)).permute(2, 0, 1) + unseen)
        return logits.softmax(dim=-1) @ value


def bucket(age: Tensor) -> Tensor:
    """Which of the `BUCKETS` numbers an age of at least 0 has."""
    far = torch.log2(age.clamp(min=NEAR).to(torch.float32) / NEAR) * 4.0
    return torch.where(age < NEAR, age, (NEAR + far.long()).clamp(max=BUCKETS - 1))
