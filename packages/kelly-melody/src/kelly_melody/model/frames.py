"""Network `frames`: one chain of dense and recurrent layers, which runtimes without graphs compute.

As `MelodyNet`, with what such a chain can't hold left out: nothing goes past the recurrent layers, curves are
ReLU, and a row of durations is linear in what was made of the tune, so that all rows are one dense layer. The
votes on what the memory proposes come out of the chain as weights; a host adds them up, see `HOST_STEPS`.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from kelly_core.chain import Activation, Chain, Dense, array, layers_of
from kelly_core.contract import ChainInfo, ChainState, ChainTensor, Votes
from kelly_melody.features.inputs import PLACE, PROPOSAL, TOKEN
from kelly_melody.features.memory import N_SOURCES
from kelly_melody.model.backbone import Backbone, State
from kelly_melody.model.lstm import LstmBackbone
from kelly_melody.model.votes import (
    DURATION_COLUMN,
    GIVEN,
    PROPOSED,
    joined,
    votes_given,
    votes_on_durations,
    votes_on_pitches,
)
from kelly_melody.tokens import N_DURATIONS, N_PITCHES

OPEN = 3.0
"""Bias of a gate that begins open; closed: the negative."""
HOST_STEPS = [
    Votes(output="pitch", weights="pitch_votes", rows="proposals", columns=[0]),
    Votes(
        output="duration",
        weights="duration_votes",
        rows="proposals",
        columns=[None, DURATION_COLUMN],
    ),
    Votes(
        output="duration",
        weights="agreeing_votes",
        rows="proposals",
        columns=[0, DURATION_COLUMN],
    ),
]


class FramesNet(nn.Module):
    """From what is told at each token to logits of the next one.

    Args:
        backbone: Recurrent layers.
        hidden: Width of the dense layer behind it.
        dropout: Share of activations dropped after each layer.
    """

    def __init__(self, backbone: Backbone, hidden: int, dropout: float) -> None:
        super().__init__()
        self.backbone = backbone
        self.propose = nn.Linear(PROPOSAL, PROPOSED)
        self.enter = nn.Linear(TOKEN + PLACE + N_SOURCES * PROPOSED, backbone.features)
        self.decide = nn.Linear(backbone.width, hidden)
        self.dropout = nn.Dropout(dropout)
        self.pitch = nn.Linear(hidden, N_PITCHES)
        self.pitch_votes = nn.Linear(hidden, N_SOURCES)
        self.given = nn.Linear(hidden, GIVEN)
        self.by_pitch = nn.Embedding(N_PITCHES, GIVEN)
        self.duration = nn.Linear(GIVEN, N_DURATIONS)
        self.duration_votes = nn.Linear(hidden, 2 * N_SOURCES)
        nn.init.ones_(self.by_pitch.weight)
        assert isinstance(backbone, LstmBackbone)
        for cell in backbone.cells:
            _look_at_the_present(cell)

    def forward(self, last: Tensor, place: Tensor, proposals: Tensor, pitch: Tensor) -> tuple[Tensor, Tensor]:
        """Whole melodies from their start; as `MelodyNet.forward`."""
        hidden = self._decide(self.backbone(self._enter(last, place, proposals)))
        pitches = self.pitch(hidden) + votes_on_pitches(self.pitch_votes(hidden), proposals)
        durations = self.duration(self.given(hidden) * self.by_pitch(pitch))
        return pitches, durations + votes_given(self.duration_votes(hidden), proposals, pitch)

    def step(
        self, last: Tensor, place: Tensor, proposals: Tensor, state: State
    ) -> tuple[Tensor, Tensor, State]:
        """One token; as `MelodyNet.step`."""
        seen, state = self.backbone.step(self._enter(last, place, proposals), state)
        hidden = self._decide(seen)
        pitches, votes, given, duration_votes = joined(
            hidden, self.pitch, self.pitch_votes, self.given, self.duration_votes
        )
        durations = self.duration(given[:, None] * self.by_pitch.weight)
        durations = durations + votes_on_durations(duration_votes, proposals)
        return pitches + votes_on_pitches(votes, proposals), durations, state

    def chain(self) -> Chain:
        """`step` as layers, and what is left to the host."""
        assert isinstance(self.backbone, LstmBackbone)
        cells = list(self.backbone.cells)
        layers = [
            self._entering(),
            Activation("relu", self.backbone.features),
            *layers_of(nn.Sequential(*cells, self.decide), self.backbone.features, "backbone"),
            Activation("relu", self.decide.out_features),
            self._heads(),
        ]
        sizes = {"last": TOKEN, "place": PLACE, "proposals": N_SOURCES * PROPOSAL}
        given = {"pitch": N_PITCHES, "duration": N_PITCHES * N_DURATIONS}
        given |= dict.fromkeys(("pitch_votes", "duration_votes", "agreeing_votes"), N_SOURCES)
        memory = [f"{kind}_{at}" for at in range(len(cells)) for kind in ("hidden", "cell")]
        info = ChainInfo(
            inputs=[ChainTensor(name=name, size=size) for name, size in sizes.items()],
            outputs=[ChainTensor(name=name, size=size) for name, size in given.items()],
            state=[ChainState(name=name, axes=[0]) for name in memory],
            host=HOST_STEPS,
        )
        return Chain(layers, info)

    def _enter(self, last: Tensor, place: Tensor, proposals: Tensor) -> Tensor:
        proposed = self.propose(proposals).flatten(-2)
        return self.dropout(torch.relu(self.enter(torch.cat((last, place, proposed), dim=-1))))

    def _decide(self, seen: Tensor) -> Tensor:
        return self.dropout(torch.relu(self.decide(seen)))

    @torch.no_grad()
    def _entering(self) -> Dense:
        """`propose` and `enter`, one linear map: (inputs of a frame, features)."""
        weight, bias = self.enter.weight.double(), self.enter.bias.double()
        plain, proposed = weight.split([TOKEN + PLACE, N_SOURCES * PROPOSED], dim=1)
        by_source = proposed.unflatten(1, (N_SOURCES, PROPOSED))
        spread = torch.einsum("fsp,pi->fsi", by_source, self.propose.weight.double()).flatten(1)
        bias = bias + torch.einsum("fsp,p->f", by_source, self.propose.bias.double())
        return Dense(array(torch.cat((plain, spread), dim=1).T), array(bias))

    @torch.no_grad()
    def _heads(self) -> Dense:
        """Everything behind `decide`, one linear map; a row of durations for each pitch."""
        given, by_pitch = self.given, self.by_pitch.weight.double()
        rows = torch.einsum("dg,pg->pdg", self.duration.weight.double(), by_pitch).flatten(0, 1)
        weight = rows @ given.weight.double()
        bias = rows @ given.bias.double() + self.duration.bias.double().repeat(N_PITCHES)
        heads = self.pitch, self.pitch_votes, self.duration_votes
        weights, biases = ([getattr(head, kind).double() for head in heads] for kind in ("weight", "bias"))
        weights.insert(1, weight)
        biases.insert(1, bias)
        return Dense(array(torch.cat(weights).T), array(torch.cat(biases)))


@torch.no_grad()
def _look_at_the_present(cell: nn.Module) -> None:
    """Begin with a half that neither remembers nor listens to others, in place of a way around the layer."""
    assert isinstance(cell, nn.LSTM)
    size = cell.hidden_size
    for gate, bias in ((0, OPEN), (1, -OPEN), (2, 0.0), (3, OPEN)):  # write, keep, new, show
        half = slice(gate * size + size // 2, (gate + 1) * size)
        cell.bias_ih_l0[half] = bias
        cell.weight_hh_l0[half] = 0.0
