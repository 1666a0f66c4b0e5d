"""Rules about tensors: what is declared, what data gives, what the network takes."""

from __future__ import annotations

from collections.abc import Sequence

from kelly_core.errors import ContractError
from kelly_core.specs import TensorSpec
from kelly_core.testing.rules import BrokenRuleError, rule
from kelly_core.testing.subject import Subject


@rule(
    "model",
    why="hosts in other languages are written against the declared names and shapes",
    mend="make ModelSpec.inputs and outputs agree with Task.interface()",
    about_training=True,
)
def declared_tensors_are_the_interface(subject: Subject) -> str:
    """Tensors that the spec declares are at the task's interface, with type and sizes."""
    interface = subject.job.task.interface()
    for kind, declared, found in (
        ("input", subject.model.inputs, interface.inputs),
        ("output", subject.model.outputs, interface.outputs),
        ("state", subject.model.state, interface.state),
    ):
        _compare(kind, declared, found)
    return ", ".join(info.name for info in [*interface.inputs, *interface.outputs, *interface.state])


@rule(
    "model",
    why="parity, golden vectors and the contract are made from these inputs",
    mend="let Task.example_inputs give every input of Task.interface() in its type and shape",
    cost="trains",
)
def items_match_the_declared_tensors(subject: Subject) -> None:
    """Items of the demo data have the interface's names, types and shapes, for any batch."""
    from kelly_core.tensors import check_inputs, symbols
    from kelly_core.verify import from_reset

    contract = subject.contract
    for inputs, batch in zip(subject.examples, (1, 3), strict=True):
        try:
            sizes = check_inputs(contract, from_reset(contract, inputs))
        except ContractError as error:
            raise BrokenRuleError(f"batch {batch}: {error.where}: {error.message}") from error
        if "batch" in symbols(contract.inputs) and sizes.get("batch") != batch:
            raise BrokenRuleError(f"asked for a batch of {batch}, it gave {sizes.get('batch')}")


@rule(
    "model",
    why="a host feeds the model frame by frame or note by note and must get what training saw in one piece",
    mend="pass all memory through the state of Task.interface(); look at nothing that comes later",
    cost="trains",
)
def step_equals_whole(subject: Subject) -> str:
    """Calls after one another give what one call gives; no call remembers another by itself."""
    from kelly_core.verify import check_parity
    from kelly_core.verify.cases import sequence_cases

    cases = sequence_cases(subject.contract, *subject.examples)
    report = check_parity(subject.runner, subject.runner, cases, 1e-5)
    if not report.passed:
        worst = max((row for row in report.rows if not row.passed), key=lambda row: row.max_abs)
        raise BrokenRuleError(f"{worst.case}, {worst.output}: {worst.reason or f'off by {worst.max_abs:.1e}'}")
    return f"{len(cases)} cases, at most {report.max_abs:.1e} apart"


def _compare(kind: str, declared: Sequence[TensorSpec], found: Sequence[object]) -> None:
    known = {getattr(info, "name", ""): info for info in found}
    for spec in declared:
        info = known.get(spec.name)
        if info is None:
            raise BrokenRuleError(
                f"{kind} {spec.name!r} is not at the interface ({', '.join(known) or 'none'})"
            )
        shape, dtype = list(getattr(info, "shape", [])), getattr(info, "dtype", "")
        fixed = [a == b for a, b in zip(spec.shape, shape, strict=False) if isinstance(a, int)]
        if dtype != spec.dtype or len(shape) != len(spec.shape) or not all(fixed):
            raise BrokenRuleError(
                f"{kind} {spec.name!r} is declared {spec.dtype} {spec.shape}, and is {dtype} {tuple(shape)}"
            )
