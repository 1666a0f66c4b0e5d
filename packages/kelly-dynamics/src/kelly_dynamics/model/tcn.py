"""`tcn`: dilated convolutions over the notes so far and, where the score is known, some notes ahead.

The stack is causal; hearing ahead is a delay. It takes the context of note t + look_ahead when it answers for
note t, so that one step per note, with the layers' pasts as state, gives what the whole sequence gives.

Source: Bai, Kolter and Koltun (2018), arXiv:1803.01271.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kelly_dynamics.model.scale import Scale
from kelly_dynamics.targets import OUTPUTS

KERNEL = 3


class Layer(nn.Module):
    """A residual causal convolution.

    Args:
        channels: Width.
        dilation: Notes between two taps.
        dropout: Dropout on what is added.
    """

    def __init__(self, channels: int, dilation: int, dropout: float) -> None:
        super().__init__()
        self.past = (KERNEL - 1) * dilation
        self.taps = nn.Conv1d(channels, channels, KERNEL, dilation=dilation)
        self.mix = nn.Conv1d(channels, channels, 1)
        self.dropout = nn.Dropout(dropout)

    def step(self, hidden: Tensor, past: Tensor) -> tuple[Tensor, Tensor]:
        """Advance by any number of notes.

        Args:
            hidden: `(batch, channels, notes)`.
            past: `(batch, channels, self.past)`, what came before.

        Returns:
            The same shape as `hidden`, and the past of what follows.
        """
        heard = torch.cat([past, hidden], dim=2)
        added = self.mix(F.relu(self.taps(heard)))
        return F.relu(hidden + self.dropout(added)), heard[:, :, -self.past :]


class DynamicsTcn(nn.Module):
    """Dilated convolutions.

    Args:
        n_inputs: Numbers about a note.
        channels: Width of every layer.
        layers: Number of layers; the last reaches back `2 ** layers` notes.
        look_ahead: Notes heard ahead.
        dropout: Dropout in every layer.
    """

    def __init__(
        self, n_inputs: int, channels: int = 64, layers: int = 7, look_ahead: int = 64, dropout: float = 0.1
    ) -> None:
        super().__init__()
        self.look_ahead = look_ahead
        self.scale = Scale(n_inputs)
        self.entry = nn.Conv1d(n_inputs, channels, 1)
        self.layers = nn.ModuleList(Layer(channels, 2**at, dropout) for at in range(layers))
        # The delayed context goes straight to the head too: a note's own numbers matter most.
        self.direct = nn.Conv1d(n_inputs, channels, 1)
        self.head = nn.Sequential(nn.ReLU(), nn.Conv1d(2 * channels, len(OUTPUTS), 1))

    def initial_state(self, batch: int) -> list[Tensor]:
        """Zeros: `(batch, channels, past)` of each layer, then `(batch, n_inputs, look_ahead)` contexts."""
        device = self.entry.weight.device
        width, n_inputs = self.entry.out_channels, self.entry.in_channels
        sizes = [layer.past for layer in self.layers if isinstance(layer, Layer)]
        state = [torch.zeros(batch, width, size, device=device) for size in sizes]
        delayed = [torch.zeros(batch, n_inputs, self.look_ahead, device=device)] if self.look_ahead else []
        return [*state, *delayed]

    def step(self, context: Tensor, state: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """Advance by any number of notes; answers lag `look_ahead` notes behind.

        Args:
            context: `(batch, notes, n_inputs)`.
            state: As `initial_state` gives it, or the last step.

        Returns:
            `(batch, notes, 4)` in units of the training notes' deviation, and the following state.
        """
        normal = self.scale(context).transpose(1, 2)  # (batch, n_inputs, notes)
        hidden, following = self.entry(normal), []
        for layer, past in zip(self.layers, state, strict=False):
            assert isinstance(layer, Layer)
            hidden, kept = layer.step(hidden, past)
            following.append(kept)
        if self.look_ahead:
            line = torch.cat([state[-1], normal], dim=2)
            normal, kept = line[:, :, : -self.look_ahead], line[:, :, -self.look_ahead :]
            following.append(kept)
        both = torch.cat([hidden, self.direct(normal)], dim=1)
        return self.head(both).transpose(1, 2), following

    def scaled(self, context: Tensor) -> Tensor:
        """Outputs for whole sequences, in units of the training notes' deviation; shapes as `forward`."""
        padded = F.pad(context, (0, 0, 0, self.look_ahead))
        answers, _ = self.step(padded, self.initial_state(len(context)))
        return answers[:, self.look_ahead :]

    def forward(self, context: Tensor) -> Tensor:
        """Describe how to play notes of whole sequences.

        Args:
            context: `(batch, notes, n_inputs)`, columns of `features.table.INPUTS`.

        Returns:
            `(batch, notes, 4)`: velocity, onset deviation (s), articulation (octaves), expression (share).
        """
        return self.scale.units(self.scaled(context))


class TcnStep(nn.Module):
    """The network as it is exported: some notes and the state in, answers and the following state out.

    Args:
        network: The trained network; its weights are shared.
    """

    def __init__(self, network: DynamicsTcn) -> None:
        super().__init__()
        self.network = network

    def forward(self, context: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        """Advance by `(batch, notes, n_inputs)`; the answers lag `look_ahead` notes behind.

        After the last note, `look_ahead` rows of zeros bring out the last answers.
        """
        answers, following = self.network.step(context, list(state))
        return self.network.scale.units(answers), *following


class WholeSteps(nn.Module):
    """An exported step in the place of the whole network: heard to the end, its delay taken out.

    Args:
        steps: Takes whole sequences from a reset, as `TcnStep` does; its answers lag behind.
        look_ahead: By how many notes.
    """

    def __init__(self, steps: nn.Module, look_ahead: int) -> None:
        super().__init__()
        self.steps = steps
        self.look_ahead = look_ahead

    def forward(self, context: Tensor) -> Tensor:
        """`(batch, notes, n_inputs)` to `(batch, notes, 4)`."""
        answers: Tensor = self.steps(F.pad(context, (0, 0, 0, self.look_ahead)))
        return answers[:, self.look_ahead :]
