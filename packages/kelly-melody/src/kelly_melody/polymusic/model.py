"""The network of head `keys`: what it sees of a frame, a backbone, a logit for each key of the next frame."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kelly_core.deployed import Deployed
from kelly_melody.model.backbone import Backbone, State
from kelly_melody.polymusic.keyboard import Keyboard
from kelly_melody.polymusic.memory import BUCKETS, KEYS


class Recall(NamedTuple):
    """What the memory says after each frame.

    Attributes:
        continuations: (..., candidates, 88).
        buckets: (..., candidates) int64.
    """

    continuations: Tensor
    buckets: Tensor


class KeysNet(nn.Module):
    """Frames in, logits of the keys in the frame after each out; the keys are independent given the past.

    Args:
        backbone: What carries the past; takes `backbone.features` numbers a frame.
        candidates: Continuations of the memory; 0: it isn't there.
        neighbours: Channels that look along the keyboard; 0: there are none.
        input_dropout: Share of the input dropped.
        dropout: Share of activations dropped before the output.
    """

    def __init__(
        self,
        backbone: Backbone,
        candidates: int = 0,
        neighbours: int = 0,
        input_dropout: float = 0.0,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.backbone, self.candidates = backbone, candidates
        self.enter = nn.Linear((3 + candidates) * KEYS, backbone.features)
        self.input_dropout, self.dropout = nn.Dropout(input_dropout), nn.Dropout(dropout)
        both = backbone.features + backbone.width
        self.leave = nn.Linear(both, KEYS)
        self.stay = nn.Linear(KEYS, KEYS)
        if candidates:
            # Each candidate has an embedding of its match's length, and two gates: how much a key that is in
            # the continuation gains, how much one that isn't loses.
            self.trust_in = nn.Embedding(candidates * BUCKETS, backbone.features)
            self.trust_out = nn.Embedding(candidates * BUCKETS, 2)
            self.gate = nn.Linear(both, 2 * candidates)
            nn.init.normal_(self.trust_in.weight, std=0.05)
            nn.init.zeros_(self.trust_out.weight)
        self.keyboard = Keyboard(both, neighbours) if neighbours else None
        with torch.no_grad():
            self.leave.weight.mul_(0.3)
            self.stay.weight.copy_(torch.eye(KEYS))
            self.stay.bias.zero_()

    def start_from(self, share: Tensor) -> None:
        """Let the output begin at how often each key sounds: (88,) shares of frames."""
        with torch.no_grad():
            self.leave.bias.copy_(torch.logit(share.clamp(1e-5, 1 - 1e-5)))

    def forward(self, roll: Tensor, continuations: Tensor, buckets: Tensor) -> Tensor:
        """Whole pieces from their first frame.

        Args:
            roll: (batch, frames, 88), 1 where a key sounds.
            continuations: (batch, frames, candidates, 88).
            buckets: (batch, frames, candidates) int64.

        Returns:
            (batch, frames, 88) logits of the frame after each.
        """
        recall = Recall(continuations, buckets)
        before = F.pad(roll, (0, 0, 1, 0))[:, :-1]
        entered = self._enter(roll, before, recall)
        return self._leave(entered, self.backbone(self.dropout(entered)), roll, before, recall)

    def step(self, frame: Tensor, before: Tensor, recall: Recall, state: State) -> tuple[Tensor, State]:
        """One frame: (batch, 88), the frame before it, and state to (batch, 88) logits and following state."""
        entered = self._enter(frame, before, recall)
        carried, following = self.backbone.step(entered, state)
        return self._leave(entered, carried, frame, before, recall), following

    def _enter(self, roll: Tensor, before: Tensor, recall: Recall) -> Tensor:
        change = roll - before
        parts = [roll, change.clamp(min=0.0), -change.clamp(max=0.0)]
        if self.candidates:
            parts.append(recall.continuations.flatten(-2))
        hidden = self.enter(self.input_dropout(torch.cat(parts, dim=-1)))
        if self.candidates:
            hidden = hidden + self.trust_in(self._place(recall.buckets)).sum(dim=-2)
        return torch.relu(hidden)

    def _leave(self, entered: Tensor, carried: Tensor, roll: Tensor, before: Tensor, recall: Recall) -> Tensor:
        hidden = self.dropout(torch.cat((entered, carried), dim=-1))
        logits: Tensor = self.leave(hidden) + self.stay(roll)
        if self.keyboard is not None:
            logits = logits + self.keyboard(roll, before, hidden)
        if not self.candidates:
            return logits
        gates = self.gate(hidden).unflatten(-1, (self.candidates, 2))
        gates = (gates + self.trust_out(self._place(recall.buckets))) * (recall.buckets > 0)[..., None]
        gain, loss = gates[..., :1], gates[..., 1:]  # (..., candidates, 1)
        heard = recall.continuations
        return logits + (gain * heard - loss * (1.0 - heard)).sum(dim=-2)

    def _place(self, buckets: Tensor) -> Tensor:
        return buckets + BUCKETS * torch.arange(self.candidates, device=buckets.device)


class KeysStep(nn.Module):
    """What is exported: one frame, what the memory says after it, and the state.

    Args:
        net: The trained network; its weights are shared.
    """

    def __init__(self, net: KeysNet) -> None:
        super().__init__()
        self.net = net

    def initial_state(self, batch: int) -> State:
        """Silence before the first frame, and the backbone's reset."""
        return [self.net.leave.weight.new_zeros(batch, KEYS), *self.net.backbone.initial_state(batch)]

    def forward(self, frame: Tensor, *rest: Tensor) -> tuple[Tensor, ...]:
        """Advance by one frame.

        Args:
            frame: (batch, 88).
            rest: With a memory (batch, candidates, 88) continuations and (batch, candidates) buckets; then the
                frame before, (batch, 88), and the backbone's state.

        Returns:
            (batch, 88) logits, the frame, and the backbone's following state.
        """
        if self.net.candidates:
            recall, (before, *state) = Recall(rest[0], rest[1]), rest[2:]
        else:
            recall, (before, *state) = Recall(frame[:, None, :0], frame[:, :0].long()), rest
        logits, following = self.net.step(frame, before, recall, list(state))
        return logits, frame * 1.0, *following


class PlayedFrames(nn.Module):
    """An exported step in the place of the network: called frame by frame over whole pieces.

    Args:
        steps: The exported file.
        candidates: Continuations of the memory; 0: the file takes none.
    """

    def __init__(self, steps: Deployed, candidates: int) -> None:
        super().__init__()
        self.steps, self.candidates = steps, candidates

    def forward(self, roll: Tensor, continuations: Tensor, buckets: Tensor) -> Tensor:
        """As `KeysNet.forward`."""
        recall = (continuations, buckets) if self.candidates else ()
        return self.steps.through((roll, *recall))[0]
