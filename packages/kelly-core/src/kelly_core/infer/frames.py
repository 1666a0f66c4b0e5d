"""A contract's tensors as frames for an engine that computes one frame after the other, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from kelly_core.contract import Votes
from kelly_core.errors import ContractError
from kelly_core.infer import host_steps

if TYPE_CHECKING:
    from kelly_core.contract import ChainState, ChainTensor, Contract
    from kelly_core.export import Arrays

Floats = NDArray[np.float32]


class FrameEngine(Protocol):
    """Something that computes frames; see `kelly_core.infer.interpreter.Interpreter`."""

    inputs: int
    outputs: int

    @property
    def state(self) -> Sequence[tuple[str, tuple[int, ...]]]:
        """Name and shape of every part of its memory."""
        ...

    def reset(self, streams: int) -> list[Floats]:
        """Memory before the first frame."""
        ...

    def run(self, frames: Floats, memory: Sequence[Floats]) -> tuple[Floats, list[Floats]]:
        """(streams, frames, inputs) and memory to (streams, frames, outputs) and memory."""
        ...


class ChainRunner:
    """A frame engine behind the contract's tensors.

    Memory that no state tensor of the contract holds starts from zeros at every call.

    Args:
        engine: Computes frames.
        contract: Has `chain`: how tensors become frames.
        finished: Whether the engine does the contract's host steps itself.

    Raises:
        ContractError: The contract says nothing about frames, or other sizes.
    """

    def __init__(self, engine: FrameEngine, contract: Contract, *, finished: bool = False) -> None:
        if contract.chain is None:
            raise ContractError(
                f"the contract of {contract.model_id!r} doesn't say how its tensors become frames",
                hint="the file belongs to another model or version; export the model again",
                code="contract.unusable",
            )
        self.engine, self.contract, self.chain = engine, contract, contract.chain
        self._given = self.chain.finished if finished else self.chain.outputs
        self._host = [] if finished else self.chain.host
        self._prepare = [] if finished else self.chain.prepare
        parts = len(self.chain.state) or len(engine.state)
        sizes = [sum(slot.size for slot in slots) for slots in (self.chain.inputs, self._given)]
        if [*sizes, parts] != [engine.inputs, engine.outputs, len(engine.state)]:
            raise ContractError(
                f"it makes {engine.outputs} numbers of {engine.inputs}, with {len(engine.state)} parts of "
                f"memory; the contract says {sizes[1]} of {sizes[0]}, with {parts}",
                hint="the file belongs to another model or version; export the model again",
                code="contract.unusable",
            )
        self._axes = _time_axes(contract)
        self._inner = {
            info.name: [dim for dim in info.shape[1:] if isinstance(dim, int)] for info in contract.outputs
        }
        self._next = {state.name: state.next_name for state in contract.state}

    def run(self, inputs: Arrays) -> dict[str, NDArray[Any]]:
        """Outputs by name. Thread-safe where the engine is."""
        frames = _joined(self._axes, self.chain.inputs, inputs)
        memory = self.engine.reset(len(frames))
        for at, part in enumerate(self.chain.state):
            memory[at] = np.ascontiguousarray(_entry(inputs[part.name], part))
        results, memory = self.engine.run(self._prepared(frames), memory)
        return self._outputs(frames, results) | self._following(inputs, memory)

    def _prepared(self, frames: Floats) -> Floats:
        if not self._prepare:
            return frames
        parts = _parts(self.chain.inputs, frames)
        taken = dict(parts)
        for step in self._prepare:
            host_steps.apply(step, parts, taken, ())
        return np.concatenate(list(parts.values()), axis=2)

    def _outputs(self, frames: Floats, results: Floats) -> dict[str, NDArray[Any]]:
        given, taken = _parts(self._given, results), _parts(self.chain.inputs, frames)
        for step in self._host:
            sizes = self._inner[step.output] if isinstance(step, Votes) else ()
            host_steps.apply(step, given, taken, sizes)
        found: dict[str, NDArray[Any]] = {}
        for slot in self.chain.finished:
            part, axis = given[slot.name], self._axes[slot.name]
            part = part.reshape(*results.shape[:2], *self._inner[slot.name])
            found[slot.name] = part[:, -1] if axis is None else np.moveaxis(part, 1, axis)
        return found

    def _following(self, inputs: Arrays, memory: Sequence[Floats]) -> dict[str, NDArray[Any]]:
        names = self._next
        following = {names[part.name]: np.array(inputs[part.name]) for part in self.chain.state}
        for part, value in zip(self.chain.state, memory, strict=False):
            _entry(following[names[part.name]], part)[...] = value
        return following


def to_frames(contract: Contract, slots: Sequence[ChainTensor], arrays: Arrays) -> Floats:
    """Tensors of a contract that has `chain`, as frames.

    Args:
        contract: Knows which axis counts frames.
        slots: Parts of a frame, in order.
        arrays: Tensors by name.

    Returns:
        (batch, frames, size) contiguous.
    """
    return _joined(_time_axes(contract), slots, arrays)


def _parts(slots: Sequence[ChainTensor], frames: Floats) -> dict[str, Floats]:
    """Parts of frames by name: (batch, frames, size) each."""
    ends = np.cumsum([slot.size for slot in slots])[:-1]
    return dict(zip([slot.name for slot in slots], np.split(frames, ends, axis=2), strict=True))


def _joined(axes: Mapping[str, int | None], slots: Sequence[ChainTensor], arrays: Arrays) -> Floats:
    parts = []
    for slot in slots:
        array, axis = arrays[slot.name], axes[slot.name]
        parts.append(_spread(array[:, None] if axis is None else np.moveaxis(array, axis, 1), slot))
    return np.ascontiguousarray(parts[0] if len(parts) == 1 else np.concatenate(parts, axis=2), np.float32)


def _time_axes(contract: Contract) -> dict[str, int | None]:
    """By tensor: the axis that counts frames, None where a call is one frame."""
    assert contract.chain is not None
    time = contract.chain.time
    infos = (*contract.inputs, *contract.outputs)
    return {info.name: info.shape.index(time) if time in info.shape else None for info in infos}


def _entry(array: NDArray[Any], part: ChainState) -> NDArray[Any]:
    """The view of a state tensor that is one part of the memory: (batch, ...) in the layer's order."""
    chosen = array if part.at is None else array[:, part.at]
    return chosen.transpose(0, *(axis + 1 for axis in part.axes))


def _spread(array: NDArray[Any], slot: ChainTensor) -> NDArray[np.float32]:
    """(batch, frames, size) of a tensor with batch and frames in front."""
    if slot.one_hot:
        return np.asarray(array[..., None] == np.arange(slot.size), np.float32)
    return np.asarray(array.reshape(*array.shape[:2], -1), np.float32)
