"""What can be told of a Core ML file without Core ML: interface, labels, weights, the program's arithmetic."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from kelly_core.export import ExportBundle, Inspection
from kelly_core.runtime import opening
from kelly_core.verify import from_reset, golden_rows, random_inputs
from kelly_export.coreml.convert import LONGEST, convert, sizes
from kelly_export.coreml.mil import MilRunner, unknown_operations
from kelly_export.coreml.names import LABEL, PROBABILITIES, classified
from kelly_export.coreml.tools import quiet
from kelly_export.coreml.weights import constants_of, differing, unexplained
from kelly_export.plugin import FP16

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
    return _inspect(path, contract, module, "program")


def inspect_fp16(path: Path, contract: Contract, module: nn.Module | None) -> Inspection:
    """Inspect an ML program in fp16; see `inspect_program`."""
    return _inspect(path, contract, module, "program-fp16")


def inspect_network(path: Path, contract: Contract, module: nn.Module | None) -> Inspection:
    """Inspect a neural network; see `inspect_program`. Its layers aren't computed."""
    return _inspect(path, contract, module, "network")


def _inspect(path: Path, contract: Contract, module: nn.Module | None, kind: str) -> Inspection:
    with opening(path, "Core ML"), quiet() as ct:
        model = ct.models.MLModel(str(path), skip_model_load=True)
        program = load_program(model) if kind != "network" else None
        constants = constants_of(model, program)
    problems = _interface(model.get_spec(), program, contract)
    facts = [f"interface{' and labels' if classified(contract) is not None else ''} as in the contract"]
    if module is not None and not problems:
        wrong, fact = _weights(constants, contract, module, kind)
        problems += wrong
        facts.append(fact)
    if program is not None and not problems:
        wrong, fact = _arithmetic(program, contract, FP16 if kind == "program-fp16" else 0.0)
        problems += wrong
        facts.append(fact)
    return Inspection(tuple(problems), tuple(facts) if not problems else ())


def load_program(model: Any) -> Any:
    """The operations of an ML program, weights read in."""
    from coremltools.converters.mil.frontend.milproto.load import load

    spec = model.get_spec()
    return load(spec, spec.specificationVersion, model.weights_dir)


def _interface(spec: Any, program: Any | None, contract: Contract) -> list[str]:
    description = spec.description
    taken = {feature.name: feature.type for feature in description.input}
    given = {feature.name: feature.type for feature in description.output}
    wanted = [info.name for info in contract.fetches]
    scores = classified(contract)
    if scores is not None:
        wanted += [LABEL, PROBABILITIES]
    problems = []
    if sorted(taken) != sorted(info.name for info in contract.feeds):
        problems.append(f"it takes {sorted(taken)}, the contract says {[info.name for info in contract.feeds]}")
    if sorted(given) != sorted(wanted):
        problems.append(f"it gives {sorted(given)}, the contract says {wanted}")
    if problems:
        return problems
    for side, tensors in ((taken, contract.feeds), (given, contract.fetches)):
        for info in tensors:
            problems += _tensor(info, side[info.name].multiArrayType, varies=side is taken)
    if scores is not None and _labels(spec, program) != list(contract.labels):
        problems.append(f"its labels are {_labels(spec, program)}, the contract says {contract.labels}")
    if scores is not None and description.predictedFeatureName != LABEL:
        problems.append(f"it predicts {description.predictedFeatureName!r} instead of {LABEL!r}")
    return problems


def _tensor(info: TensorInfo, array: Any, *, varies: bool) -> list[str]:
    problems = []
    kind = array.ArrayDataType.Name(array.dataType)
    if kind != DTYPES.get(info.dtype):
        problems.append(f"{info.name!r} is {kind}, the contract says {info.dtype}")
    if not varies and not array.shape:
        return problems  # Core ML finds the shape of such an output when it runs
    found: list[int | str] = list(array.shape)
    for axis, one in enumerate(array.shapeRange.sizeRanges):
        if (one.lowerBound, one.upperBound) == (1, LONGEST):
            found[axis] = sizes(info)[axis] if axis < len(info.shape) else "?"
    if found != sizes(info):
        problems.append(f"the shape of {info.name!r} is {found}, the contract says {sizes(info)}")
    return problems


def _labels(spec: Any, program: Any | None) -> list[str]:
    if program is None:
        return list(spec.neuralNetworkClassifier.stringClassLabels.vector)
    for op in program.functions["main"].operations:
        if op.op_type == "classify":
            classes = op.inputs["classes"].val
            return [str(getattr(one, "val", one)) for one in getattr(classes, "ls", classes)]
    return []


def _weights(
    constants: list[tuple[str, NDArray[Any]]], contract: Contract, module: nn.Module, kind: str
) -> tuple[list[str], str]:
    total, missing = unexplained(module, constants, half=kind == "program-fp16")
    if not missing:
        return [], f"all {total} weights are the trained model's{', rounded' if kind == 'program-fp16' else ''}"
    example = from_reset(contract, random_inputs(contract, 1))
    with quiet():
        fresh = convert(ExportBundle(module, contract, example, {}), kind)
        program = load_program(fresh) if kind != "network" else None
        wrong = differing(constants_of(fresh, program), constants)
    fact = f"{total - len(missing)} weights are the trained model's, {len(missing)} are folded as they should"
    named = ", ".join(missing[:3])
    return [f"its weights are not the trained model's: {one} (looked for {named})" for one in wrong], fact


def _arithmetic(program: Any, contract: Contract, lossy: float) -> tuple[list[str], str]:
    unknown = unknown_operations(program.functions["main"])
    if unknown:
        return [], f"its arithmetic was not computed: {', '.join(unknown)} can't be, here"
    rows = golden_rows(contract, MilRunner(program, contract), lossy)
    wrong = [
        f"its program, computed op by op: case {row.case!r}, output {row.output!r}: {row.reason}"
        for row in rows
        if not row.passed
    ]
    largest = max((row.max_abs for row in rows), default=float("nan"))
    return wrong[
        :3
    ], f"its program, computed op by op with torch, gives the golden vectors within {largest:.0e}"
