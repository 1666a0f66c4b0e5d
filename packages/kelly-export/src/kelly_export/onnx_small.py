"""Smaller ONNX files, made of the fp32 one: weights in 8 bits with dynamic scales of activations, and fp16.

Both differ from the trained model on purpose; their specs say by how much at most, the contract repeats it, and
`kelly evaluate --runtime` tells what it costs. Inputs, outputs and state stay fp32.
"""

from __future__ import annotations

import logging
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from kelly_core.export import ExportBundle, Inspection
from kelly_core.runtime import opening
from kelly_core.verify import from_reset, random_inputs
from kelly_export import onnx as full

if TYPE_CHECKING:
    from torch import nn

    from kelly_core.contract import Contract

Weights = dict[str, NDArray[Any]]
RECURRENT = {"GRU", "LSTM", "RNN"}


def export_int8(bundle: ExportBundle, path: Path) -> None:
    """Write weights of convolutions and dense layers as int8, one scale per output channel.

    Weights take 7 of the 8 bits: on processors without VNNI two products of 8 bits overflow 16.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with _full(bundle) as source, _silent():
        quantize_dynamic(source, path, weight_type=QuantType.QInt8, per_channel=True, reduce_range=True)
    _describe(path, bundle)


def export_fp16(bundle: ExportBundle, path: Path) -> None:
    """Write weights and arithmetic in fp16.

    Beside a recurrent layer axes are swapped in fp32: in fp16 ONNX Runtime 1.32 crashes when it opens the file.
    """
    from onnxruntime.transformers.float16 import DEFAULT_OP_BLOCK_LIST, convert_float_to_float16
    from onnxruntime.transformers.onnx_model import OnnxModel

    with _full(bundle) as source, _silent():
        model = onnx.load(source)
        recurrent = RECURRENT.intersection(node.op_type for node in model.graph.node)
        kept = [*DEFAULT_OP_BLOCK_LIST, *(["Transpose"] if recurrent else [])]
        model = convert_float_to_float16(model, keep_io_types=True, op_block_list=kept)
        OnnxModel.graph_topological_sort(model.graph)  # it puts its casts of the inputs last
        onnx.save(model, path)
    _describe(path, bundle)


def inspect(path: Path, contract: Contract, module: nn.Module | None) -> Inspection:
    """Compare every weight with the trained module's: rounded to fp16, or within half a step of int8.

    Args:
        path: The file.
        contract: What it promises.
        module: The trained network; None where it isn't at hand, and nothing is compared.

    Raises:
        ContractError: It is damaged or no ONNX file.
    """
    if module is None:
        return Inspection()
    with opening(path, "ONNX"):
        given = _weights(path)
    example = from_reset(contract, random_inputs(contract, 1))
    with _full(ExportBundle(module, contract, example, {})) as source:
        wanted = _weights(source)
    wrong = [name for name, values in wanted.items() if not _as_trained(name, values, given)]
    problems = tuple(f"weight {name!r} is not the trained model's, rounded" for name in wrong[:3])
    return Inspection(
        problems, () if wrong else (f"all {len(wanted)} weights are the trained model's, rounded",)
    )


def _as_trained(name: str, values: NDArray[Any], given: Weights) -> bool:
    if name in given:
        # The smallest numbers of fp16 are 6e-8 apart; the converter lifts what is smaller.
        exact = given[name].dtype != np.float16
        rounded = values if exact else values.astype(np.float16).astype(np.float32)
        other = given[name].astype(np.float32)
        return other.shape == values.shape and bool(
            np.allclose(rounded, other, rtol=0.0, atol=0 if exact else 1e-7)
        )
    turned = f"{name}_Transposed"  # a dense layer became a product with its weights turned
    stem, values = (turned, values.T) if f"{turned}_quantized" in given else (name, values)
    stored = given.get(f"{stem}_quantized")
    if stored is None or stored.shape != values.shape:
        return False
    scale, zero = (given[f"{stem}_{part}"].astype(np.float32) for part in ("scale", "zero_point"))
    if scale.size > 1:  # one per output channel: of dense layers the last axis, of convolutions the first
        shape = [1, -1] if stored.ndim == 2 else [-1] + [1] * (stored.ndim - 1)
        scale, zero = scale.reshape(shape), zero.reshape(shape)
    back = (stored.astype(np.float32) - zero) * scale
    return bool((np.abs(back - values) <= 0.51 * scale + 1e-7).all())


def _weights(path: Path) -> Weights:
    model = onnx.load(path)
    return {one.name: numpy_helper.to_array(one) for one in model.graph.initializer if _has_fractions(one)}


def _has_fractions(tensor: onnx.TensorProto) -> bool:
    """Whether a tensor is a weight, or the int8 form of one; shapes and axes are int64."""
    return tensor.data_type != onnx.TensorProto.INT64


@contextmanager
def _full(bundle: ExportBundle) -> Iterator[Path]:
    """The fp32 file, for as long as it is needed."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "full.onnx"
        full.export(bundle, path)
        yield path


@contextmanager
def _silent() -> Iterator[None]:
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def _describe(path: Path, bundle: ExportBundle) -> None:
    model = onnx.load(path)
    onnx.helper.set_model_props(model, dict(bundle.metadata))
    model.producer_name, model.producer_version = "kelly", bundle.contract.model_version
    onnx.save(model, path)
    full.check(path)
