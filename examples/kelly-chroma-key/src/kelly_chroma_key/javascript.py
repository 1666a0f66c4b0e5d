"""Writes a chain of layers as a JavaScript module: browsers, Node.js and Deno import it as it is."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from kelly_core import atomic
from kelly_core.chain import Activation, BatchNorm, Dense, Gru, Layer, folded
from kelly_core.contract import ChainInfo, Contract
from kelly_core.errors import FormatError
from kelly_core.export import ExportBundle
from numpy.typing import NDArray

TEMPLATE = Path(__file__).with_name("module.mjs")
ACTIVATIONS = ("tanh", "relu", "sigmoid")
HINT = "another format carries it, e.g. onnx"


def export(bundle: ExportBundle, path: Path) -> None:
    """Write one file at `path`, weights inside.

    Args:
        bundle: The trained network; its chain is what is written.
        path: Where the module shall lie.

    Raises:
        FormatError: The network is no chain, or one with something that the module doesn't compute.
    """
    chain = bundle.require_chain()
    _check(chain.info)
    layers = folded(chain.layers)
    table, numbers = _table(layers)
    text = TEMPLATE.read_text(encoding="utf-8")
    for name, value in (
        ("MODEL", json.dumps(_about(bundle.contract, layers), indent=2, ensure_ascii=False)),
        ("LAYERS", json.dumps(table)),
        ("WEIGHTS", json.dumps(base64.b64encode(numbers.astype("<f4").tobytes()).decode())),
    ):
        text = text.replace(f'"@{name}@"', value)
    atomic.write_text(path, text)


def _check(info: ChainInfo) -> None:
    if info.host or info.prepare:
        raise FormatError("its chain has steps outside its layers; the module knows none", hint=HINT)


def _about(contract: Contract, layers: Sequence[Layer]) -> dict[str, Any]:
    """What a page needs to know to feed the module."""
    return {
        "model_id": contract.model_id,
        "model_version": contract.model_version,
        "run_id": contract.run_id,
        "inputs": layers[0].inputs,
        "outputs": layers[-1].outputs,
        "labels": contract.labels,
        "features": contract.features,
    }


def _table(layers: Sequence[Layer]) -> tuple[list[dict[str, Any]], NDArray[np.float32]]:
    """Layers as plain values, each weight by its place in the one array of numbers."""
    table: list[dict[str, Any]] = []
    numbers: list[NDArray[np.float32]] = []
    for layer in layers:
        kind, arrays = _parts(layer)
        entry: dict[str, Any] = {"kind": kind, "inputs": layer.inputs, "outputs": layer.outputs}
        for name, array in arrays.items():
            entry[name] = sum(map(len, numbers))
            numbers.append(np.ascontiguousarray(array, np.float32).ravel())
        table.append(entry)
    return table, np.concatenate([*numbers, np.zeros(0, np.float32)])


def _parts(layer: Layer) -> tuple[str, dict[str, NDArray[np.float32]]]:
    match layer:
        case Dense():
            return "dense", {"weight": layer.weight, "bias": layer.bias}
        case Gru():
            return "gru", {"kernel": layer.kernel, "recurrent": layer.recurrent, "bias": layer.bias}
        case BatchNorm():
            beta = np.zeros_like(layer.mean) if layer.beta is None else layer.beta
            shift = beta - layer.mean * layer.multiplier
            return "scale", {
                "by": np.tile(layer.multiplier, layer.features),
                "shift": np.tile(shift, layer.features),
            }
        case Activation() if layer.name in ACTIVATIONS:
            return layer.name, {}
    name = layer.name if isinstance(layer, Activation) else layer.kind
    raise FormatError(f"the module doesn't compute {name!r}", hint=HINT, code="format.layer")
