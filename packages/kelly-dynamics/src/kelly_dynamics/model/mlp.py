"""`mlp`: dense layers on the numbers about each note; notes don't see each other."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from kelly_core.chain import Layer, layers_of
from kelly_dynamics.model.scale import Scale
from kelly_dynamics.targets import OUTPUTS


class DynamicsMlp(nn.Module):
    """A tiny dense net.

    Args:
        n_inputs: Numbers about a note.
        hidden_layers: Widths of the dense layers.
        dropout: Dropout after each.
    """

    def __init__(self, n_inputs: int, hidden_layers: Sequence[int] = (128, 64), dropout: float = 0.1) -> None:
        super().__init__()
        self.scale = Scale(n_inputs)
        layers: list[nn.Module] = []
        width = n_inputs
        for size in hidden_layers:
            layers += [nn.Linear(width, size), nn.ReLU(), nn.Dropout(dropout)]
            width = size
        self.net = nn.Sequential(*layers, nn.Linear(width, len(OUTPUTS)))

    def scaled(self, context: Tensor) -> Tensor:
        """Outputs in units of the training notes' deviation, unbounded, for the loss; shapes as `forward`."""
        result: Tensor = self.net(self.scale(context))
        return result

    def chain_layers(self) -> list[Layer]:
        """`forward` for one note, as layers of a chain."""
        before = self.scale.layers_before()
        return [*before, *layers_of(self.net, before[-1].outputs, "net"), *self.scale.layers_after()]

    def forward(self, context: Tensor) -> Tensor:
        """Describe how to play notes.

        Args:
            context: `(batch, notes, n_inputs)`, columns of `features.table.INPUTS`.

        Returns:
            `(batch, notes, 4)`: velocity, onset deviation (s), articulation (octaves), expression (share).
        """
        return self.scale.units(self.scaled(context))
