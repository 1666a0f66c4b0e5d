"""What can be told of a Core ML file without Core ML: interface, labels, weights, the program's arithmetic."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kelly_core.contract import BATCH
from kelly_core.export import ExportBundle, Inspection
from kelly_core.runtime import ModuleRunner, opening
from kelly_core.tensors import symbols
from kelly_core.verify import ParityRow, check_parity, from_reset, golden_rows, random_inputs, stepwise
from kelly_export.coreml.convert import LONGEST, convert
from kelly_export.coreml.kinds import NETWORK, PROGRAM, PROGRAM_FP16, PROGRAM_STATE, Kind
from kelly_export.coreml.mil import MilRunner, unknown_operations
from kelly_export.coreml.names import LABEL, PROBABILITIES, classified, sizes
from kelly_export.coreml.tools import quiet
from kelly_export.coreml.weights import constants_of, differing, unexplained

if TYPE_CHECKING:
    from torch import nn

    from kelly_core.contract import Contract, TensorInfo

DTYPES = {"float32": "FLOAT32", "int32": "INT32", "int64": "INT32"}
"""The contract's element types as Core ML has them."""


def inspect_program(path: Path, contract: Contract, module: nn.Module | None) -> Inspection:
    """Inspect an ML program in fp32.

    Args:
        path: The `.mlpackage`.
        contract: What it promises, with golden vectors.
        module: The trained network; None where it isn't at hand, and weights can't be compared.

    Raises:
        ContractError: It is damaged or no Core ML file.
    """
    return _inspect(path, contract, module, PROGRAM)


def inspect_fp16(path: Path, contract: Contract, module: nn.Module | None) -> Inspection:
    """Inspect an ML program in fp16; see `inspect_program`."""
    return _inspect(path, contract, module, PROGRAM_FP16)


def inspect_state(path: Path, contract: Contract, module: nn.Module | None) -> Inspection:
    """Inspect an ML program that keeps its state; see `inspect_program`."""
    return _inspect(path, contract, module, PROGRAM_STATE)


def inspect_network(path: Path, contract: Contract, module: nn.Module | None) -> Inspection:
    """Inspect a neural network; see `inspect_program`. Its layers aren't computed."""
    return _inspect(path, contract, module, NETWORK)


def _inspect(path: Path, contract: Contract, module: nn.Module | None, kind: Kind) -> Inspection:
    with opening(path, "Core ML"), quiet() as ct:
        model = ct.models.MLModel(str(path), skip_model_load=True)
        program = load_program(model) if kind.program else None
        constants = constants_of(model, program)
    problems = _interface(model.get_spec(), program, contract, kind)
    parts = ["interface", *(["labels"] if classified(contract) is not None else [])]
    parts += ["states"] if kind.keeps_state else []
    facts = [f"{' and '.join(parts)} as in the contract"]
    if module is not None and not problems:
        wrong, fact = _weights(constants, contract, module, kind)
        problems += wrong
        facts.append(fact)
    if program is not None and not problems:
        wrong, fact = _arithmetic(program, contract, module, kind.lossy)
        problems += wrong
        facts.append(fact)
    return Inspection(tuple(problems), tuple(facts) if not problems else ())


def load_program(model: Any) -> Any:
    """The operations of an ML program, weights read in."""
    from coremltools.converters.mil.frontend.milproto.load import load

    spec = model.get_spec()
    return load(spec, spec.specificationVersion, model.weights_dir)


def _interface(spec: Any, program: Any | None, contract: Contract, kind: Kind) -> list[str]:
    description = spec.description
    scores = classified(contract)
    sides = {
        "takes": ({f.name: f.type.multiArrayType for f in description.input}, kind.takes(contract), []),
        "gives": (
            {f.name: f.type.multiArrayType for f in description.output},
            kind.gives(contract),
            [LABEL, PROBABILITIES] if scores is not None else [],
        ),
        "keeps": (
            {f.name: f.type.stateType.arrayType for f in description.state},
            contract.state if kind.keeps_state else [],
            [],
        ),
    }
    problems = []
    for verb, (found, tensors, others) in sides.items():
        wanted = [*(info.name for info in tensors), *others]
        if sorted(found) != sorted(wanted):
            problems.append(f"it {verb} {sorted(found)}, the contract says {wanted}")
    if problems:
        return problems
    for verb, (found, tensors, _) in sides.items():
        for info in tensors:
            problems += _tensor(info, found[info.name], verb)
    if program is not None and kind.keeps_state:
        problems += _untouched(program, contract)
    if scores is not None and _labels(spec, program) != list(contract.labels):
        problems.append(f"its labels are {_labels(spec, program)}, the contract says {contract.labels}")
    if scores is not None and description.predictedFeatureName != LABEL:
        problems.append(f"it predicts {description.predictedFeatureName!r} instead of {LABEL!r}")
    return problems


