"""Writing Core ML files: trace, convert, name, describe.

Batch norm stays a layer of its own: Core ML joins it with the convolution when it compiles the file, and every
weight in the file can then be compared with the checkpoint's. The batch is one, as in a host that plays;
lengths vary from 1 to `LONGEST`. State goes in and comes out by the contract's names. Where the outputs are
scores of labels, the model is a classifier: it also gives the best label and the probabilities of all.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from kelly_core.contract import BATCH
from kelly_core.errors import ParityError
from kelly_export.coreml.names import LABEL, PROBABILITIES, classified
from kelly_export.coreml.tools import quiet

if TYPE_CHECKING:
    from kelly_core.contract import Contract, TensorInfo
    from kelly_core.export import ExportBundle

LONGEST = 4096
"""Longest sequence that the file takes in one call."""
TARGETS = {"program": "macOS13", "program-fp16": "macOS12", "network": "macOS11"}
"""Oldest system. For macOS 13 the converter would make the interface of an fp16 program fp16 too."""


def export(bundle: ExportBundle, path: Path) -> None:
    """Write an ML program in fp32: `.mlpackage`, macOS 13, iOS 16 and later."""
    save(convert(bundle, "program"), bundle, path)


def export_fp16(bundle: ExportBundle, path: Path) -> None:
    """Write an ML program whose weights and arithmetic are fp16; its interface is fp32."""
    save(convert(bundle, "program-fp16"), bundle, path)


def export_network(bundle: ExportBundle, path: Path) -> None:
    """Write a neural network: `.mlmodel`, macOS 11, iOS 14 and later."""
    save(convert(bundle, "network"), bundle, path)


def convert(bundle: ExportBundle, kind: str) -> Any:
    """The converted model, a `coremltools.models.MLModel` that wasn't loaded into Core ML.

    Args:
        bundle: The trained module, in evaluation mode, with its contract.
        kind: `"program"`, `"program-fp16"` or `"network"`.
    """
    contract = bundle.contract
    scores = classified(contract)
    module = Classified(bundle.module, scores) if scores is not None else bundle.module
    example = tuple(torch.tensor(np.asarray(bundle.example[info.name])[:1]) for info in contract.feeds)
    with quiet() as ct, warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")
        traced = torch.jit.trace(module, example, check_trace=False)
        program, half = kind != "network", kind == "program-fp16"
        target = {"minimum_deployment_target": getattr(ct.target, TARGETS[kind]), "skip_model_load": True}
        how = {
            **target,
            "pass_pipeline": _passes(ct),
            "convert_to": "mlprogram" if program else "neuralnetwork",
        }
        if program:
            how["compute_precision"] = ct.precision.FLOAT16 if half else ct.precision.FLOAT32
        what = {"inputs": _inputs(ct, contract, example)}
        outputs = [ct.TensorType(name=info.name) for info in contract.fetches]
        if scores is None:
            return ct.convert(traced, **what, outputs=outputs, **how)
        target |= {"compute_precision": ct.precision.FLOAT32, "pass_pipeline": _passes(ct)}
        chosen = "scores" if program else PROBABILITIES  # an ML program names them after the label itself
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
    for feature in (*spec.description.input, *spec.description.output):
        feature.shortDescription = units.get(feature.name, "")
    with quiet() as ct:
        described = ct.models.MLModel(spec, weights_dir=model.weights_dir, skip_model_load=True)
        described.save(str(path))
    if not path.exists():
        raise ParityError("Core ML Tools wrote no file", where=str(path), hint="report this to the exporter")


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


def sizes(info: TensorInfo) -> list[int | str]:
    """Shape of a tensor in the file: the batch is one."""
    return [1 if dim == BATCH else dim for dim in info.shape]


def _passes(ct: Any) -> Any:
    """The converter's steps; it changes the object, so that each conversion needs one of its own."""
    pipeline = ct.PassPipeline()
    pipeline.remove_passes(["common::fuse_conv_batchnorm"])
    return pipeline


def _inputs(ct: Any, contract: Contract, example: tuple[Tensor, ...]) -> list[Any]:
    ranges: dict[str, Any] = {}
    found = []
    for info, tensor in zip(contract.feeds, example, strict=True):
        shape = [
            dim if isinstance(dim, int) else ranges.setdefault(dim, ct.RangeDim(1, LONGEST, int(usual)))
            for dim, usual in zip(sizes(info), tensor.shape, strict=True)
        ]
        kind = np.float32 if tensor.is_floating_point() else np.int32
        found.append(ct.TensorType(name=info.name, shape=ct.Shape(shape), dtype=kind))
    return found
