"""What is exported: one step of one or several drummers, with the memory of `live` as explicit state."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from kelly_core.deployed import Deployed
from kelly_groove.config import RECENT
from kelly_groove.model.memory import VALUES
from kelly_groove.model.network import OUTPUTS, Groove, LiveNet, ScoreNet, bounded

STATE = ("keys", "values", "key", "raw")
"""State tensors of `live`, in order: keys and values of the remembered steps, oldest first; key and raw
prediction of the step before, whose hits come in with the next call."""


class ScoreStep(nn.Module):
    """A step from its window alone; no state.

    Args:
        net: The trained network.
    """

    def __init__(self, net: ScoreNet) -> None:
        super().__init__()
        self.net = net

    def forward(
        self, window: Tensor, context: Tensor, style: Tensor, family: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """(batch, WINDOW, drums), (batch, CONTEXT), (batch,), (batch,) to four (batch, drums)."""
        return tuple(self.net(window, context, style, family))


class LiveStep(nn.Module):
    """A step from its window, what was played at the step before, and the memory.

    Args:
        net: The trained network.
    """

    age: Tensor

    def __init__(self, net: LiveNet) -> None:
        super().__init__()
        self.net = net
        self.register_buffer("age", torch.arange(net.memory.span, 0, -1)[None], persistent=False)

    def initial_state(self, batch: int) -> list[Tensor]:
        """Nothing is remembered: zeros."""
        weight = self.net.memory.keys.weight
        return [weight.new_zeros(batch, *shape) for shape in state_shapes(self.net)]

    def forward(
        self,
        window: Tensor,
        context: Tensor,
        style: Tensor,
        family: Tensor,
        played: Tensor,
        keys: Tensor,
        values: Tensor,
        key: Tensor,
        raw: Tensor,
    ) -> tuple[Tensor, ...]:
        """Advance by one step.

        Args:
            window: (batch, WINDOW, drums), of this step.
            context: (batch, CONTEXT), of this step.
            style: (batch,) int64.
            family: (batch,) int64.
            played: (batch, drums, 3), of the step before: hit (0 or 1), offset in 16ths, velocity / 127.
            keys: (batch, span, heads x size), state.
            values: (batch, span, VALUES), state.
            key: (batch, heads x size), state: key of the step before.
            raw: (batch, OUTPUTS), state: the score's raw prediction of the step before.

        Returns:
            Four (batch, drums) predictions, then the following state.
        """
        net, memory = self.net, self.net.memory
        keys = torch.cat((keys[:, 1:], key[:, None]), dim=1)
        values = torch.cat((values[:, 1:], net.surprise(raw, played)[:, None]), dim=1)
        hidden, raw, key = net.encode(window, context, style, family)
        past = keys.unflatten(2, (memory.heads, memory.size))
        remembered = memory(key[:, None], past, values, self.age)[:, 0]
        recent = values[:, memory.span - RECENT :].flatten(1)
        groove: Groove = bounded(net.decide(hidden, raw, remembered, recent))
        return (*groove, keys, values, key.flatten(1), raw)


class PlayedSteps(nn.Module):
    """An exported step in the place of the whole network: called step by step over a performance.

    Args:
        steps: `kelly_core.deployed.Deployed` of a step.
    """

    def __init__(self, steps: Deployed) -> None:
        super().__init__()
        self.steps = steps

    def forward(self, *inputs: Tensor) -> Groove | tuple[Groove, None]:
        """Inputs as the network's, (1, steps, ...); of a live network the second answer is left out."""
        rows = [tensor[0] for tensor in inputs]
        if not self.steps.interface.state:
            return Groove(*(said[None] for said in self.steps(*rows)))
        *written, played = rows
        before = torch.cat((torch.zeros_like(played[:1]), played[:-1]))
        state, said = self.steps.initial_state(1), []
        for at in range(len(played)):
            outputs, state = self.steps.step([row[at : at + 1] for row in (*written, before)], state)
            said.append(outputs)
        return Groove(*(torch.cat(part)[None] for part in zip(*said, strict=True))), None


def state_shapes(net: LiveNet) -> list[tuple[int, ...]]:
    """Shapes of the state tensors without the batch, in the order of `STATE`."""
    memory = net.memory
    wide = memory.heads * memory.size
    return [(memory.span, wide), (memory.span, VALUES), (wide,), (OUTPUTS,)]
