"""How runtimes that compute frame by frame see a model's tensors."""

from __future__ import annotations

from pydantic import Field

from kelly_core.config.base import StrictModel
from kelly_core.contract.host import HostStep, Turn, Votes


class ChainTensor(StrictModel):
    """A tensor as a part of a frame: its numbers without batch and time, in C order."""

    name: str = Field(description="one of the contract's tensors")
    size: int = Field(description="numbers in the frame")
    one_hot: bool = Field(default=False, description="an index; in the frame a 1 at its place among zeros")


class ChainState(StrictModel):
    """A state tensor as memory of a layer."""

    name: str = Field(description="one of the contract's tensors")
    axes: list[int] = Field(
        description="axes of the tensor, without the batch, in the layer's order: (past, features, channels)"
    )
    at: int | None = Field(default=None, description="index into its first axis, where layers share a tensor")


class ChainInfo(StrictModel):
    """How runtimes that compute frame by frame see the tensors; parts of a frame stand side by side."""

    time: str = Field(default="", description="the dimension that counts frames; empty: a call is a frame")
    inputs: list[ChainTensor] = Field(default=[], description="parts of the frame that goes in")
    outputs: list[ChainTensor] = Field(
        default=[], description="the outputs; behind them, what host steps alone take"
    )
    state: list[ChainState] = Field(default=[], description="in the order of the layers")
    prepare: list[Turn] = Field(default=[], description="what is done with a frame before the first layer")
    host: list[HostStep] = Field(default=[], description="what is done with a frame behind the last layer")

    @property
    def finished(self) -> list[ChainTensor]:
        """Parts of a frame that are left after the host's steps: the model's outputs."""
        taken = {step.weights for step in self.host if isinstance(step, Votes)}
        return [slot for slot in self.outputs if slot.name not in taken]
