"""ONNX: opset 17, weights and metadata inside the one file, the contract's symbolic dimensions left open.

The trace-based exporter of torch is used. The newer one, built on `torch.export`, is slower by a factor of
thirty on networks of this size, and of recurrent ones it writes wrong graphs or none (torch 2.14: it fails
on a GRU whose batch varies). Whatever it writes, the gate compares it with the network.
"""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnx
import torch

from kelly_core.errors import ParityError

if TYPE_CHECKING:
    from kelly_core.contract import TensorInfo
    from kelly_core.export import ExportBundle

OPSET = 17
"""Old enough for engines of 2022, new enough for layer normalisation and the discrete Fourier transform."""


def export(bundle: ExportBundle, path: Path) -> None:
    """Write the module as ONNX.

    Args:
        bundle: The trained module, in evaluation mode, with its contract.
        path: The file to write.

    Raises:
        ParityError: The graph isn't valid ONNX, or keeps weights outside the file.
    """
    feeds, fetches = bundle.contract.feeds, bundle.contract.fetches
    example = tuple(torch.tensor(np.asarray(bundle.example[info.name])) for info in feeds)
    with warnings.catch_warnings(), torch.inference_mode():
        # The gate is the answer to what the tracer warns of: sizes it might freeze, and its own age.
        warnings.simplefilter("ignore")
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        torch.onnx.export(
            bundle.module,
            example,
            str(path),
            dynamo=False,
            opset_version=OPSET,
            input_names=[info.name for info in feeds],
            output_names=[info.name for info in fetches],
            dynamic_axes={info.name: _symbolic_axes(info) for info in (*feeds, *fetches)},
        )
    model = onnx.load(path)
    _name_dimensions(model, {info.name: info for info in (*feeds, *fetches)})
    onnx.helper.set_model_props(model, dict(bundle.metadata))
    model.producer_name, model.producer_version = "kelly", bundle.contract.model_version
    model.doc_string = f"{bundle.contract.model_id}: {bundle.contract.task}"
    onnx.save(model, path)
    check(path)


def check(path: Path) -> None:
    """Check that a file is valid ONNX with its weights inside.

    Raises:
        ParityError: It isn't; says why.
    """
    try:
        onnx.checker.check_model(str(path), full_check=True)
        model = onnx.load(path, load_external_data=False)
    except Exception as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ParityError(
            f"not valid ONNX: {reason}",
            where=str(path),
            hint="the file is damaged; export the model again",
            code="parity.exporter",
        ) from error
    outside = [t.name for t in model.graph.initializer if t.data_location == onnx.TensorProto.EXTERNAL]
    if outside:
        raise ParityError(
            f"weights lie outside the file: {', '.join(outside)}",
            where=str(path),
            hint="export the model again; Kelly's files hold their weights",
            code="parity.exporter",
        )


def read_metadata(path: Path) -> dict[str, str]:
    """The text that Kelly stored in the file: labels, features, versions, checksum of the checkpoint."""
    model = onnx.load(path, load_external_data=False)
    return {entry.key: entry.value for entry in model.metadata_props}


def _symbolic_axes(info: TensorInfo) -> dict[int, str]:
    return {axis: dim for axis, dim in enumerate(info.shape) if isinstance(dim, str)}


def _name_dimensions(model: onnx.ModelProto, tensors: dict[str, TensorInfo]) -> None:
    """Give every dimension of the interface the contract's size or name; the tracer loses some."""
    for value in (*model.graph.input, *model.graph.output):
        shape = value.type.tensor_type.shape
        del shape.dim[:]
        for dim in tensors[value.name].shape:
            if isinstance(dim, int):
                shape.dim.add(dim_value=dim)
            else:
                shape.dim.add(dim_param=dim)
