"""Runs a generated header: compiled with the machine's compiler, called frame by frame. No torch."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from kelly_core.errors import ContractError
from kelly_core.infer.frames import ChainRunner
from kelly_core.runtime import opening
from kelly_export.cpp.compiler import shared_library

if TYPE_CHECKING:
    from kelly_core.contract import Contract

Floats = NDArray[np.float32]

PROGRAM = """\
#include "model.hpp"

using Model = kelly::NAME::Model;

#pragma GCC visibility push(default)
extern "C" {
int input_size() { return Model::input_size; }
int output_size() { return Model::output_size; }
int state_size() { return Model::state_size; }
void run(int streams, int frames, const float* input, float* output, float* state) {
    static thread_local Model model;
    for (; streams > 0; --streams, state += Model::state_size) {
        model.load(state);
        for (int t = 0; t < frames; ++t, input += Model::input_size, output += Model::output_size)
            model.process(input, output);
        model.save(state);
    }
}
}
#pragma GCC visibility pop
"""


class HeaderEngine:
    """A compiled header. Thread-safe: every thread has a model of its own.

    Args:
        header: The header's text.
        state: Shapes of the parts of its memory, in order.

    Raises:
        MissingExtraError: There is no compiler.
        ContractError: It doesn't compile, or remembers more or less than `state`.
    """

    def __init__(self, header: str, state: Sequence[tuple[str, tuple[int, ...]]]) -> None:
        found = re.search(r"^namespace kelly::(\w+) \{$", header, re.MULTILINE)
        if found is None:
            raise ContractError(
                "it isn't a header that Kelly wrote", hint="export the model again", code="contract.unusable"
            )
        library = shared_library(header, PROGRAM.replace("NAME", found[1]))
        self.inputs, self.outputs = library.input_size(), library.output_size()
        self.state = state
        sizes = [int(np.prod(shape)) for _, shape in state]
        total, self._ends = sum(sizes), np.cumsum(sizes)[:-1]
        if total != library.state_size():
            raise ContractError(
                f"it remembers {library.state_size()} numbers, the contract's state tensors {total}",
                hint="the file belongs to another model or version; export the model again",
                code="contract.unusable",
            )
        self._run = library.run
        self._run.argtypes = (ctypes.c_int, ctypes.c_int, *(ctypes.c_void_p,) * 3)
        self._run.restype = None

    def reset(self, streams: int) -> list[Floats]:
        """Memory before the first frame."""
        return [np.zeros((streams, *shape), np.float32) for _, shape in self.state]

    def run(self, frames: Floats, memory: Sequence[Floats]) -> tuple[Floats, list[Floats]]:
        """Compute every stream, frame after frame; shapes as `Interpreter.run`."""
        streams, count = frames.shape[:2]
        frames = np.ascontiguousarray(frames, np.float32)
        results = np.empty((streams, count, self.outputs), np.float32)
        state = np.empty((streams, 0), np.float32)
        if memory:
            state = np.concatenate([part.reshape(streams, -1) for part in memory], axis=1, dtype=np.float32)
        self._run(streams, count, frames.ctypes.data, results.ctypes.data, state.ctypes.data)
        parts = np.split(state, self._ends, axis=1) if memory else []
        return results, [part.reshape(old.shape) for part, old in zip(parts, memory, strict=True)]


def open_runner(path: Path, contract: Contract, threads: int) -> ChainRunner:  # noqa: ARG001 - see below
    """Compile a header and open it.

    Args:
        path: The header.
        contract: Which tensors its frames are made of.
        threads: Without effect: a frame is too small to share out.

    Raises:
        MissingExtraError: There is no compiler.
        ContractError: It doesn't compile, or doesn't fit the contract.
    """
    with opening(path, "C++"):
        engine = HeaderEngine(path.read_text(encoding="utf-8"), _memory(contract))
        return ChainRunner(engine, contract, finished=True)


def _memory(contract: Contract) -> list[tuple[str, tuple[int, ...]]]:
    """Parts of the memory in the order of the layers, from the contract's state tensors."""
    shapes = {info.name: [d for d in info.shape if isinstance(d, int)] for info in contract.state}
    parts = []
    for part in contract.chain.state if contract.chain else ():
        shape = shapes[part.name] if part.at is None else shapes[part.name][1:]
        parts.append((part.name, tuple(shape[axis] for axis in part.axes)))
    return parts
