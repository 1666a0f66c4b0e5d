"""What an exporter gets and what a runtime offers: the two sides of an artefact."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import nn

    from kelly_core.chain import Chain
    from kelly_core.contract import Contract, TensorInfo
    from kelly_core.errors import FormatError
    from kelly_core.task import Source

Arrays = Mapping[str, NDArray[Any]]
"""Arrays by the name of their tensor."""


@dataclass(frozen=True, slots=True)
class View:
    """Another interface of a trained network, without state: sound in place of features, whole sequences.

    Attributes:
        inputs: What a file takes.
        outputs: What it gives; empty for the contract's outputs.
        window: Usual size of each varying dimension.
        module: Takes the inputs in order, gives the outputs in order; it is what is written.
        reference: `reference(runner) -> Runner`: what the file has to compute, made of a runner with the
            contract's own interface: features in front of it, or its steps one after the other.
        example: `example(source, batch)`: real inputs.
        extremes: Named edge cases.
    """

    inputs: Sequence[TensorInfo]
    outputs: Sequence[TensorInfo]
    window: Mapping[str, int]
    module: nn.Module
    reference: Callable[[Runner], Runner]
    example: Callable[[Source, int], Arrays]
    extremes: Mapping[str, Arrays]


@dataclass(frozen=True, slots=True)
class ExportBundle:
    """A trained model on its way into a file.

    Attributes:
        module: In evaluation mode, on the CPU; takes `contract.feeds` and gives `contract.fetches`, in order.
        contract: Names, shapes and dtypes; `artifacts` still empty.
        example: Real inputs, batch 1, by name, with the reset state of a recurrent model.
        metadata: Text to store inside the file where the format can: labels, features, versions,
            checksum of the checkpoint.
        chain: The network as a chain of layers computed frame by frame, or why it isn't one.
        reference: What the file is compared with; None for the module itself.
    """

    module: nn.Module
    contract: Contract
    example: Arrays
    metadata: Mapping[str, str]
    chain: Chain | FormatError | None = None
    reference: Runner | None = None

    def require_chain(self) -> Chain:
        """The chain.

        Raises:
            FormatError: The network isn't one; says which layer, and which network would be.
        """
        from kelly_core.chain import Chain, refusal

        if isinstance(self.chain, Chain):
            return self.chain
        raise self.chain or refusal(self.module, "another format carries it, e.g. onnx")


class Runner(Protocol):
    """A loaded artefact in its runtime."""

    def run(self, inputs: Arrays) -> dict[str, NDArray[Any]]:
        """Outputs by name for inputs by name. Thread-safe."""
        ...


@dataclass(frozen=True, slots=True)
class Inspection:
    """What can be told of an artefact without running it.

    Attributes:
        problems: What is wrong, one sentence each.
        facts: What was found right, for people: `"27 weights are the checkpoint's"`.
    """

    problems: Sequence[str] = ()
    facts: Sequence[str] = ()
