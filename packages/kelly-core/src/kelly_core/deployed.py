"""An exported file in the place of the trained network, so that the same code measures both."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from kelly_core.runtime import ModuleRunner

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kelly_core.contract import TensorInfo
    from kelly_core.export import Runner
    from kelly_core.task import Interface, Task


class Deployed(nn.Module):
    """A module that computes by asking a runner.

    Args:
        runner: The opened file.
        interface: Its inputs, outputs and state, in order.
    """

    def __init__(self, runner: Runner, interface: Interface) -> None:
        super().__init__()
        self.runner = runner
        self.interface = interface
        # Code that asks a network for its device finds the CPU.
        self.nothing = nn.Parameter(torch.zeros(0), requires_grad=False)

    def forward(self, *inputs: Tensor) -> Any:
        """Outputs for inputs in the contract's order, from a reset; one tensor where there is one output."""
        outputs, _ = self.step(inputs, self.initial_state(len(inputs[0])))
        return outputs[0] if len(outputs) == 1 else tuple(outputs)

    def initial_state(self, batch: int) -> list[Tensor]:
        """State tensors after a reset."""
        return [
            torch.full([batch if isinstance(dim, str) else dim for dim in info.shape], info.reset)
            for info in self.interface.state
        ]

    def step(self, inputs: Sequence[Tensor], state: Sequence[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        """One call: outputs, and the state of the following one."""
        feeds = [*self.interface.inputs, *self.interface.state]
        values = (tensor.contiguous().numpy() for tensor in (*inputs, *state))
        given = self.runner.run({info.name: value for info, value in zip(feeds, values, strict=True)})
        outputs = [torch.from_numpy(given[info.name]) for info in self.interface.outputs]
        return outputs, [torch.from_numpy(given[info.next_name]) for info in self.interface.state]

    def through(self, inputs: Sequence[Tensor]) -> list[Tensor]:
        """Sequences step by step from a reset, for a file whose call is one step.

        Args:
            inputs: In the contract's order, each (batch, steps, ...).

        Returns:
            Outputs in the contract's order, each (batch, steps, ...).
        """
        state, said = self.initial_state(len(inputs[0])), []
        for at in range(inputs[0].shape[1]):
            outputs, state = self.step([sequence[:, at] for sequence in inputs], state)
            said.append(outputs)
        return [torch.stack(steps, dim=1) for steps in zip(*said, strict=True)]


def in_steps(
    task: Task[Any], model: nn.Module, inputs: Sequence[TensorInfo], outputs: Sequence[TensorInfo]
) -> Callable[[Runner], Runner]:
    """What makes of a runner of single steps one of whole sequences, as `Task.deployed` calls the steps.

    For the `reference` of a `View` that takes whole sequences.

    Args:
        task: Implements `deployed`.
        model: The trained network.
        inputs: What its `forward` takes, in order.
        outputs: What it gives, in order.
    """

    def runner_of(runner: Runner) -> Runner:
        return ModuleRunner(task.deployed(model, runner).eval(), inputs, outputs)

    return runner_of
