"""RTNeural JSON: the writer, and a NumPy interpreter of what it wrote. No torch.

The format is that of RTNeural's `json_parser`: layers in a list, each with its type, size and weights.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from kelly_core import atomic
from kelly_core.chain import folded
from kelly_core.runtime import opening
from kelly_export.frames import ChainRunner
from kelly_export.rtneural.document import parse, render
from kelly_export.rtneural.interpreter import Interpreter

if TYPE_CHECKING:
    from kelly_core.contract import Contract
    from kelly_core.export import ExportBundle

__all__ = ["Interpreter", "export", "open_runner", "parse", "render"]


def export(bundle: ExportBundle, path: Path) -> None:
    """Write the network as RTNeural JSON.

    Args:
        bundle: The trained network; its chain is what is written.
        path: The file to write.

    Raises:
        FormatError: The network isn't a chain of layers; names the layer.
    """
    chain = bundle.require_chain()
    atomic.write_text(path, render(folded(chain.layers), bundle.metadata))


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
