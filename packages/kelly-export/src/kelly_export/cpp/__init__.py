"""C++ header: the network as one self-contained C++17 file, and its runner, which compiles it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from kelly_core import atomic
from kelly_core.chain import folded
from kelly_export.cpp.compiler import why_not
from kelly_export.cpp.header import render
from kelly_export.cpp.host import host_code
from kelly_export.cpp.runner import open_runner

if TYPE_CHECKING:
    from kelly_core.export import ExportBundle

__all__ = ["export", "open_runner", "render", "why_not"]


def export(bundle: ExportBundle, path: Path) -> None:
    """Write the network as a C++ header.

    Args:
        bundle: The trained network; its chain is what is written.
        path: The file to write.

    Raises:
        FormatError: The network isn't a chain of layers; names the layer.
    """
    layers = folded(bundle.require_chain().layers)
    contract = bundle.contract
    atomic.write_text(path, render(contract.model_id, layers, bundle.metadata, host_code(contract)))
