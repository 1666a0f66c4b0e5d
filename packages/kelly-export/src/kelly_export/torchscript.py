"""TorchScript: the traced network, with the metadata as a file inside the archive."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from kelly_core.contract import BATCH
from kelly_core.errors import ParityError
from kelly_core.tensors import resized, symbols

if TYPE_CHECKING:
    from kelly_core.export import ExportBundle

METADATA_FILE = "kelly.json"
"""Name inside the archive; C++ reads it through the `extra_files` of `torch::jit::load`."""


def export(bundle: ExportBundle, path: Path) -> None:
    """Write the module as TorchScript.

    Args:
        bundle: The trained module, in evaluation mode, with its contract.
        path: The file to write.

    Raises:
        ParityError: The trace computes something else at another size of the symbolic dimensions.
    """
    contract = bundle.contract
    example = dict(bundle.example)
    sizes = {dim: 2 for dim in symbols(contract.inputs) if dim == BATCH}
    for info in contract.inputs:
        axes = {d: example[info.name].shape[i] for i, d in enumerate(info.shape) if isinstance(d, str)}
        sizes |= {dim: size + 7 for dim, size in axes.items() if dim != BATCH}
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")  # torch advises against torch.jit; the check below is what counts
        try:
            traced = torch.jit.trace(
                bundle.module,
                _positional(bundle, example),
                check_inputs=[_positional(bundle, resized(contract, example, **sizes))],
            )
        except torch.jit.TracingCheckError as error:
            raise ParityError(
                f"its trace computes something else at {sizes}: {str(error).strip().splitlines()[0]}",
                where=str(path),
                hint="the network decides in Python by the size of its input; write it with tensor operations",
                code="parity.exporter",
            ) from error
        metadata = json.dumps(dict(bundle.metadata), ensure_ascii=False)
        torch.jit.save(traced, str(path), _extra_files={METADATA_FILE: metadata})


def read_metadata(path: Path) -> dict[str, str]:
    """The text that Kelly stored in the file: labels, features, versions, checksum of the checkpoint."""
    files = {METADATA_FILE: ""}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.load(str(path), map_location="cpu", _extra_files=files)
    result: dict[str, str] = json.loads(files[METADATA_FILE])
    return result


def _positional(bundle: ExportBundle, inputs: object) -> tuple[torch.Tensor, ...]:
    assert isinstance(inputs, dict)
    return tuple(torch.tensor(np.asarray(inputs[info.name])) for info in bundle.contract.feeds)
