"""Arrays against the contract: checking them, resetting state, cutting them to other sizes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kelly_core.errors import ContractError

if TYPE_CHECKING:
    from kelly_core.contract import Contract, TensorInfo

Array = NDArray[Any]


def check_inputs(contract: Contract, inputs: Mapping[str, Array]) -> dict[str, int]:
    """Compare inputs with the contract.

    State tensors may be left out. Dtypes have to be exact: a silent cast would hide that a caller computes
    in another precision, or feeds integers where decibels are meant.

    Returns:
        Size of every symbolic dimension, e.g. `{"batch": 1, "frames": 128}`.

    Raises:
        ContractError: A name is missing or unknown, or a rank, size, dtype or value is wrong; says which.
    """
    feeds = {info.name: info for info in contract.feeds}
    for name in inputs:
        if name not in feeds:
            raise ContractError(
                f"unknown input {name!r}; {contract.model_id} takes {_listing(contract.inputs)}",
                where=f"input {name!r}",
                hint="use the names of the contract",
                code="contract.input",
            )
    for info in contract.inputs:
        if info.name not in inputs:
            raise ContractError(
                f"input {info.name!r} is missing",
                where=f"input {info.name!r}",
                hint=f"pass {_listing([info])}",
                code="contract.input",
            )
    sizes: dict[str, int] = {}
    for name, array in inputs.items():
        _check_one(feeds[name], array, sizes)
    return sizes


def with_reset_state(
    contract: Contract, inputs: Mapping[str, Array], sizes: Mapping[str, int]
) -> dict[str, Array]:
    """`inputs` and, for every state tensor left out, its value after a reset."""
    filled = dict(inputs)
    for state in contract.state:
        if state.name not in filled:
            shape = tuple(d if isinstance(d, int) else sizes[d] for d in state.shape)
            filled[state.name] = np.full(shape, state.reset, state.dtype)
    return filled


def symbols(tensors: Iterable[TensorInfo]) -> list[str]:
    """Names of the varying dimensions, in order of appearance."""
    return list(dict.fromkeys(d for info in tensors for d in info.shape if isinstance(d, str)))


def resized(contract: Contract, inputs: Mapping[str, Array], **sizes: int) -> dict[str, Array]:
    """Inputs cut, or repeated from their start, along symbolic dimensions.

    Args:
        contract: Which axis has which name.
        inputs: Arrays of the contract's feeds.
        sizes: New size by dimension name: `frames=77`.
    """
    feeds = {info.name: info for info in contract.feeds}
    result = {}
    for name, array in inputs.items():
        changed = array
        for axis, dim in enumerate(feeds[name].shape):
            if isinstance(dim, str) and dim in sizes:
                changed = np.take(changed, np.arange(sizes[dim]) % changed.shape[axis], axis=axis)
        result[name] = np.ascontiguousarray(changed)
    return result


def _check_one(info: TensorInfo, array: Array, sizes: dict[str, int]) -> None:
    where = f"input {info.name!r}"
    if not isinstance(array, np.ndarray):
        kind = f"{type(array).__module__}.{type(array).__name__}".removeprefix("builtins.")
        hint = f"pass np.asarray(value, np.{info.dtype})"
        raise ContractError(
            f"expected a numpy array, got {kind}", where=where, hint=hint, code="contract.input"
        )
    wanted = "(" + ", ".join(map(str, info.shape)) + ")"
    if array.ndim != len(info.shape):
        raise ContractError(
            f"expected {len(info.shape)} dimensions {wanted}, got {array.ndim}: {array.shape}",
            where=where,
            hint="add or drop dimensions, e.g. `array[None, None]` puts batch and channel in front",
            code="contract.input",
        )
    for axis, (dim, size) in enumerate(zip(info.shape, array.shape, strict=True)):
        expected = sizes.setdefault(dim, size) if isinstance(dim, str) else dim
        if size == 0:
            raise ContractError(
                f"dimension {axis} ({dim}) is empty",
                where=where,
                hint="pass at least one",
                code="contract.input",
            )
        if size != expected:
            named = f"{dim} = {expected}, as in the inputs before it" if isinstance(dim, str) else str(dim)
            raise ContractError(
                f"dimension {axis} must be {named}, got {size}: expected {wanted}, got {array.shape}",
                where=where,
                hint="compare the feature settings with `features` of the contract",
                code="contract.input",
            )
    if array.dtype != np.dtype(info.dtype):
        raise ContractError(
            f"expected {info.dtype}, got {array.dtype}",
            where=where,
            hint=f"pass `.astype(np.{info.dtype})`",
            code="contract.input",
        )
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise ContractError(
            "it holds NaN or infinity",
            where=where,
            hint="check the sound or file that the input came from",
            code="contract.input",
        )


def _listing(tensors: Iterable[TensorInfo]) -> str:
    return ", ".join(f"{t.name!r} {t.dtype} ({', '.join(map(str, t.shape))})" for t in tensors)
