"""Weights in a Core ML file against those of the trained module."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import nn

Constants = list[tuple[str, NDArray[Any]]]
LSTM_GATES = (0, 1, 3, 2)
"""Torch's input, forget, cell, output in the order of Core ML: input, forget, output, cell."""


def constants_of(model: Any, program: Any | None) -> Constants:
    """Every number in the file that isn't an integer, by name, in the order of the file.

    Args:
        model: A `coremltools.models.MLModel`.
        program: Its operations, where it is an ML program.
    """
    if program is not None:
        return list(_of_block(program.functions["main"]))
    spec = model.get_spec()
    network = getattr(spec, spec.WhichOneof("Type"))
    return [
        (f"{layer.name}.{name}", values) for layer in network.layers for name, values in _of_message(layer, "")
    ]


def unexplained(module: nn.Module, constants: Constants, *, half: bool) -> tuple[int, list[str]]:
    """Tensors of the module that don't stand in the file as they are.

    Args:
        module: The trained network.
        constants: What the file holds.
        half: Whether the file holds fp16 numbers.

    Returns:
        The number of tensors with fractions in the module, and the names of those not found: folded into
        others by the converter, or wrong.
    """
    known = {_key(values, half=half) for _, values in constants}
    state = {
        name: tensor.detach().numpy()
        for name, tensor in module.state_dict().items()
        if tensor.is_floating_point()
    }
    missing = [
        name
        for name, values in state.items()
        if not any(all(_key(part, half=half) in known for part in form) for form in _forms(name, values, state))
    ]
    return len(state), missing


def differing(expected: Constants, given: Constants) -> list[str]:
    """How the constants of two conversions of one module differ, in words."""
    if len(expected) != len(given):
        return [f"it holds {len(given)} constants instead of {len(expected)}"]
    return [
        f"{name!r} differs"
        for (name, values), (_, wanted) in zip(given, expected, strict=True)
        if values.shape != wanted.shape or not np.array_equal(values, wanted, equal_nan=True)
    ]


def _of_block(block: Any) -> Iterator[tuple[str, NDArray[Any]]]:
    for op in block.operations:
        if op.op_type == "const":
            values = np.asarray(op.outputs[0].val)
            if values.dtype.kind == "f":
                yield op.outputs[0].name, values
        for inner in op.blocks:
            yield from _of_block(inner)


def _of_message(message: Any, prefix: str) -> Iterator[tuple[str, NDArray[Any]]]:
    """The `WeightParams` below a message of a neural network."""
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        several = value if hasattr(value, "__len__") and not hasattr(value, "ListFields") else [value]
        for one in several:
            name = f"{prefix}.{field.name}".lstrip(".")
            if field.message_type.name != "WeightParams":
                yield from _of_message(one, name)
            elif one.floatValue:
                yield name, np.array(one.floatValue, np.float32)
            elif one.float16Value:
                yield name, np.frombuffer(one.float16Value, np.float16)


def _forms(name: str, values: NDArray[Any], state: dict[str, NDArray[Any]]) -> Iterator[Sequence[NDArray[Any]]]:
    """Ways in which a tensor may stand in the file: each a number of arrays that all have to be there."""
    yield [values]
    if values.ndim == 2:
        yield [values.T]
    if values.size == 1:
        yield [1.0 / values]  # a division became a multiplication
    recurrent = "_ih_l" in name or "_hh_l" in name
    if not recurrent:
        return
    yield np.split(values, 3) if len(values) % 3 == 0 else [values]
    if len(values) % 4 == 0:
        summed = values
        if "bias_" in name:
            summed = state[name.replace("_hh_l", "_ih_l")] + state[name.replace("_ih_l", "_hh_l")]
        for one in (values, summed):
            gates = np.split(one, 4)
            yield gates
            yield [np.concatenate([gates[gate] for gate in LSTM_GATES])]


def _key(values: NDArray[Any], *, half: bool) -> bytes:
    rounded = values.astype(np.float16) if half else values
    return rounded.astype(np.float32).ravel().tobytes()
