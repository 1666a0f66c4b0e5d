"""`tcn`: dilated convolutions over the beats so far and, as far as `look_ahead` goes, those to come.

A layer with a delay answers for the beat `dilation` before the newest, so that its three taps lie around it.
One step per beat, with the layers' pasts as state, gives what whole tunes give.

Source: Bai, Kolter and Koltun (2018), arXiv:1803.01271; here with normalisation before each layer.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kelly_harmony.model.network import Channels, Harmony
from kelly_harmony.model.turning import INPUTS

TAPS = 3


class Layer(nn.Module):
    """A residual convolution of three taps.

    Args:
        width: Channels.
        dilation: Beats between two taps.
        delay: 0 for a layer that hears the past alone, `dilation` for one that hears as much of what comes.
        dropout: Share of channels dropped of what is added.
    """

    def __init__(self, width: int, dilation: int, delay: int, dropout: float) -> None:
        super().__init__()
        self.dilation, self.delay = dilation, delay
        self.past = (TAPS - 1) * dilation
        self.norm = nn.LayerNorm(width)
        self.taps = nn.Linear(TAPS * width, width)
        self.mix = nn.Linear(width, width)
        self.dropout = Channels(dropout)

    def forward(self, hidden: Tensor, present: Tensor) -> Tensor:
        """Whole tunes: (batch, beats, width), (batch, beats, 1) -> (batch, beats, width)."""
        beats = hidden.shape[1]
        heard = F.pad(self.norm(hidden) * present, (0, 0, self.past - self.delay, self.delay))
        taps = [heard[:, at * self.dilation : at * self.dilation + beats] for at in range(TAPS)]
        added = self.dropout(self.mix(F.gelu(self.taps(torch.cat(taps, dim=-1)))))
        return (hidden + added) * present

    def step(self, hidden: Tensor, past: Tensor) -> tuple[Tensor, Tensor]:
        """One beat.

        Args:
            hidden: (batch, width + 1), the last is 1 for a beat that is there.
            past: (batch, self.past, width + 1), oldest first.

        Returns:
            The layer's answer `self.delay` beats ago, same shape as `hidden`, and the past of what follows.
        """
        line = torch.cat((past, hidden[:, None]), dim=1)
        taps = line[:, :: self.dilation]  # (batch, TAPS, width + 1)
        values, present = taps[..., :-1], taps[..., -1:]
        heard = (self.norm(values) * present).flatten(1)
        added = self.mix(F.gelu(self.taps(heard)))
        about = line[:, self.past - self.delay]
        values, there = about[:, :-1], about[:, -1:]
        return torch.cat(((values + added) * there, there), dim=-1), line[:, 1:]


class TcnHarmony(Harmony):
    """Dilated convolutions.

    Args:
        width: Channels.
        layers: Number of layers, of dilation 1, 2, 4, ...
        look_ahead: Beats heard ahead at most; layers are given a delay as long as it isn't used up.
        dropout: In every layer.
    """

    def __init__(self, width: int, layers: int, look_ahead: int, dropout: float) -> None:
        super().__init__(width)
        self.entry = nn.Linear(INPUTS, width)
        stack, left = [], look_ahead
        for at in range(layers):
            delay = 2**at if 2**at <= left else 0
            left -= delay
            stack.append(Layer(width, 2**at, delay, dropout))
        self.look_ahead = look_ahead - left
        self.layers = nn.ModuleList(stack)
        self.norm = nn.LayerNorm(width)

    def hear(self, beats: Tensor, present: Tensor) -> Tensor:
        """See `Harmony.hear`."""
        hidden = self.entry(beats) * present
        for layer in self.layers:
            hidden = layer(hidden, present)
        return F.gelu(self.norm(hidden))

    def initial_state(self, batch: int) -> list[Tensor]:
        """The past of each layer: (batch, 2 x dilation, width + 1)."""
        width = self.entry.out_features
        return [self.entry.weight.new_zeros(batch, layer.past, width + 1) for layer in self._stack]

    @property
    def _stack(self) -> list[Layer]:
        return [layer for layer in self.layers if isinstance(layer, Layer)]

    def advance(self, beats: Tensor, state: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """See `Harmony.advance`."""
        present = beats[:, -2:-1]  # the last number of `metre`
        hidden, following = torch.cat((self.entry(beats) * present, present), dim=-1), []
        for layer, past in zip(self._stack, state, strict=True):
            hidden, kept = layer.step(hidden, past)
            following.append(kept)
        return F.gelu(self.norm(hidden[:, :-1])), following
