"""`frames`: one chain of layers on a wide window of past beats, which runtimes without graphs compute.

What turns the melody towards the key, and chords back from it, lies around the chain: steps of the host.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kelly_core.chain import Activation, Chain, Conv1d, Dense, array
from kelly_core.contract import ChainInfo, ChainState, ChainTensor, Turn
from kelly_harmony.chords import N_CHORDS, N_QUALITIES
from kelly_harmony.keys import N_KEYS
from kelly_harmony.lead import MELODY, METRE, SLOTS
from kelly_harmony.model.network import EMBEDDING, Channels, Harmony
from kelly_harmony.model.turning import INPUTS

PITCH_CLASSES = 12


class FramesHarmony(Harmony):
    """A convolution over the last beats between dense layers.

    Args:
        width: Of the convolution and of the layer behind it.
        entry: Numbers that stand for a beat.
        window: Beats in the window, the newest included.
        dropout: After each layer.
    """

    def __init__(self, width: int, entry: int, window: int, dropout: float) -> None:
        super().__init__(width)
        self.window = window
        self.entry = nn.Linear(INPUTS, entry)
        self.past = nn.Conv1d(entry, width, window)
        self.mix = nn.Linear(width, width)
        self.dropout = Channels(dropout)

    def hear(self, beats: Tensor, present: Tensor) -> Tensor:
        """See `Harmony.hear`; beats behind the end are heard by themselves alone."""
        line = F.pad(F.relu(self.entry(beats)).transpose(1, 2), (self.window - 1, 0))
        seen = self.dropout(F.relu(self.past(line)).transpose(1, 2))
        return self.dropout(F.relu(self.mix(seen)))

    def initial_state(self, batch: int) -> list[Tensor]:
        """The beats of the window before the newest: (batch, window - 1, entry)."""
        return [self.entry.weight.new_zeros(batch, self.window - 1, self.entry.out_features)]

    def advance(self, beats: Tensor, state: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """See `Harmony.advance`."""
        heard = torch.cat((state[0], F.relu(self.entry(beats))[:, None]), dim=1)
        seen = F.relu(F.linear(heard.flatten(1), self.past.weight.transpose(1, 2).flatten(1), self.past.bias))
        return F.relu(self.mix(seen)), [heard[:, 1:]]

    @torch.no_grad()
    def chain(self) -> Chain:
        """`HarmonyStep` as layers, and what is left to the host."""
        sizes = {"melody": MELODY, "metre": METRE}
        layers = [
            self._entering(),
            Activation("relu", self.entry.out_features),
            Conv1d(array(self.past.weight.permute(2, 1, 0)), array(_bias(self.past))),
            Activation("relu", self.past.out_channels),
            Dense(array(self.mix.weight.T), array(self.mix.bias)),
            Activation("relu", self.mix.out_features),
            self._heads(),
        ]
        info = ChainInfo(
            inputs=[
                *(ChainTensor(name=name, size=size) for name, size in sizes.items()),
                ChainTensor(name="key", size=N_KEYS, one_hot=True),
            ],
            outputs=[ChainTensor(name="logits", size=N_CHORDS), ChainTensor(name="embedding", size=EMBEDDING)],
            state=[ChainState(name="past", axes=[0, 1])],
            prepare=[Turn(part="melody", by="key", per=2, groups=SLOTS + 1, cycle=PITCH_CLASSES)],
            host=[
                Turn(part="logits", by="key", per=2, cycle=PITCH_CLASSES, inner=N_QUALITIES, back=True),
            ],
        )
        return Chain(layers, info)

    def _entering(self) -> Dense:
        """`entry` on the one-hot key in place of whether it is minor: every second key is."""
        beat, minor = self.entry.weight.T.split([INPUTS - 1, 1])
        keys = minor * (torch.arange(N_KEYS) % 2)[:, None]
        return Dense(array(torch.cat((beat, keys))), array(self.entry.bias))

    def _heads(self) -> Dense:
        """Names of chords and their embedding, side by side."""
        embed, name = self.embed, self.name
        weight = name.weight.double() @ embed.weight.double()
        bias = name.weight.double() @ embed.bias.double() + name.bias.double()
        return Dense(
            array(torch.cat((weight, embed.weight.double())).T), array(torch.cat((bias, embed.bias.double())))
        )


def _bias(layer: nn.Conv1d) -> Tensor:
    assert layer.bias is not None
    return layer.bias