def _tensor(info: TensorInfo, array: Any, verb: str) -> list[str]:
    problems = []
    kind = array.ArrayDataType.Name(array.dataType)
    if verb == "keeps" and kind != "FLOAT16":
        problems.append(f"its state {info.name!r} is {kind}, and states of Core ML hold fp16")
    if verb != "keeps" and kind != DTYPES.get(info.dtype):
        problems.append(f"{info.name!r} is {kind}, the contract says {info.dtype}")
    if verb == "gives" and not array.shape:
        return problems  # Core ML finds the shape of such an output when it runs
    found: list[int | str] = list(array.shape)
    for axis, one in enumerate(array.shapeRange.sizeRanges):
        if (one.lowerBound, one.upperBound) == (1, LONGEST):
            found[axis] = sizes(info)[axis] if axis < len(info.shape) else "?"
    if found != sizes(info):
        problems.append(f"the shape of {info.name!r} is {found}, the contract says {sizes(info)}")
    return problems


def _untouched(program: Any, contract: Contract) -> list[str]:
    """States that the program doesn't read, or doesn't write once: it would forget, or mix them up."""
    operations = program.functions["main"].operations
    reads = [op.inputs["input"].name for op in operations if op.op_type == "read_state"]
    writes = [op.inputs["state"].name for op in operations if op.op_type == "coreml_update_state"]
    names = [info.name for info in contract.state]
    unread = [f"it never reads its state {name!r}" for name in names if name not in reads]
    return unread + [
        f"it writes its state {name!r} {writes.count(name)} times in a call, and not once"
        for name in names
        if writes.count(name) != 1
    ]


def _labels(spec: Any, program: Any | None) -> list[str]:
    if program is None:
        return list(spec.neuralNetworkClassifier.stringClassLabels.vector)
    for op in program.functions["main"].operations:
        if op.op_type == "classify":
            classes = op.inputs["classes"].val
            return [str(getattr(one, "val", one)) for one in getattr(classes, "ls", classes)]
    return []


def _weights(
    constants: list[tuple[str, NDArray[Any]]], contract: Contract, module: nn.Module, kind: Kind
) -> tuple[list[str], str]:
    total, missing = unexplained(module, constants, half=kind.half)
    if not missing:
        return [], f"all {total} weights are the trained model's{', rounded' if kind.half else ''}"
    example = from_reset(contract, random_inputs(contract, 1))
    with quiet():
        fresh = convert(ExportBundle(module, contract, example, {}), kind)
        program = load_program(fresh) if kind.program else None
        wrong = differing(constants_of(fresh, program), constants)
    fact = f"{total - len(missing)} weights are the trained model's, {len(missing)} are folded as they should"
    named = ", ".join(missing[:3])
    return [f"its weights are not the trained model's: {one} (looked for {named})" for one in wrong], fact


def _arithmetic(
    program: Any, contract: Contract, module: nn.Module | None, lossy: float
) -> tuple[list[str], str]:
    unknown = unknown_operations(program.functions["main"])
    if unknown:
        return [], f"its arithmetic was not computed: {', '.join(unknown)} can't be, here"
    runner = MilRunner(program, contract)
    rows = golden_rows(contract, runner, lossy)
    known = len(rows)
    if module is not None and contract.state:
        rows += _carried(contract, module, runner, lossy)
    wrong = [
        f"its program, computed op by op: case {row.case!r}, output {row.output!r}: {row.reason}"
        for row in rows
        if not row.passed
    ]
    largest = max((row.max_abs for row in rows), default=float("nan"))
    held = "gives the golden vectors" + (" and carries its state" if len(rows) > known else "")
    return wrong[:3], f"its program, computed op by op with torch, {held}, within {largest:.0e}"


def _carried(contract: Contract, module: nn.Module, runner: MilRunner, lossy: float) -> Sequence[ParityRow]:
    """Calls after one another with the state passed on, which golden vectors of single steps don't have."""
    items = [inputs for inputs, _ in contract.golden_arrays().values()]
    if not items:
        return ()
    fixed = not set(symbols(contract.inputs)) - {BATCH}
    several = {name: np.concatenate([item[name] for item in items]) for name in items[0]} if fixed else items[0]
    cases = {"calls after one another": stepwise(contract, items[0], several)}
    return check_parity(ModuleRunner.of(module, contract), runner, cases, lossy=lossy).rows
