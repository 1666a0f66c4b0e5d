"""Runs a JavaScript module in Node.js, so that it can be compared with the trained network."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
import weakref
from pathlib import Path
from typing import Any

import numpy as np
from kelly_core.contract import ChainInfo, Contract
from kelly_core.errors import ContractError
from kelly_core.export import Arrays
from kelly_core.runtime import opening
from numpy.typing import NDArray

HOST = Path(__file__).with_name("host.mjs")
OLDEST = 18
"""Node.js from which on base64, modules and lines from standard input are as `host.mjs` uses them."""


def why_not() -> str:
    """Why modules can't be run here; empty where they can."""
    node = shutil.which("node")
    if node is None:
        return "Node.js isn't on the path"
    said = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout.strip()
    major = said.removeprefix("v").partition(".")[0]
    return (
        ""
        if major.isdigit() and int(major) >= OLDEST
        else f"Node.js is {said or 'broken'}, older than {OLDEST}"
    )


def open_runner(path: Path, contract: Contract, threads: int = 0) -> NodeRunner:
    """Open a module.

    Args:
        path: The file.
        contract: Which tensors its frames are made of.
        threads: Without effect: JavaScript has one.

    Raises:
        ContractError: It is damaged, of another kind, or doesn't fit the contract.
    """
    with opening(path, "JavaScript"):
        return NodeRunner(path, contract)


class NodeRunner:
    """A module in a process of its own, which ends with this object.

    Args:
        path: The file.
        contract: Which tensors its frames are made of.
    """

    def __init__(self, path: Path, contract: Contract) -> None:
        if contract.chain is None:
            raise ContractError("the contract doesn't say how tensors become frames", hint="export it again")
        self.chain: ChainInfo = contract.chain
        self.contract = contract
        node = shutil.which("node")
        assert node is not None, "asked for before `why_not`"
        self._lock = threading.Lock()
        self._process = subprocess.Popen(
            [node, str(HOST), str(path.absolute())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        weakref.finalize(self, _end, self._process)
        found = self._read()
        sizes = [sum(slot.size for slot in slots) for slots in (self.chain.inputs, self.chain.outputs)]
        if [found["inputs"], found["outputs"]] != sizes:
            raise ContractError(
                f"it makes {found['outputs']} numbers of {found['inputs']}; "
                f"the contract says {sizes[1]} of {sizes[0]}",
                hint="the file belongs to another model or version; export the model again",
            )
        self._memory: list[int] = found["memory"]

    def run(self, inputs: Arrays) -> dict[str, NDArray[Any]]:
        """Outputs by name, and the following state. Thread-safe: calls wait for each other."""
        frames = self._frames(inputs)
        batch = len(frames)
        outputs, states = [], []
        for row in range(batch):
            memory = [inputs[part.name][row].tolist() for part in self.chain.state]
            memory = memory or [[0.0] * size for size in self._memory]
            answer = self._ask({"frames": frames[row].tolist(), "memory": memory})
            outputs.append(answer["outputs"])
            states.append(answer["memory"])
        given = self._tensors(np.array(outputs, np.float32))
        following = {state.name: state.next_name for state in self.contract.state}
        for at, part in enumerate(self.chain.state):
            given[following[part.name]] = np.array([memory[at] for memory in states], np.float32)
        return given

    def _frames(self, inputs: Arrays) -> NDArray[np.float32]:
        """(batch, frames, numbers)."""
        parts = []
        for slot in self.chain.inputs:
            axis = self._time_axis(slot.name)
            array = inputs[slot.name][:, None] if axis is None else np.moveaxis(inputs[slot.name], axis, 1)
            parts.append(array.reshape(*array.shape[:2], -1))
        return np.concatenate(parts, axis=2).astype(np.float32)

    def _tensors(self, frames: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
        """(batch, frames, numbers) as the contract's outputs."""
        found: dict[str, NDArray[Any]] = {}
        ends = np.cumsum([slot.size for slot in self.chain.outputs])[:-1]
        infos = {info.name: info for info in self.contract.outputs}
        for slot, part in zip(self.chain.outputs, np.split(frames, ends, axis=2), strict=True):
            inner = [size for size in infos[slot.name].shape[1:] if isinstance(size, int)]
            shaped = part.reshape(*part.shape[:2], *inner)
            axis = self._time_axis(slot.name)
            found[slot.name] = shaped[:, -1] if axis is None else np.moveaxis(shaped, 1, axis)
        return found

    def _time_axis(self, name: str) -> int | None:
        """The axis of a tensor that counts frames; None where a call is one frame."""
        infos = (*self.contract.inputs, *self.contract.outputs)
        shape = next(info.shape for info in infos if info.name == name)
        return shape.index(self.chain.time) if self.chain.time in shape else None

    def _ask(self, question: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        with self._lock:
            self._process.stdin.write(f"{json.dumps(question)}\n")
            self._process.stdin.flush()
            return self._read()

    def _read(self) -> dict[str, Any]:
        """The next answer; what Node.js complains of, where there is none."""
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        line = self._process.stdout.readline()
        if line:
            answer: dict[str, Any] = json.loads(line)
            return answer
        said = self._process.stderr.read()
        reasons = [one.strip() for one in said.splitlines() if "Error" in one]
        raise RuntimeError(reasons[0] if reasons else "Node.js ended without a word")


def _end(process: subprocess.Popen[str]) -> None:
    """Let the process go: it ends when nobody asks any more."""
    process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            stream.close()
