"""Files with another interface than the contract's: sound for features, whole sequences for steps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kelly_core.contract import BATCH, Contract, GoldenVector, OtherInterface
from kelly_core.export import ExportBundle
from kelly_core.runtime import ModuleRunner
from kelly_core.tensors import resized
from kelly_core.verify import Case, golden_inputs, parity_cases, random_inputs

if TYPE_CHECKING:
    from torch import nn

    from kelly_core.export import Arrays, Runner
    from kelly_core.task import Source, Task


def bundle_with(
    name: str, task: Task[Any], model: nn.Module, bundle: ExportBundle, source: Source | None, examples: int
) -> tuple[ExportBundle, dict[str, Case]]:
    """A bundle whose module and contract have another interface, and the cases to try it on.

    Args:
        name: Of the interface, as `Task.other_interface` knows it.
        task: Whose interface it is.
        model: The trained network.
        bundle: What is exported with the contract's own interface.
        source: Real items; None takes seeded random numbers.
        examples: Items of the larger batch.

    Raises:
        FormatError: The network has no such interface; says why.
    """
    view = task.other_interface(name, model)
    reference = view.reference(ModuleRunner.of(bundle.module, bundle.contract))
    bare = OtherInterface(inputs=list(view.inputs), outputs=list(view.outputs), window=dict(view.window))
    contract = bundle.contract.model_copy(update={"interfaces": {name: bare}}).seen_as(name)
    single, many = (
        view.example(source, batch) if source is not None else random_inputs(contract, batch)
        for batch in (1, examples)
    )
    golden = _golden(contract, reference, single, many)
    described = {**bundle.contract.interfaces, name: bare.model_copy(update={"golden": golden})}
    contract = bundle.contract.model_copy(update={"interfaces": described}).seen_as(name)
    made = ExportBundle(view.module.eval(), contract, single, bundle.metadata, None, reference)
    return made, parity_cases(contract, single, many, view.extremes)


def _golden(contract: Contract, reference: Runner, single: Arrays, many: Arrays) -> list[GoldenVector]:
    """Golden vectors of half the usual length, and a quarter: sound and sequences are long."""
    half = {name: max(1, size // 2) for name, size in contract.window.items() if name != BATCH}
    made = golden_inputs(contract, resized(contract, single, **half), resized(contract, many, **half))
    return [
        GoldenVector.of(name, inputs, {one.name: given[one.name] for one in contract.outputs})
        for name, inputs in made.items()
        for given in [reference.run(inputs)]
    ]
