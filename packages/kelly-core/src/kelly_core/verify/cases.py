"""Inputs on which an artefact has to agree: real ones at batch 1 and 3, other sizes, extremes, random ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kelly_core.contract import BATCH, Contract
from kelly_core.tensors import resized, symbols, with_reset_state

if TYPE_CHECKING:
    from kelly_core.contract import TensorInfo
    from kelly_core.export import Arrays

ASSUMED_SIZE = 128
"""Length given to a varying dimension when nothing says how long it usually is."""


def parity_cases(
    contract: Contract, single: Arrays, triple: Arrays, extremes: Mapping[str, Arrays] | None = None
) -> dict[str, dict[str, NDArray[Any]]]:
    """Everything an export is tried on before it may exist.

    Args:
        contract: Names and shapes.
        single: Real inputs, batch 1.
        triple: Real inputs, batch 3.
        extremes: Named edge cases of the task.
    """
    cases = {"batch 1": dict(single), "batch 3": dict(triple)}
    for dim in symbols(contract.inputs):
        if dim != BATCH:
            size = _size(contract, single, dim)
            # An odd number above and a shorter one: catches a frozen size and a size rounded by strides.
            cases[f"{dim} {size + 19}"] = resized(contract, single, **{dim: size + 19})
            cases[f"batch 2, {dim} {max(1, size * 3 // 4)}"] = resized(
                contract, triple, **{BATCH: 2, dim: max(1, size * 3 // 4)}
            )
    cases |= {name: dict(inputs) for name, inputs in (extremes or {}).items()}
    return {name: from_reset(contract, inputs) for name, inputs in cases.items()}


def random_inputs(contract: Contract, batch: int, seed: int = 0, **sizes: int) -> dict[str, NDArray[Any]]:
    """Seeded random inputs within the contract's ranges, for when no real ones are at hand.

    Args:
        contract: Names, shapes, dtypes and ranges.
        batch: Size of the batch dimension.
        seed: Seed of the values.
        sizes: Sizes of other symbolic dimensions; others get the window's length or 128.
    """
    rng = np.random.default_rng(seed)
    assumed = contract.window.get("frames", ASSUMED_SIZE)
    known = dict.fromkeys(symbols(contract.inputs), assumed) | sizes | {BATCH: batch}
    return {info.name: _random(info, known, rng) for info in contract.inputs}


def golden_inputs(contract: Contract, single: Arrays, triple: Arrays) -> dict[str, dict[str, NDArray[Any]]]:
    """Inputs that go into the contract: one real item, and two shortened ones.

    Values are rounded to four digits, which keeps the file small; the outputs belong to the rounded ones.
    """
    short = {dim: max(1, _size(contract, single, dim) // 2) for dim in symbols(contract.inputs) if dim != BATCH}
    pair = resized(contract, triple, **{BATCH: 2}, **short)
    cases = {"one": dict(single), "two, shortened" if short else "two": pair}
    return {
        name: {info.name: _rounded(inputs[info.name]) for info in contract.inputs}
        for name, inputs in cases.items()
    }


def ranked_outputs(contract: Contract) -> list[str]:
    """Outputs whose last axis holds one score per label."""
    return [t.name for t in contract.outputs if contract.labels and t.shape[-1] == len(contract.labels)]


def from_reset(contract: Contract, inputs: Arrays) -> dict[str, NDArray[Any]]:
    """The inputs, and every state tensor they leave out at its reset value."""
    sizes = {dim: _size(contract, inputs, dim) for dim in symbols(contract.inputs)}
    return with_reset_state(contract, inputs, sizes)


def _size(contract: Contract, inputs: Arrays, dim: str) -> int:
    for info in contract.feeds:
        if info.name in inputs and dim in info.shape:
            return int(inputs[info.name].shape[info.shape.index(dim)])
    return 1


def _random(info: TensorInfo, sizes: Mapping[str, int], rng: np.random.Generator) -> NDArray[Any]:
    shape = tuple(dim if isinstance(dim, int) else sizes[dim] for dim in info.shape)
    dtype = np.dtype(info.dtype)
    if dtype.kind in "iu":
        low, high = int(info.low or 0), int(info.high if info.high is not None else 1)
        return rng.integers(low, high, shape, endpoint=True).astype(dtype)
    if info.low is not None and info.high is not None:
        return rng.uniform(info.low, info.high, shape).astype(dtype)
    if info.low is not None:
        return (info.low + max(1.0, abs(info.low)) * rng.random(shape)).astype(dtype)
    return rng.standard_normal(shape).astype(dtype)


def _rounded(array: NDArray[Any]) -> NDArray[Any]:
    if array.dtype.kind != "f":
        return array
    digits = [float(f"{value:.4g}") for value in array.ravel()]
    return np.array(digits, array.dtype).reshape(array.shape)
