"""`mlp`: dense layers on a wide window of past beats, and on what like passages earlier in the tune led to.

What came after a like passage says what is likely to come now. For beat s, once `HINDSIGHT` more beats are
heard, a dense layer describes the melody on both sides of it; attention compares the last beats with those
before each remembered s and brings these descriptions back. Over whole tunes every window is a convolution.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kelly_harmony.model.network import Channels, Harmony
from kelly_harmony.model.turning import INPUTS

HINDSIGHT = 8
"""Beats after which a beat is described from both sides, and can be remembered."""
PASSAGE = 8
"""Beats by which passages are compared."""
VALUE = 32
KEY = 16
HALVING = (4.0, 16.0, 64.0)
"""Time constants, in beats, of the running means of what sounded."""
SHARPEST = 20.0


class MlpHarmony(Harmony):
    """Dense layers on windows.

    Args:
        width: Of the dense layers.
        entry: Numbers that stand for a beat.
        window: Beats in the window, the newest included.
        span: Beats that are remembered; 0 for no memory.
        heads: Ways of comparing passages.
        dropout: After each layer.
    """

    decay: Tensor

    def __init__(self, width: int, entry: int, window: int, span: int, heads: int, dropout: float) -> None:
        super().__init__(width)
        self.window, self.span, self.heads = window, span, heads
        self.longest = max(window, 2 * HINDSIGHT, PASSAGE + HINDSIGHT)
        self.entry = nn.Linear(INPUTS, entry)
        self.past = nn.Conv1d(entry, width, window)
        self.register_buffer("decay", torch.exp(-1.0 / torch.tensor(HALVING)), persistent=False)
        remembered = 0
        if span:
            self.keys = nn.Conv1d(entry, heads * KEY, PASSAGE)
            self.both = nn.Conv1d(entry, width, 2 * HINDSIGHT)
            self.value = nn.Linear(width, VALUE)
            self.scale = nn.Parameter(torch.linspace(3.0, 8.0, heads))
            self.fading = nn.Parameter(torch.linspace(-7.0, -4.0, heads))
            self.nothing = nn.Parameter(torch.full((heads,), 2.0))
            remembered = heads * VALUE + VALUE
        self.first = nn.Linear(width + 12 * len(HALVING) + remembered, width)
        self.second = nn.Linear(width, width)
        self.dropout = Channels(dropout)

    def hear(self, beats: Tensor, present: Tensor) -> Tensor:
        """See `Harmony.hear`."""
        entered = F.gelu(self.entry(beats)) * present
        line = entered.transpose(1, 2)
        seen = self.dropout(F.gelu(self.past(F.pad(line, (self.window - 1, 0)))).transpose(1, 2))
        parts = [seen, self._means(beats)]
        if self.span:
            parts += self._recalled(line, present)
        return self._decide(torch.cat(parts, dim=-1), seen)

    def _decide(self, gathered: Tensor, seen: Tensor) -> Tensor:
        hidden = seen + self.dropout(F.gelu(self.first(gathered)))
        return hidden + self.dropout(F.gelu(self.second(hidden)))

    def _means(self, beats: Tensor) -> Tensor:
        """Running means of the sounding degrees of whole tunes, (batch, beats, 3 x 12)."""
        place = torch.arange(beats.shape[1], device=beats.device, dtype=torch.float32)
        age = place[:, None] - place[None, :]
        weight = torch.where(age >= 0, self.decay[:, None, None] ** age.clamp(min=0), torch.zeros_like(age))
        sums = torch.einsum("cqk,bkd->bqcd", weight.to(beats.dtype), _sounding(beats))
        return _shares(sums).flatten(2)

    def _describe(self, line: Tensor) -> Tensor:
        """(batch, entry, beats + 2 * HINDSIGHT - 1) -> (batch, beats, VALUE)."""
        return F.gelu(self.value(self.dropout(F.gelu(self.both(line)).transpose(1, 2))))

    def _key(self, line: Tensor) -> Tensor:
        """(batch, entry, beats + PASSAGE - 1) -> (batch, beats, heads, KEY), of length 1."""
        raw = self.keys(line).transpose(1, 2).unflatten(-1, (self.heads, KEY))
        return raw / raw.square().sum(dim=-1, keepdim=True).add(1e-6).sqrt()

    def _recalled(self, line: Tensor, present: Tensor) -> list[Tensor]:
        beats = line.shape[2]
        keys = self._key(F.pad(line, (PASSAGE - 1, 0))).transpose(1, 2)  # (batch, heads, beats, KEY)
        values = self._describe(F.pad(line, (HINDSIGHT - 1, HINDSIGHT)))
        place = torch.arange(beats, device=line.device)
        age = place[:, None] - place[None, :]
        there = (age >= HINDSIGHT) & (age < HINDSIGHT + self.span)
        late = F.pad(values * present, (0, 0, HINDSIGHT, 0))[:, :beats]
        return [self._attend(keys, keys, values, age, there & (present[:, None, None, :, 0] > 0)), late]

    def _attend(self, query: Tensor, keys: Tensor, values: Tensor, age: Tensor, there: Tensor) -> Tensor:
        """Weighted means of descriptions; what is little like anything brings back little.

        Args:
            query: (batch, heads, queries, KEY).
            keys: (batch, heads, remembered, KEY).
            values: (batch, remembered, VALUE).
            age: (queries, remembered) beats between the two.
            there: Which may be seen, broadcast to (batch, heads, queries, remembered).

        Returns:
            (batch, queries, heads x VALUE).
        """
        fading = self.fading.exp()[:, None, None] * age.clamp(min=0)
        scores = (query * self.scale.clamp(0.0, SHARPEST)[:, None, None]) @ keys.transpose(-1, -2) - fading
        scores = scores.masked_fill(~there.reshape(-1, 1, *there.shape[-2:]), -1e4)
        nothing = self.nothing[:, None, None].expand(scores.shape[0], -1, scores.shape[2], 1)
        weight = torch.cat((scores, nothing), dim=-1).softmax(dim=-1)[..., :-1]
        return (weight @ values[:, None]).transpose(1, 2).flatten(2)

    def initial_state(self, batch: int) -> list[Tensor]:
        """Running sums, entered beats; of the remembered ones keys and descriptions, oldest first."""
        new = self.entry.weight.new_zeros
        state = [new(batch, len(HALVING), 12), new(batch, self.longest - 1, self.entry.out_features + 1)]
        if self.span:
            state += [new(batch, self.span, self.heads * KEY), new(batch, self.span, VALUE + 1)]
        return state

    def advance(self, beats: Tensor, state: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """See `Harmony.advance`."""
        present = beats[:, -2:-1]
        sums = state[0] * self.decay[:, None] + _sounding(beats)[:, None]
        entered = torch.cat((F.gelu(self.entry(beats)) * present, present), dim=-1)
        heard = torch.cat((state[1], entered[:, None]), dim=1)
        line = heard[..., :-1].transpose(1, 2)
        seen = F.gelu(self.past(line[:, :, self.longest - self.window :]))[..., 0]
        parts, following = [seen, _shares(sums).flatten(1)], [sums, heard[:, 1:]]
        if self.span:
            value = self._describe(line[:, :, self.longest - 2 * HINDSIGHT :])[:, 0]
            about = self.longest - HINDSIGHT  # one behind the beat that is described now
            key = self._key(line[:, :, about - PASSAGE : about]).flatten(1)
            there = heard[:, about - 1, -1:]
            keys = torch.cat((state[2][:, 1:], key[:, None]), dim=1)
            values = torch.cat((state[3][:, 1:], torch.cat((value, there), dim=-1)[:, None]), dim=1)
            following += [keys, values]
            query = self._key(line[:, :, self.longest - PASSAGE :]).transpose(1, 2)
            past = keys.unflatten(2, (self.heads, KEY)).transpose(1, 2)
            age = torch.arange(self.span - 1, -1, -1, device=beats.device)[None] + HINDSIGHT
            seen_there = values[:, None, None, :, -1] > 0
            recalled = self._attend(query, past, values[..., :-1], age, seen_there)[:, 0]
            parts += [recalled, value * there]
        return self._decide(torch.cat(parts, dim=-1), seen), following


def _sounding(beats: Tensor) -> Tensor:
    """How long each degree sounds: (..., INPUTS) -> (..., 12)."""
    return beats[..., :48].unflatten(-1, (4, 12)).mean(dim=-2)


def _shares(sums: Tensor) -> Tensor:
    sums = sums.clamp(min=0.0)  # of inputs out of their range, as parity may draw them
    return sums / (sums.sum(dim=-1, keepdim=True) + 0.25)
