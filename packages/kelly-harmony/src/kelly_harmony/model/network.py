"""What the architectures share: the way in, the way out, and the prior of which chord follows which."""

from __future__ import annotations

from abc import abstractmethod

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kelly_core.deployed import Deployed
from kelly_harmony.chords import N_CHORDS, N_QUALITIES, NONE
from kelly_harmony.lead import PHASES, PLACES
from kelly_harmony.model.turning import Turning
from kelly_harmony.prior import STRENGTHS

EMBEDDING = 64
"""Numbers that stand for a chord: what it does in the key, so that all transpositions have the same."""
_FOUR = PLACES + 2 * len(PHASES) + 2
"""Column of `metre` that is 1 in bars of four beats."""


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

    prior: Tensor
    look_ahead: int = 0

    def __init__(self, width: int) -> None:
        super().__init__()
        self.turning = Turning()
        self.embed = nn.Linear(width, EMBEDDING)
        self.name = nn.Linear(EMBEDDING, N_CHORDS)
        uniform = torch.full((2, STRENGTHS, N_CHORDS + 1, N_CHORDS), 1.0 / N_CHORDS).log()
        self.register_buffer("prior", uniform)

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

    def follow(self, previous: Tensor, metre: Tensor, key: Tensor) -> Tensor:
        """Log-probability of each chord after another, whatever the melody.

        Args:
            previous: (batch,) int64, the chord of the beat before, by root; `N_CHORDS` where there is none.
            metre: (batch, METRE), of this beat.
            key: (batch,) int64.

        Returns:
            (batch, N_CHORDS).
        """
        tonic = torch.div(key, 2, rounding_mode="floor")
        quality = previous % N_QUALITIES
        root = torch.div(previous, N_QUALITIES, rounding_mode="floor")
        degree = (root - tonic) % 12 * N_QUALITIES + quality
        before = torch.where(previous < NONE, degree, previous)
        middle = (metre[:, 2] * metre[:, _FOUR] > 0.5).to(torch.int64)
        strength = torch.where(metre[:, 0] > 0.5, torch.zeros_like(middle), 2 - middle)
        return self.turning.chords(self.prior[key % 2, strength, before], key)


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

    def forward(
        self, melody: Tensor, metre: Tensor, key: Tensor, previous: Tensor, *state: Tensor
    ) -> tuple[Tensor, ...]:
        """Advance by a beat; with a look-ahead the answer is about an earlier beat.

        Args:
            melody: (batch, MELODY).
            metre: (batch, METRE); zeros after the last beat, to bring out the last answers.
            key: (batch,) int64.
            previous: (batch,) int64, for the prior alone.
            state: As `initial_state` gives it, or the last call.

        Returns:
            (batch, N_CHORDS) logits, (batch, EMBEDDING), (batch, N_CHORDS) prior, and the following state.
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
        return (logits, embedded, net.follow(previous, metre, key), *following, *late)


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
        previous = torch.full_like(asked, N_CHORDS)  # of use to the prior alone
        logits, embedded, _ = self.steps.through((*ended, asked, previous))
        return logits[:, late:], embedded[:, late:]
