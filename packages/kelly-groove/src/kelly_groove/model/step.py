"""What is exported: one step of one or several drummers, with the memory of `live` as explicit state."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from kelly_core.deployed import Deployed
from kelly_groove.config import RECENT
from kelly_groove.grid import N_DRUMS, REACH
from kelly_groove.model.mlp import MlpGroove
from kelly_groove.model.network import Groove, GrooveNet, drum_rows
from kelly_groove.model.past import (
    COLUMNS,
    NUMBERS,
    PLACES,
    ROWS,
    differences_along,
    likeness,
    read,
    told_of,
    values_of,
    write,
)

STATE = ("table", "values", "score", "place")
"""State tensors of `live`, in order: the table of what was played; what was played at the remembered steps,
oldest first; what was written from `REACH` steps before the first of them to `REACH` steps after the last;
place in the bar of the step before, whose hits come in with the next call."""


class ScoreStep(nn.Module):
    """A step from its window alone; no state.

    Args:
        net: The trained network.
    """

    def __init__(self, net: GrooveNet | MlpGroove) -> None:
        super().__init__()
        self.net = net

    def forward(self, window: Tensor, context: Tensor, style: Tensor, family: Tensor) -> tuple[Tensor, ...]:
        """(batch, WINDOW, drums), (batch, CONTEXT), (batch,), (batch,) to four (batch, drums)."""
        return tuple(self.net.step(window, context, style, family))


class LiveStep(nn.Module):
    """A step from its window, what was played at the step before, and the memory.

    Args:
        net: The trained network.
        span: Steps that are remembered one by one.
    """

    age: Tensor

    def __init__(self, net: GrooveNet, span: int) -> None:
        super().__init__()
        self.net, self.span = net, span
        steps = torch.arange(span)
        self.register_buffer("age", (span - steps)[None], persistent=False)

    def initial_state(self, batch: int) -> list[Tensor]:
        """Nothing is remembered: zeros."""
        return [self.net.head.weight.new_zeros(batch, *shape) for shape in state_shapes(self.span)]

    def forward(
        self,
        window: Tensor,
        context: Tensor,
        style: Tensor,
        family: Tensor,
        played: Tensor,
        table: Tensor,
        values: Tensor,
        score: Tensor,
        place: Tensor,
    ) -> tuple[Tensor, ...]:
        """Advance by one step.

        Args:
            window: (batch, WINDOW, drums), of this step.
            context: (batch, CONTEXT), of this step.
            style: (batch,) int64.
            family: (batch,) int64.
            played: (batch, drums, 3), of the step before: hit (0 or 1), offset in 16ths, velocity / 127.
            table: (batch, ROWS, COLUMNS, NUMBERS), state.
            values: (batch, span, 3 x drums + PLACES), state.
            score: (batch, span + 2 x REACH, drums), state.
            place: (batch, PLACES), state.

        Returns:
            Four (batch, drums) predictions, then the following state.
        """
        table = write(table, place, played)
        values = torch.cat((values[:, 1:], values_of(played, place)[:, None]), dim=1)
        place = context[:, :PLACES]
        wrong = differences_along(window, score)
        alike = likeness(wrong, place[:, None], values, self.age, self.span)[:, 0]
        past = torch.cat((read(table, place), alike), dim=-1)
        heard = values[:, self.span - RECENT :, : 3 * N_DRUMS].unflatten(2, (3, N_DRUMS)).transpose(2, 3)
        recent = told_of(heard).flip(1).flatten(1)
        groove: Groove = self.net(window, context, style, family, drum_rows(past, context), recent)
        score = torch.cat((score[:, 1 : self.span], window), dim=1)
        return (*groove, table, values, score, place)


class PlayedSteps(nn.Module):
    """An exported step in the place of the network: called step by step over a performance.

    Args:
        steps: The exported file.
    """

    def __init__(self, steps: Deployed) -> None:
        super().__init__()
        self.steps = steps

    def forward(
        self, window: Tensor, context: Tensor, style: Tensor, family: Tensor, played: Tensor | None = None
    ) -> Groove:
        """Predict every step of a performance.

        Args:
            window: (steps, WINDOW, drums).
            context: (steps, CONTEXT).
            style: (steps,) int64.
            family: (steps,) int64.
            played: (steps, drums, 3), for input live; what is played at a step is used for later ones only.

        Returns:
            Each (steps, drums).
        """
        written = (window, context, style, family)
        if played is None:
            return Groove(*self.steps(*written))
        before = torch.cat((torch.zeros_like(played[:1]), played[:-1]))
        return Groove(*(said[0] for said in self.steps.through([row[None] for row in (*written, before)])))


def state_shapes(span: int) -> list[tuple[int, ...]]:
    """Shapes of the state tensors without the batch, in the order of `STATE`."""
    return [
        (ROWS, COLUMNS, NUMBERS),
        (span, 3 * N_DRUMS + PLACES),
        (span + 2 * REACH, N_DRUMS),
        (PLACES,),
    ]
