"""What the architectures share: the way in, the way out, and the prior of which chord follows which."""

from __future__ import annotations

from abc import abstractmethod

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kelly_core.deployed import Deployed
from kelly_harmony.chords import N_CHORDS
from kelly_harmony.model.turning import Turning
from kelly_harmony.prior import Prior, no_prior

EMBEDDING = 64
"""Numbers that stand for a chord: what it does in the key, so that all transpositions have the same."""


class Channels(nn.Module):
    """Dropout of whole channels of a tune: cheaper than of single numbers, and no worse.

    Args:
        share: How many.
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def forward(self, hidden: Tensor) -> Tensor:
        """(batch, beats, channels) -> the same."""
        if not self.training or not self.share:
            return hidden
        kept = torch.rand(hidden.shape[0], 1, hidden.shape[2], device=hidden.device) >= self.share
        return hidden * (kept.to(hidden.dtype) / (1.0 - self.share))


class Harmony(nn.Module):
    """A network that names the chord of each beat.

    Attributes:
        look_ahead: Beats by which answers lag behind in `step`.
    """

    stay: Tensor
    move: Tensor
    look_ahead: int = 0

    def __init__(self, width: int) -> None:
        super().__init__()
        self.turning = Turning()
        self.embed = nn.Linear(width, EMBEDDING)
        self.name = nn.Linear(EMBEDDING, N_CHORDS)
        nothing = no_prior()
        self.register_buffer("stay", torch.from_numpy(nothing.stay))
        self.register_buffer("move", torch.from_numpy(nothing.move))

    @property
    def prior(self) -> Prior:
        """Which chord follows which; it goes with the weights and isn't a part of the network."""
        return Prior(self.stay.cpu().numpy(), self.move.cpu().numpy())

    @prior.setter
    def prior(self, prior: Prior) -> None:
        self.stay.copy_(torch.from_numpy(prior.stay))
        self.move.copy_(torch.from_numpy(prior.move))

    @abstractmethod
    def hear(self, beats: Tensor, present: Tensor) -> Tensor:
        """Hidden vectors of whole tunes: (batch, beats, INPUTS), (batch, beats, 1) -> (batch, beats, width)."""

    @abstractmethod
    def initial_state(self, batch: int) -> list[Tensor]:
        """State before the first beat, zeros throughout."""

    @abstractmethod
    def advance(self, beats: Tensor, state: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """One beat: (batch, INPUTS) and the state -> (batch, width) and the following state."""

    def forward(self, melody: Tensor, metre: Tensor, key: Tensor) -> tuple[Tensor, Tensor]:
        """Name the chords of whole tunes.

        Args:
            melody: (batch, beats, MELODY).
            metre: (batch, beats, METRE), zeros behind the end of a tune.
            key: (batch, beats) int64.

        Returns:
            (batch, beats, N_CHORDS) logits by root, and (batch, beats, EMBEDDING).
        """
        hidden = self.hear(self.turning.beats(melody, metre, key), metre[..., -1:])
        embedded = self.embed(hidden)
        return self.turning.chords(self.name(embedded), key), embedded


class HarmonyStep(nn.Module):
    """The network as it is exported: one beat and the state in, chord and following state out.

    Args:
        net: The trained network; its weights are shared.
    """

    def __init__(self, net: Harmony) -> None:
        super().__init__()
        self.net = net

    def initial_state(self, batch: int) -> list[Tensor]:
        """Zeros."""
        late = [torch.zeros(batch, self.net.look_ahead)] if self.net.look_ahead else []
        return [*self.net.initial_state(batch), *late]

    def forward(self, melody: Tensor, metre: Tensor, key: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        """Advance by a beat; with a look-ahead the answer is about an earlier beat.

        Args:
            melody: (batch, MELODY).
            metre: (batch, METRE); zeros after the last beat, to bring out the last answers.
            key: (batch,) int64.
            state: As `initial_state` gives it, or the last call.

        Returns:
            (batch, N_CHORDS) logits, (batch, EMBEDDING), and the following state.
        """
        net = self.net
        parts = list(state)
        asked = key
        if net.look_ahead:
            keys = torch.cat((parts.pop(), key.to(melody.dtype)[:, None]), dim=1)
            asked, late = keys[:, 0].to(torch.int64), [keys[:, 1:]]
        else:
            late = []
        hidden, following = net.advance(net.turning.beats(melody, metre, key), parts)
        embedded = net.embed(hidden)
        logits = net.turning.chords(net.name(embedded), asked)
        return (logits, embedded, *following, *late)


class PlayedBeats(nn.Module):
    """An exported step in the place of the network: called beat by beat over whole tunes, its delay taken out.

    Args:
        steps: The exported file.
        look_ahead: Beats by which its answers lag behind.
    """

    def __init__(self, steps: Deployed, look_ahead: int) -> None:
        super().__init__()
        self.steps, self.look_ahead = steps, look_ahead

    def forward(self, melody: Tensor, metre: Tensor, key: Tensor) -> tuple[Tensor, Tensor]:
        """As `Harmony.forward`."""
        late = self.look_ahead
        ended = [F.pad(tensor, (0, 0, 0, late)) for tensor in (melody, metre)]
        asked = F.pad(key, (0, late))
        logits, embedded = self.steps.through((*ended, asked))
        return logits[:, late:], embedded[:, late:]
