"""RTNeural JSON in NumPy: for verification, and for machines with neither torch nor ONNX Runtime."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from kelly_core.chain.rtneural import parse
from kelly_core.infer.frames import ChainRunner
from kelly_core.infer.interpreter import Interpreter
from kelly_core.runtime import opening

if TYPE_CHECKING:
    from kelly_core.contract import Contract


def open_runner(path: Path, contract: Contract, threads: int) -> ChainRunner:  # noqa: ARG001 - see below
    """Open a file with the interpreter.

    Args:
        path: The file.
        contract: Which tensors its frames are made of.
        threads: Without effect: a frame is too small to share out.

    Raises:
        ContractError: It is damaged, of another kind, or doesn't fit the contract.
    """
    with opening(path, "RTNeural JSON"):
        interpreter = Interpreter(parse(path.read_text(encoding="utf-8")))
        return ChainRunner(interpreter, contract)
