"""The network of MelodyTransformer: a backbone, and a head in which the memory of the tune has votes.

The pitch's logits are what the network makes of everything it was told, plus a learned number for each source
of the memory on the pitch that it proposes. Durations are said for every pitch at once (one row each), since
the pitch is drawn first; there a source votes for its duration with one number, and with another one on the row
of its own pitch.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from kelly_core.deployed import Deployed
from kelly_melody.config import MelodyConfig
from kelly_melody.features.inputs import PLACE, PROPOSAL, TOKEN
from kelly_melody.features.memory import N_SOURCES
from kelly_melody.model.backbone import Backbone, State
from kelly_melody.model.build import build_backbone
from kelly_melody.model.frames import FramesNet
from kelly_melody.model.votes import GIVEN, PROPOSED, joined, votes_given, votes_on_durations, votes_on_pitches
from kelly_melody.tokens import N_DURATIONS, N_PITCHES


class MelodyNet(nn.Module):
    """From what is told at each token to logits of the next one.

    Args:
        backbone: What looks back over the tokens.
        hidden: Width of the dense layers behind it.
        dropout: Share of activations dropped after each layer.
    """

    def __init__(self, backbone: Backbone, hidden: int, dropout: float) -> None:
        super().__init__()
        width = backbone.width
        self.backbone = backbone
        self.propose = nn.Linear(PROPOSAL, PROPOSED)
        inputs = TOKEN + PLACE + N_SOURCES * PROPOSED
        self.enter = nn.Sequential(nn.Linear(inputs, backbone.features), nn.GELU(), nn.Dropout(dropout))
        self.decide = nn.Sequential(
            nn.Linear(backbone.features + width, hidden), nn.GELU(), nn.Dropout(dropout)
        )
        self.pitch = nn.Linear(hidden, N_PITCHES)
        self.pitch_votes = nn.Linear(hidden, N_SOURCES)
        self.given = nn.Linear(hidden, GIVEN)
        self.by_pitch = nn.Embedding(N_PITCHES, GIVEN)
        self.duration = nn.Linear(GIVEN, N_DURATIONS)
        self.duration_votes = nn.Linear(hidden, 2 * N_SOURCES)

    def forward(self, last: Tensor, place: Tensor, proposals: Tensor, pitch: Tensor) -> tuple[Tensor, Tensor]:
        """Whole melodies from their start.

        Args:
            last: (batch, tokens, TOKEN).
            place: (batch, tokens, PLACE).
            proposals: (batch, tokens, sources, PROPOSAL).
            pitch: (batch, tokens) int64, the pitches for which durations are asked.

        Returns:
            Logits: (batch, tokens, N_PITCHES) and, given these pitches, (batch, tokens, N_DURATIONS).
        """
        entered = self._enter(last, place, proposals)
        hidden = self.decide(torch.cat((entered, self.backbone(entered)), dim=-1))
        given = torch.relu(self.given(hidden) + self.by_pitch(pitch))
        pitches = self.pitch(hidden) + votes_on_pitches(self.pitch_votes(hidden), proposals)
        return pitches, self.duration(given) + votes_given(self.duration_votes(hidden), proposals, pitch)

    def step(
        self, last: Tensor, place: Tensor, proposals: Tensor, state: State
    ) -> tuple[Tensor, Tensor, State]:
        """One token.

        Args:
            last: (batch, TOKEN).
            place: (batch, PLACE).
            proposals: (batch, sources, PROPOSAL).
            state: Of the backbone.

        Returns:
            Logits (batch, N_PITCHES) and, a row for each pitch, (batch, N_PITCHES, N_DURATIONS); the state.
        """
        entered = self._enter(last, place, proposals)
        seen, state = self.backbone.step(entered, state)
        hidden = self.decide(torch.cat((entered, seen), dim=-1))
        pitches, votes, given, duration_votes = joined(
            hidden, self.pitch, self.pitch_votes, self.given, self.duration_votes
        )
        durations = self.duration(torch.relu(given[:, None] + self.by_pitch.weight))
        durations = durations + votes_on_durations(duration_votes, proposals)
        return pitches + votes_on_pitches(votes, proposals), durations, state

    def _enter(self, last: Tensor, place: Tensor, proposals: Tensor) -> Tensor:
        proposed = self.propose(proposals)
        proposed = proposed.reshape(*proposed.shape[:-2], N_SOURCES * PROPOSED)
        entered: Tensor = self.enter(torch.cat((last, place, proposed), dim=-1))
        return entered


class MelodyStep(nn.Module):
    """What is exported: one token, with the state as further inputs and outputs.

    Args:
        net: The trained network.
    """

    def __init__(self, net: MelodyNet | FramesNet) -> None:
        super().__init__()
        self.net = net

    def initial_state(self, batch: int) -> State:
        """Nothing was heard yet."""
        return self.net.backbone.initial_state(batch)

    def forward(self, last: Tensor, place: Tensor, proposals: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        """As `MelodyNet.step`: pitch, duration, then the following state."""
        pitch, duration, following = self.net.step(last, place, proposals, list(state))
        return (pitch, duration, *following)


class PlayedTokens(nn.Module):
    """An exported step in the place of the network: called token by token over whole melodies.

    Args:
        steps: The exported file.
    """

    def __init__(self, steps: Deployed) -> None:
        super().__init__()
        self.steps = steps

    def forward(self, last: Tensor, place: Tensor, proposals: Tensor, pitch: Tensor) -> tuple[Tensor, Tensor]:
        """As `MelodyNet.forward`."""
        pitches, table = self.steps.through((last, place, proposals))
        rows = pitch[..., None, None].expand(*pitch.shape, 1, N_DURATIONS)
        return pitches, table.gather(-2, rows).squeeze(-2)


def build_network(config: MelodyConfig) -> MelodyNet | FramesNet:
    """The configured network with fresh weights."""
    kind = FramesNet if config.architecture_type == "frames" else MelodyNet
    return kind(build_backbone(config), config.network.hidden, config.dropout)
