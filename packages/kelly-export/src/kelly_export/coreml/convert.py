"""Writing Core ML files: trace, convert, name, describe.

Batch norm stays a layer of its own: Core ML joins it with the convolution when it compiles the file, and every
weight in the file can then be compared with the checkpoint's. The batch is one, as in a host that plays;
lengths vary from 1 to `LONGEST`. State goes in and comes out by the contract's names, or is kept by Core ML.
Where the outputs are scores of labels, the model is a classifier: it also gives the best label and the
probabilities of all.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from kelly_core.errors import ParityError
from kelly_export.coreml.kinds import NETWORK, PROGRAM, PROGRAM_FP16, PROGRAM_STATE, Kind
from kelly_export.coreml.names import LABEL, PROBABILITIES, classified, sizes
from kelly_export.coreml.state import Keeping, require_keepable, state_types
from kelly_export.coreml.tools import quiet

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kelly_core.contract import TensorInfo
    from kelly_core.export import ExportBundle

LONGEST = 4096
"""Longest sequence that the file takes in one call."""


def export(bundle: ExportBundle, path: Path) -> None:
    """Write an ML program in fp32: `.mlpackage`, macOS 13, iOS 16 and later."""
    save(convert(bundle, PROGRAM), bundle, path)


def export_fp16(bundle: ExportBundle, path: Path) -> None:
    """Write an ML program whose weights and arithmetic are fp16; its interface is fp32."""
    save(convert(bundle, PROGRAM_FP16), bundle, path)


def export_state(bundle: ExportBundle, path: Path) -> None:
    """Write an ML program whose state Core ML keeps, in fp16; the rest is fp32. macOS 15, iOS 18 and later.

    Raises:
        FormatError: The model has no state, or none that Core ML can keep; see `state.require_keepable`.
    """
    require_keepable(bundle.contract)
    save(convert(bundle, PROGRAM_STATE), bundle, path)


def export_network(bundle: ExportBundle, path: Path) -> None:
    """Write a neural network: `.mlmodel`, macOS 11, iOS 14 and later."""
    save(convert(bundle, NETWORK), bundle, path)


def convert(bundle: ExportBundle, kind: Kind) -> Any:
    """The converted model, a `coremltools.models.MLModel` that wasn't loaded into Core ML.

    Args:
        bundle: The trained module, in evaluation mode, with its contract.
        kind: What to write.
    """
    contract = bundle.contract
    scores = classified(contract)
    module = Classified(bundle.module, scores) if scores is not None else bundle.module
    takes = kind.takes(contract)
    example = tuple(torch.tensor(np.asarray(bundle.example[info.name])[:1]) for info in takes)
    with quiet() as ct, warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")
        what = {"inputs": _inputs(ct, takes, example)}
        if kind.keeps_state:
            module = Keeping(module, contract.state)
            what["states"] = state_types(ct, contract.state)
        traced = torch.jit.trace(module, example, check_trace=False)
        target = {"minimum_deployment_target": getattr(ct.target, kind.target), "skip_model_load": True}
        how = {
            **target,
            "pass_pipeline": _passes(ct),
            "convert_to": "mlprogram" if kind.program else "neuralnetwork",
        }
        if kind.program:
            how["compute_precision"] = ct.precision.FLOAT16 if kind.half else ct.precision.FLOAT32
        outputs = [ct.TensorType(name=info.name) for info in kind.gives(contract)]
        if scores is None:
            return ct.convert(traced, **what, outputs=outputs, **how)
        target |= {"compute_precision": ct.precision.FLOAT32, "pass_pipeline": _passes(ct)}
        chosen = "scores" if kind.program else PROBABILITIES  # a program names them after the label itself
        outputs.insert(0, ct.TensorType(name=chosen))
        middle = ct.convert(traced, **what, outputs=outputs, convert_to="milinternal", **target)
        # A classifier has one output more than the network, which the converter doesn't reckon with.
        middle.functions["main"].set_output_types(None)
        labels = ct.ClassifierConfig(list(contract.labels), LABEL, chosen)
        return ct.convert(middle, classifier_config=labels, **how)


def save(model: Any, bundle: ExportBundle, path: Path) -> None:
    """Describe a converted model and write it.

    Raises:
        ParityError: It can't be written.
    """
    contract = bundle.contract
    model.short_description = f"{contract.model_id}: {contract.task}"
    model.author, model.version = "Kelly", contract.model_version
    model.user_defined_metadata.update(dict(bundle.metadata))
    spec = model.get_spec()
    units = {info.name: info.unit for info in (*contract.feeds, *contract.fetches)}
    description = spec.description
    for feature in (*description.input, *description.output, *description.state):
        feature.shortDescription = units.get(feature.name, "")
    with quiet() as ct:
        described = ct.models.MLModel(spec, weights_dir=model.weights_dir, skip_model_load=True)
        described.save(str(path))
    if not path.exists():
        raise ParityError(
            "Core ML Tools wrote no file",
            where=str(path),
            hint="report this to the exporter",
            code="parity.exporter",
        )


class Classified(nn.Module):
    """A module that first gives the probabilities of its scores.

    Args:
        module: Gives logits of (batch, labels).
        scores: Which of its outputs these are.
    """

    def __init__(self, module: nn.Module, scores: int) -> None:
        super().__init__()
        self.module = module
        self.scores = scores

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """`(batch, labels)` probabilities, then the outputs of the module."""
        given = self.module(*inputs)
        outputs = given if isinstance(given, tuple) else (given,)
        return (outputs[self.scores].softmax(dim=-1), *outputs)


def _passes(ct: Any) -> Any:
    """The converter's steps; it changes the object, so that each conversion needs one of its own."""
    pipeline = ct.PassPipeline()
    pipeline.remove_passes(["common::fuse_conv_batchnorm"])
    return pipeline


def _inputs(ct: Any, takes: Sequence[TensorInfo], example: tuple[Tensor, ...]) -> list[Any]:
    ranges: dict[str, Any] = {}
    found = []
    for info, tensor in zip(takes, example, strict=True):
        shape = [
            dim if isinstance(dim, int) else ranges.setdefault(dim, ct.RangeDim(1, LONGEST, int(usual)))
            for dim, usual in zip(sizes(info), tensor.shape, strict=True)
        ]
        kind = np.float32 if tensor.is_floating_point() else np.int32
        found.append(ct.TensorType(name=info.name, shape=ct.Shape(shape), dtype=kind))
    return found
