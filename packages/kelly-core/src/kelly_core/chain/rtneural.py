"""Layers to RTNeural JSON and back.

The format is that of RTNeural's `json_parser`: layers in a list, each with its type, size and weights.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kelly_core.chain.layers import (
    ACTIVATIONS,
    Activation,
    BatchNorm,
    Conv1d,
    Conv2d,
    Dense,
    Gru,
    Layer,
    Lstm,
    Prelu,
)
from kelly_core.errors import ContractError, FormatError

Json = dict[str, Any]
_TAKES_ACTIVATION = (Dense, Conv1d, Conv2d)


def render(layers: Sequence[Layer], metadata: Mapping[str, str] | None = None) -> str:
    """The file's text, one line per layer's key; the loader looks at `in_shape` and `layers` alone.

    Args:
        layers: What to write.
        metadata: Text about the model, stored under `kelly`.
    """
    document: Json = {"in_shape": _in_shape(layers[0]), "layers": to_json(layers)}
    if metadata:
        document["kelly"] = dict(metadata)
    blocks = ",\n".join(f"  {_block(layer)}" for layer in document.pop("layers"))
    head = json.dumps(document, ensure_ascii=False, allow_nan=False)[1:-1]
    return f'{{{head}, "layers": [\n{blocks}\n]}}\n'


def to_json(layers: Sequence[Layer]) -> list[Json]:
    """Layers as the format has them; an activation stands with the layer before it where that takes one."""
    written: list[Json] = []
    before: Layer | None = None
    for layer in layers:
        if isinstance(layer, Activation) and isinstance(before, _TAKES_ACTIVATION):
            written[-1]["activation"] = _known(layer.name)
        else:
            written.append(_written(layer))
        before = layer
    return written


def parse(text: str) -> list[Layer]:
    """Layers of a file.

    Raises:
        ContractError: It isn't of this format, or has a layer or activation that nothing would compute.
    """
    try:
        document = json.loads(text)
        layers = _all_layers(document)
    except ContractError:
        raise
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise ContractError(
            f"not RTNeural JSON: {type(error).__name__}: {error}",
            hint="export the model again",
            code="contract.unusable",
        ) from error
    return layers


def _all_layers(document: Json) -> list[Layer]:
    size = int(np.prod(document["in_shape"][2:]))
    layers: list[Layer] = []
    for at, entry in enumerate(document["layers"]):
        kind = entry["type"]
        if kind != "activation" and kind not in _READERS:
            raise ContractError(
                f"layer {at} is of the unknown type {kind!r}",
                hint="export the model again",
                code="contract.unusable",
            )
        found = [_READERS[kind](entry)] if kind != "activation" else []
        outputs = int(np.prod(entry["shape"][2:]))
        if entry["activation"] and kind in ("activation", "dense", "conv1d", "conv2d"):
            if entry["activation"] not in ACTIVATIONS:
                raise ContractError(
                    _no_activation(entry["activation"]), hint="export the model again", code="contract.unusable"
                )
            found.append(Activation(entry["activation"], outputs))
        for layer in found:
            if layer.inputs != size or layer.outputs != outputs:
                raise ContractError(
                    f"layer {at} ({kind}) makes {layer.outputs} numbers of {layer.inputs}; its shape says "
                    f"{outputs} of {size}",
                    hint="export the model again",
                    code="contract.unusable",
                )
            size = outputs
        layers += found
    return layers


def _known(name: str) -> str:
    if name not in ACTIVATIONS:
        # RTNeural's loader skips it without a word.
        raise FormatError(_no_activation(name), hint="use another", code="format.layer")
    return name


def _no_activation(name: str) -> str:
    return f"no activation {name!r}; there are {', '.join(ACTIVATIONS)}"


def _written(layer: Layer) -> Json:
    # The converse of `_READERS`, one case per kind of layer.
    entry: Json = {"type": layer.kind, "activation": "", "shape": [None, None, layer.outputs]}
    match layer:
        case Dense():
            weights: list[Any] = [layer.weight, layer.bias]
        case Conv1d():
            entry |= {"kernel_size": [len(layer.weight)], "dilation": [layer.dilation], "groups": layer.groups}
            weights = [layer.weight, layer.bias]
        case Conv2d():
            entry |= _conv2d(layer)
            weights = [layer.weight, layer.bias]
        case Gru() | Lstm():
            weights = [layer.kernel, layer.recurrent, layer.bias]
        case Prelu():
            weights = [layer.alpha[None]]
        case BatchNorm():
            ones, zeros = np.ones_like(layer.mean), np.zeros_like(layer.mean)
            gamma = ones if layer.gamma is None else layer.gamma
            beta = zeros if layer.beta is None else layer.beta
            affine = layer.gamma is not None or layer.beta is not None
            weights = [gamma, beta, layer.mean, layer.variance] if affine else [layer.mean, layer.variance]
            entry["epsilon"] = layer.epsilon
            if layer.features > 1:
                entry |= {"type": "batchnorm2d", "shape": [None, None, layer.features, layer.mean.size]}
                entry |= {"num_filters_in": layer.mean.size, "num_features_in": layer.features}
        case Activation():
            entry["activation"] = _known(layer.name)
            weights = []
        case _:
            raise FormatError(
                f"the format has no layer {layer.kind!r}",
                hint="report this to the exporter",
                code="format.layer",
            )
    return {**entry, "weights": [_lists(array) for array in weights]}


def _conv2d(layer: Conv2d) -> Json:
    inputs, outputs = layer.channels
    return {
        "shape": [None, None, layer.features_out, outputs],
        "kernel_size_time": [layer.weight.shape[0]],
        "kernel_size_feature": [layer.weight.shape[1]],
        "dilation": [layer.dilation],
        "strides": [layer.stride],
        "num_filters_in": [inputs],
        "num_features_in": [layer.features],
        "num_filters_out": [outputs],
        "padding": "same" if layer.same else "valid",
    }


def _array(values: Any) -> NDArray[np.float32]:
    array = np.array(values, np.float32)
    if not np.isfinite(array).all():
        raise ValueError("a weight is not finite")
    return array


def _read_conv1d(entry: Json) -> Layer:
    weight, bias = map(_array, entry["weights"])
    return Conv1d(weight, bias, entry["dilation"][-1], entry.get("groups", 1))


def _read_conv2d(entry: Json) -> Layer:
    weight, bias = map(_array, entry["weights"])
    features, dilation = entry["num_features_in"][-1], entry["dilation"][-1]
    return Conv2d(weight, bias, features, dilation, entry["strides"][-1], entry["padding"] == "same")


def _read_batchnorm(entry: Json) -> Layer:
    weights = [_array(one) for one in entry["weights"]]
    mean, variance = weights[-2:]
    gamma, beta = weights[:2] if len(weights) == 4 else (None, None)
    return BatchNorm(mean, variance, gamma, beta, entry["epsilon"], entry.get("num_features_in", 1))


_READERS = {
    "dense": lambda entry: Dense(*map(_array, entry["weights"])),
    "conv1d": _read_conv1d,
    "conv2d": _read_conv2d,
    "gru": lambda entry: Gru(*map(_array, entry["weights"])),
    "lstm": lambda entry: Lstm(*map(_array, entry["weights"])),
    "prelu": lambda entry: Prelu(np.resize(_array(entry["weights"]), entry["shape"][-1])),
    "batchnorm": _read_batchnorm,
    "batchnorm2d": _read_batchnorm,
}


def _in_shape(first: Layer) -> list[int | None]:
    if isinstance(first, Conv2d):
        return [None, None, first.features, first.channels[0]]
    if isinstance(first, BatchNorm) and first.features > 1:
        return [None, None, first.features, first.mean.size]
    return [None, None, first.inputs]


def _block(entry: Json) -> str:
    weights = ",\n    ".join(_numbers(array) for array in entry["weights"])
    head = json.dumps({key: value for key, value in entry.items() if key != "weights"})[1:-1]
    return f'{{{head}, "weights": [{weights}]}}'


def _numbers(value: Any) -> str:
    return json.dumps(value, allow_nan=False, separators=(",", ":"))


def _lists(array: NDArray[np.float32]) -> Any:
    # str() gives the shortest decimal that is this float32; as a double it would be twice as long.
    shortest = [float(str(value)) for value in array.ravel()]
    return np.array(shortest, np.float64).reshape(array.shape).tolist()
