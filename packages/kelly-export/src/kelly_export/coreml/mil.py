"""What an ML program's operations give, computed one by one with torch in fp32.

This is not Core ML: it tells whether the program that was written is the network that was trained, on machines
that can't run it. Operations and their arguments are those of Core ML Tools' MIL reference (version 9).
fp16 constants have their rounded values; between operations values are rounded where the program casts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from kelly_core.contract import BATCH
from kelly_core.errors import ContractError
from kelly_export.coreml.mil_ops import OPS
from kelly_export.coreml.mil_state import State

if TYPE_CHECKING:
    from kelly_core.contract import Contract
    from kelly_core.export import Arrays


class MilRunner:
    """An ML program as a runner; batches item by item.

    State that the program keeps is written before a call and read after it, so that it goes in and comes out
    like that of any other runner. `make_state` and `predict` leave it where it is, as a host does.

    Args:
        program: `coremltools.converters.mil.Program`.
        contract: Names of what goes in and comes out.
    """

    def __init__(self, program: Any, contract: Contract) -> None:
        self.block = program.functions["main"]
        self.contract = contract
        self.kept = kept_states(program)

    def run(self, inputs: Arrays) -> dict[str, NDArray[Any]]:
        """Outputs by name.

        Raises:
            ContractError: The program has an operation that isn't known here, or no such output.
        """
        return run_items(self._one, inputs, self.contract)

    def make_state(self) -> dict[str, State]:
        """The states of a new stream, by name: zeros, as Core ML makes them."""
        return {name: State(torch.zeros(shape)) for name, shape in self.kept.items()}

    def predict(self, inputs: Arrays, state: Mapping[str, State]) -> dict[str, NDArray[Any]]:
        """One call.

        Args:
            inputs: By name; the batch is one.
            state: As `make_state` gives it; the program writes into it.

        Returns:
            Every output that the contract names, apart from the states that the program keeps.

        Raises:
            ContractError: As `run`.
        """
        values: dict[str, Any] = {name: _tensor(array) for name, array in inputs.items()} | dict(state)
        with torch.inference_mode():
            _run_block(self.block, values)
        outside = [info for info in self.contract.fetches if info.name not in self._following()]
        missing = [info.name for info in outside if info.name not in values]
        if missing:
            raise ContractError(
                f"it gives no {', '.join(missing)}", hint="export the model again", code="contract.unusable"
            )
        return {info.name: values[info.name].numpy().astype(info.dtype) for info in outside}

    def _following(self) -> dict[str, str]:
        """Names of kept states by those that their following values have in the contract."""
        return {info.next_name: info.name for info in self.contract.state if info.name in self.kept}

    def _one(self, inputs: Arrays) -> dict[str, NDArray[Any]]:
        state = self.make_state()
        for name, held in state.items():
            held.write(_tensor(inputs[name]))
        given = self.predict({name: array for name, array in inputs.items() if name not in state}, state)
        return given | {following: state[name].value.numpy() for following, name in self._following().items()}


def kept_states(program: Any) -> dict[str, tuple[int, ...]]:
    """Shapes of the states that a program keeps, by name."""
    from coremltools.converters.mil.mil import types

    inputs = program.functions["main"].inputs.items()
    return {
        name: tuple(var.sym_type.wrapped_type().get_shape())
        for name, var in inputs
        if types.is_state(var.sym_type)
    }


def unknown_operations(block: Any) -> list[str]:
    """Names of operations that can't be computed here."""
    known = {"const", "while_loop", *OPS}
    found = {op.op_type for op in block.operations if op.op_type not in known}
    return sorted(found.union(*(unknown_operations(inner) for op in block.operations for inner in op.blocks)))


def run_items(
    one: Callable[[Arrays], dict[str, NDArray[Any]]], inputs: Arrays, contract: Contract
) -> dict[str, NDArray[Any]]:
    """Run a function of single items over a batch and join what it gives."""
    feeds, fetches = ({info.name: info for info in side} for side in (contract.feeds, contract.fetches))
    size = next((inputs[n].shape[i.shape.index(BATCH)] for n, i in feeds.items() if BATCH in i.shape), 1)
    given = []
    for at in range(size):
        item = {
            name: np.take(array, [at], feeds[name].shape.index(BATCH)) if BATCH in feeds[name].shape else array
            for name, array in inputs.items()
        }
        given.append(one(item))
    return {
        name: np.concatenate([g[name] for g in given], info.shape.index(BATCH))
        if BATCH in info.shape
        else given[-1][name]
        for name, info in fetches.items()
    }


def _run_block(block: Any, values: dict[str, Any]) -> None:
    for op in block.operations:
        if op.op_type == "const":
            values[op.outputs[0].name] = _constant(op.outputs[0].val)
        elif op.op_type == "while_loop":
            _run_loop(op, values)
        else:
            compute = OPS.get(op.op_type)
            if compute is None:
                raise ContractError(
                    f"its operation {op.op_type!r} is not known here",
                    hint="check it on macOS",
                    code="contract.unusable",
                )
            args = {name: _argument(given, values) for name, given in op.inputs.items() if given is not None}
            result = compute(args)
            for var, value in zip(op.outputs, result if isinstance(result, tuple) else (result,), strict=True):
                values[var.name] = value


def _run_loop(op: Any, values: dict[str, Any]) -> None:
    condition, body = op.blocks
    carried = [_argument(var, values) for var in op.inputs["loop_vars"]]
    while True:
        values.update({var.name: value for var, value in zip(condition.inputs, carried, strict=True)})
        _run_block(condition, values)
        if not bool(values[condition.outputs[0].name]):
            break
        values.update({var.name: value for var, value in zip(body.inputs, carried, strict=True)})
        _run_block(body, values)
        carried = [values[var.name] for var in body.outputs]
    values.update({var.name: value for var, value in zip(op.outputs, carried, strict=True)})


def _argument(given: Any, values: dict[str, Any]) -> Any:
    if isinstance(given, (tuple, list)):
        return [_argument(one, values) for one in given]
    return values[given.name] if given.name in values else _constant(given.val)


def _constant(value: Any) -> Any:
    if isinstance(value, (np.ndarray, np.generic)):
        return _tensor(np.asarray(value))
    return value


def _tensor(array: NDArray[Any]) -> Any:
    if array.dtype.kind in "US":
        return array.item() if array.ndim == 0 else array.tolist()
    tensor = torch.tensor(array)
    return tensor.float() if tensor.is_floating_point() else tensor
