"""Inputs on which an artefact has to agree: real ones at batch 1 and 3, step by step, other sizes, extremes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kelly_core.contract import BATCH, Contract
from kelly_core.errors import ContractError
from kelly_core.tensors import resized, symbols, with_reset_state

if TYPE_CHECKING:
    from kelly_core.contract import TensorInfo
    from kelly_core.export import Arrays, Runner

ASSUMED_SIZE = 128
"""Length given to a varying dimension when nothing says how long it usually is."""
STEPS = 48
"""Single steps that are compared with the whole."""

WHOLE, THREE, STEPWISE, RESET, LENGTH, EXTREME = COLUMNS = (
    "whole batch 1",
    "whole batch 3",
    "step by step",
    "after reset",
    "variable length",
    "extremes",
)
"""What is compared, in the order of the matrix."""


@dataclass(frozen=True)
class Case:
    """Calls of a model whose outputs are compared.

    Attributes:
        column: One of `COLUMNS`.
        calls: Inputs of each call; the first has the state it starts from.
        whole: The same in one call, for the reference; None where the calls can't be joined.
        carried: State that goes from each call to the next: name of the output -> name of the input.
        axes: Outputs that are joined over the calls, and along which axis; of others the last call's count.
        warm: Inputs of a call before, of which nothing may be left.
    """

    column: str
    calls: Sequence[Arrays]
    whole: Arrays | None = None
    carried: Mapping[str, str] = field(default_factory=dict)
    axes: Mapping[str, int] = field(default_factory=dict)
    warm: Arrays | None = None

    @property
    def inputs(self) -> Arrays:
        """What the reference takes, or the first call."""
        return self.whole if self.whole is not None else self.calls[0]

    def run(self, runner: Runner) -> dict[str, NDArray[Any]]:
        """Outputs of an artefact.

        Raises:
            ContractError: It doesn't give the state that the next call needs.
        """
        if self.warm is not None:
            runner.run(self.warm)
        state: dict[str, NDArray[Any]] = {}
        given = []
        for inputs in self.calls:
            outputs = runner.run({**inputs, **state})
            missing = [name for name in self.carried if name not in outputs]
            if missing:
                raise ContractError(
                    f"it gives no {', '.join(missing)}", hint="its state is not at the interface"
                )
            state = {taken: outputs[name] for name, taken in self.carried.items()}
            given.append(outputs)
        joined = {name: np.concatenate([g[name] for g in given], axis) for name, axis in self.axes.items()}
        return {**given[-1], **joined}

    def expected(self, reference: Runner) -> dict[str, NDArray[Any]]:
        """Outputs of the reference: in one call where the calls can be joined, without a call before."""
        calls = self.calls if self.whole is None else (self.whole,)
        axes = self.axes if self.whole is None else {}
        return replace(self, calls=calls, axes=axes, warm=None).run(reference)


def parity_cases(
    contract: Contract, single: Arrays, triple: Arrays, extremes: Mapping[str, Arrays] | None = None
) -> dict[str, Case]:
    """Everything an export is tried on before it may exist.

    Args:
        contract: Names and shapes.
        single: Real inputs, batch 1.
        triple: Real inputs, batch 3.
        extremes: Named edge cases of the task.
    """
    cases = {"batch 1": _whole(contract, WHOLE, single), "batch 3": _whole(contract, THREE, triple)}
    for dim in symbols(contract.inputs):
        if dim != BATCH:
            size = _size(contract, single, dim)
            # An odd number above and a shorter one: catches a frozen size and a size rounded by strides.
            longer, shorter = size + 19, max(1, size * 3 // 4)
            cases[f"{dim} {longer}"] = _whole(contract, LENGTH, resized(contract, single, **{dim: longer}))
            cut = resized(contract, triple, **{BATCH: 2, dim: shorter})
            cases[f"batch 2, {dim} {shorter}"] = _whole(contract, LENGTH, cut)
    cases |= sequence_cases(contract, single, triple)
    return cases | {name: _whole(contract, EXTREME, inputs) for name, inputs in (extremes or {}).items()}


def sequence_cases(contract: Contract, single: Arrays, triple: Arrays) -> dict[str, Case]:
    """Calls after one another: a call after another one, and single steps with the state passed on."""
    last = {name: array[-1:] for name, array in triple.items()}
    first = from_reset(contract, single)
    cases = {"after another call": Case(RESET, [first], whole=first, warm=from_reset(contract, last))}
    if contract.state:
        cases["steps, batch 1"] = stepwise(contract, single, triple)
        cases["steps, batch 3"] = stepwise(contract, triple, triple)
    return cases


def stepwise(contract: Contract, inputs: Arrays, others: Arrays) -> Case:
    """Single steps along the varying dimension; where there is none, one call after another.

    Args:
        contract: A model with state.
        inputs: A sequence, or what a call takes.
        others: Inputs of following calls where there is no varying dimension.
    """
    carried = {state.next_name: state.name for state in contract.state}
    dim = next((dim for dim in symbols(contract.inputs) if dim != BATCH), None)
    if dim is None:
        batch = _size(contract, inputs, BATCH)
        following = [
            {name: np.roll(array, step, axis=0)[:batch] for name, array in others.items()} for step in range(7)
        ]
        calls = [from_reset(contract, inputs), *following]
        return Case(STEPWISE, calls, carried=carried)
    whole = resized(contract, inputs, **{dim: min(STEPS, _size(contract, inputs, dim))})
    calls = [_part(contract, whole, dim, at) for at in range(_size(contract, whole, dim))]
    calls[0] = from_reset(contract, calls[0])
    axes = {info.name: info.shape.index(dim) for info in contract.outputs if dim in info.shape}
    return Case(STEPWISE, calls, from_reset(contract, whole), carried, axes)


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
    usual = {dim: contract.window.get(dim, assumed) for dim in symbols(contract.inputs)}
    known = usual | sizes | {BATCH: batch}
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


def _whole(contract: Contract, column: str, inputs: Arrays) -> Case:
    filled = from_reset(contract, inputs)
    return Case(column, [filled], whole=filled)


def _part(contract: Contract, inputs: Arrays, dim: str, at: int) -> dict[str, NDArray[Any]]:
    """One unit of a sequence; inputs without the dimension as they are."""
    feeds = {info.name: info for info in contract.inputs}
    return {
        name: np.ascontiguousarray(np.take(array, [at], axis=feeds[name].shape.index(dim)))
        if dim in feeds[name].shape
        else array
        for name, array in inputs.items()
    }


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
