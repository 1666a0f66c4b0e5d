"""Runs a JavaScript module in Node.js, so that it can be compared with the trained network."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from kelly_core.contract import Contract
from kelly_core.infer.frames import ChainRunner
from kelly_core.runtime import opening
from numpy.typing import NDArray

Floats = NDArray[np.float32]

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


def open_runner(path: Path, contract: Contract, threads: int = 0) -> ChainRunner:
    """Open a module.

    Args:
        path: The file.
        contract: Which tensors its frames are made of.
        threads: Without effect: JavaScript has one.

    Raises:
        ContractError: It is damaged, of another kind, or doesn't fit the contract.
    """
    with opening(path, "JavaScript"):
        return ChainRunner(NodeEngine(path), contract)


class NodeEngine:
    """A module in a process of its own, which ends with this object: a `kelly_core.infer.frames.FrameEngine`.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
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
        self.inputs, self.outputs = int(found["inputs"]), int(found["outputs"])
        self._sizes: list[int] = found["memory"]

    @property
    def state(self) -> list[tuple[str, tuple[int, ...]]]:
        """Name and shape of every part of its memory: one for each recurrent layer."""
        return [(f"{at}.hidden", (size,)) for at, size in enumerate(self._sizes)]

    def reset(self, streams: int) -> list[Floats]:
        """Memory before the first frame, (streams, size) each."""
        return [np.zeros((streams, size), np.float32) for size in self._sizes]

    def run(self, frames: Floats, memory: Sequence[Floats]) -> tuple[Floats, list[Floats]]:
        """(streams, frames, inputs) and memory to (streams, frames, outputs) and memory; one call at a time."""
        answers = [
            self._ask({"frames": stream.tolist(), "memory": [part[row].tolist() for part in memory]})
            for row, stream in enumerate(frames)
        ]
        following = [
            np.array([answer["memory"][at] for answer in answers], np.float32) for at in range(len(self._sizes))
        ]
        return np.array([answer["outputs"] for answer in answers], np.float32), following

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
