"""Files that begin with the front end: the network with what makes its inputs from sound in front."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from kelly_core.contract import BATCH, Contract, GoldenVector, RawInterface
from kelly_core.errors import FormatError
from kelly_core.export import ExportBundle
from kelly_core.runtime import ModuleRunner
from kelly_core.tensors import resized
from kelly_core.verify import Case, golden_inputs, parity_cases, random_inputs

if TYPE_CHECKING:
    from torch import nn

    from kelly_core.export import Arrays, FrontEnd, Runner
    from kelly_core.task import Source, Task


class BehindFeatures:
    """What features make of raw inputs, in a runner: what `kelly predict` computes.

    Args:
        features: Raw inputs by name to the inputs of the runner.
        runner: Takes these.
    """

    def __init__(self, features: Callable[[Arrays], Arrays], runner: Runner) -> None:
        self.features = features
        self.runner = runner

    def run(self, inputs: Arrays) -> dict[str, NDArray[Any]]:
        """Outputs by name."""
        return self.runner.run(self.features(inputs))


def raw_bundle(
    task: Task[Any], bundle: ExportBundle, source: Source | None, examples: int
) -> tuple[ExportBundle, dict[str, Case]]:
    """A bundle with the front end in the module, raw inputs in the contract, and the cases to try it on.

    Args:
        task: Whose front end it is.
        bundle: The network alone.
        source: Real items; None takes seeded random numbers.
        examples: Items of the larger batch.

    Raises:
        FormatError: The model has none, or passes state from call to call.
    """
    front = front_end_of(task, bundle.contract)
    reference = BehindFeatures(front.features, ModuleRunner(bundle.module, bundle.contract))
    bare = RawInterface(inputs=list(front.inputs), window=dict(front.window))
    view = bundle.contract.model_copy(update={"raw": bare}).with_raw_inputs()
    single, many = (
        front.example(source, batch) if source is not None else random_inputs(view, batch)
        for batch in (1, examples)
    )
    raw = bare.model_copy(update={"golden": _golden(view, reference, single, many)})
    contract = bundle.contract.model_copy(update={"raw": raw}).with_raw_inputs()
    module = _behind(front.module, bundle.module)
    made = ExportBundle(module, contract, single, bundle.metadata, None, reference)
    return made, parity_cases(contract, single, many, front.extremes)


def front_end_of(task: Task[Any], contract: Contract) -> FrontEnd:
    """The front end that a file can begin with.

    Raises:
        FormatError: There is none, or the model passes state from call to call.
    """
    front = task.front_end()
    if front is None:
        raise FormatError(
            f"{contract.model_id} has no front end that a file could begin with",
            hint="export the network alone, e.g. onnx",
        )
    if contract.state:
        raise FormatError(
            f"{contract.model_id} passes state from call to call, and so would its front end have to",
            hint="export the network alone, e.g. onnx; `--code cpp` writes the front end for streams",
        )
    return front


def _golden(view: Contract, reference: Runner, single: Arrays, many: Arrays) -> list[GoldenVector]:
    """Golden vectors of half the usual length, and a quarter: raw inputs are long."""
    half = {name: size // 2 for name, size in view.window.items() if name != BATCH}
    made = golden_inputs(view, resized(view, single, **half), resized(view, many, **half))
    return [
        GoldenVector.of(name, inputs, {one.name: given[one.name] for one in view.outputs})
        for name, inputs in made.items()
        for given in [reference.run(inputs)]
    ]


def _behind(front: nn.Module, network: nn.Module) -> nn.Module:
    from torch import Tensor, nn

    class Behind(nn.Module):
        """The network behind its front end."""

        def __init__(self) -> None:
            super().__init__()
            self.front, self.network = front, network

        def forward(self, *raw: Tensor) -> Any:
            made = self.front(*raw)
            return self.network(*(made if isinstance(made, tuple) else (made,)))

    return Behind().eval()
