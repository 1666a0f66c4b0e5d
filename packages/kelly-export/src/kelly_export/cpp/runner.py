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
from kelly_core.runtime import opening
from kelly_export.cpp.compiler import shared_library
from kelly_export.frames import ChainRunner

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
void run(int frames, const float* input, float* output, float* state) {
    static thread_local Model model;
    model.load(state);
    for (int t = 0; t < frames; ++t)
        model.process(input + t * Model::input_size, output + t * Model::output_size);
    model.save(state);
}
}
#pragma GCC visibility pop
"""
_POINTER = np.ctypeslib.ndpointer(np.float32, flags="C_CONTIGUOUS")


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
            raise ContractError("it isn't a header that Kelly wrote", hint="export the model again")
        library = shared_library(header, PROGRAM.replace("NAME", found[1]))
        self.inputs, self.outputs = library.input_size(), library.output_size()
        self.state = state
        total = sum(int(np.prod(shape)) for _, shape in state)
        if total != library.state_size():
            raise ContractError(
                f"it remembers {library.state_size()} numbers, the contract's state tensors {total}",
                hint="the file belongs to another model or version; export the model again",
            )
        self._run = library.run
        self._run.argtypes = (ctypes.c_int, _POINTER, _POINTER, _POINTER)
        self._run.restype = None

    def reset(self, streams: int) -> list[Floats]:
        """Memory before the first frame."""
        return [np.zeros((streams, *shape), np.float32) for _, shape in self.state]

    def run(self, frames: Floats, memory: Sequence[Floats]) -> tuple[Floats, list[Floats]]:
        """Compute every stream, frame after frame; shapes as `Interpreter.run`."""
        results = np.empty((*frames.shape[:2], self.outputs), np.float32)
        flat = [part.reshape(len(frames), -1) for part in memory]
        joined = np.concatenate([*flat, np.zeros((len(frames), 0), np.float32)], axis=1)
        for stream, row in enumerate(joined):
            self._run(frames.shape[1], frames[stream], results[stream], row)
        parts = np.split(joined, np.cumsum([part.shape[1] for part in flat])[:-1], axis=1) if flat else []
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
        return ChainRunner(engine, contract)


def _memory(contract: Contract) -> list[tuple[str, tuple[int, ...]]]:
    """Parts of the memory in the order of the layers, from the contract's state tensors."""
    shapes = {info.name: [d for d in info.shape if isinstance(d, int)] for info in contract.state}
    parts = []
    for part in contract.chain.state if contract.chain else ():
        shape = shapes[part.name] if part.at is None else shapes[part.name][1:]
        parts.append((part.name, tuple(shape[axis] for axis in part.axes)))
    return parts
