"""What the backbones have in common: features of each step in, a vector of each step out, explicit state."""

from __future__ import annotations

from abc import abstractmethod

from torch import Tensor, nn

State = list[Tensor]
"""State tensors of a batch, in the order of `Backbone.state_shapes`; all zeros after a reset."""


class Backbone(nn.Module):
    """A causal network over steps: tokens of a melody, frames of a piano roll.

    Attributes:
        features: Numbers that go in per step.
        width: Numbers that come out per step.
    """

    features: int
    width: int

    @abstractmethod
    def forward(self, steps: Tensor) -> Tensor:
        """Whole sequences from a reset: (batch, steps, features) -> (batch, steps, width)."""

    @abstractmethod
    def step(self, features: Tensor, state: State) -> tuple[Tensor, State]:
        """One step: (batch, features) and state -> (batch, width) and the following state."""

    @abstractmethod
    def state_shapes(self) -> dict[str, tuple[int, ...]]:
        """Shapes of the state tensors by name, without the batch."""

    def initial_state(self, batch: int) -> State:
        """State after a reset: zeros."""
        some = next(self.parameters())
        return [some.new_zeros(batch, *shape) for shape in self.state_shapes().values()]
