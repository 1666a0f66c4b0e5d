"""RTNeural JSON: the trained network's chain, written as RTNeural's `json_parser` reads it.

Layers stand in a list, each with its type, size and weights. Core reads the format, see
`kelly_core.chain.rtneural`, and computes it in NumPy, `kelly_core.infer.interpreter`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from kelly_core import atomic
from kelly_core.chain import folded
from kelly_core.chain.rtneural import render

if TYPE_CHECKING:
    from kelly_core.export import ExportBundle


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
