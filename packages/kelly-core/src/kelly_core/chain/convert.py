"""From torch modules to layers of a chain; what a chain can't carry is refused by its name."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from kelly_core.chain.layers import (
    Activation,
    BatchNorm,
    Conv1d,
    Conv2d,
    Dense,
    Floats,
    Gru,
    Layer,
    Lstm,
    Prelu,
)
from kelly_core.errors import FormatError

if TYPE_CHECKING:
    from torch import Tensor, nn

KNOWN = "dense, causal conv1d and conv2d, gru, lstm, prelu, batch norm, tanh, relu, sigmoid, softmax, elu"
_PLAIN = {"Tanh": "tanh", "ReLU": "relu", "Sigmoid": "sigmoid", "Softmax": "softmax", "ELU": "elu"}
_NOTHING = ("Dropout", "Identity")


class _Site(NamedTuple):
    """A layer of torch, the numbers that go into it, its name."""

    module: Any
    size: int
    name: str


def layers_of(module: nn.Module, size: int, name: str = "") -> list[Layer]:
    """Layers of a module in evaluation mode; `nn.Sequential` is walked, dropout vanishes.

    A `Conv1d` must have no padding: what a chain pads with is its memory, zeros after a reset. A `Conv2d`
    needs to be told about features and causality: `conv2d_of`.

    Args:
        module: A layer, or a sequence of layers, of torch.
        size: Numbers of a frame that goes in.
        name: Its name in the model, for messages.

    Raises:
        FormatError: It, or a layer in it, is none that a chain carries; names it.
    """
    kind = type(module).__name__
    if kind == "Sequential":
        layers: list[Layer] = []
        for child, layer in module.named_children():
            layers += layers_of(layer, layers[-1].outputs if layers else size, f"{name}.{child}".lstrip("."))
        return layers
    if kind in _NOTHING:
        return []
    if kind in _PLAIN and not _odd_activation(module):
        return [Activation(_PLAIN[kind], size)]
    site = _Site(module, size, name)
    if kind not in _MAKERS:
        raise _refused(site, "")
    return _MAKERS[kind](site)


def conv2d_of(
    module: nn.Conv2d,
    features: int,
    *,
    stride: int = 1,
    dilation: int = 1,
    same: bool = True,
    norm: nn.BatchNorm2d | None = None,
) -> Conv2d:
    """A convolution over (features, frames), causal in time, with the batch norm that follows folded in.

    Args:
        module: Its weights: (out, in, features, frames).
        features: Features of a frame that goes in.
        stride: Along the features.
        dilation: Along the frames.
        same: Whether the features are padded with zeros, see `Conv2d`.
        norm: Batch norm right after it.
    """
    weight, bias = array(module.weight).astype(np.float64), np.zeros(module.out_channels)
    if module.bias is not None:
        bias += array(module.bias)
    if norm is not None:
        assert norm.running_mean is not None
        assert norm.running_var is not None
        scale = array(norm.weight) / np.sqrt(array(norm.running_var).astype(np.float64) + norm.eps)
        weight = weight * scale[:, None, None, None]
        bias = (bias - array(norm.running_mean)) * scale + array(norm.bias)
    ordered = np.ascontiguousarray(weight.transpose(3, 2, 1, 0), np.float32)  # (frames, features, in, out)
    return Conv2d(ordered, bias.astype(np.float32), features, dilation, stride, same)


def refusal(module: nn.Module, hint: str) -> FormatError:
    """Why a network whose task gives no chain can't be one: its first layer that no chain has, by name."""
    carried = {*_MAKERS, *_PLAIN, *_NOTHING, "Conv2d", "BatchNorm2d", "Sequential", "ModuleList"}
    for name, layer in module.named_modules():
        if type(layer).__module__.startswith("torch.nn.") and type(layer).__name__ not in carried:
            return FormatError(_reason(name, layer, ""), hint=hint, code="format.layer")
    return FormatError(
        f"{type(module).__name__} isn't a chain of layers that is computed frame by frame",
        hint=hint,
        code="format.layer",
    )


def array(tensor: Tensor) -> Floats:
    """A tensor's numbers on the CPU, float32."""
    return np.ascontiguousarray(tensor.detach().cpu().numpy(), np.float32)


def _dense(site: _Site) -> list[Layer]:
    module = site.module
    bias = np.zeros(module.out_features, np.float32) if module.bias is None else array(module.bias)
    return [Dense(np.ascontiguousarray(array(module.weight).T), bias)]


def _conv1d(site: _Site) -> list[Layer]:
    module = site.module
    if module.stride != (1,) or module.padding not in ((0,), "valid"):
        raise _refused(site, " with a stride or with padding: a chain pads with what it remembers")
    bias = np.zeros(module.out_channels, np.float32) if module.bias is None else array(module.bias)
    weight = np.ascontiguousarray(array(module.weight).transpose(2, 1, 0))  # (kernel, in / groups, out)
    return [Conv1d(weight, bias, module.dilation[0], module.groups)]


def _prelu(site: _Site) -> list[Layer]:
    return [Prelu(np.ascontiguousarray(np.broadcast_to(array(site.module.weight), (site.size,))))]


def _batchnorm(site: _Site) -> list[Layer]:
    module = site.module
    if module.running_mean is None:
        raise _refused(site, " without running statistics")
    gamma, beta = (array(module.weight), array(module.bias)) if module.affine else (None, None)
    return [BatchNorm(array(module.running_mean), array(module.running_var), gamma, beta, module.eps)]


def _recurrent(site: _Site) -> list[Layer]:
    module = site.module
    if module.bidirectional or getattr(module, "proj_size", 0):
        raise _refused(site, " with two directions or a projection")
    layers: list[Layer] = []
    for at in range(module.num_layers):
        kernel = np.ascontiguousarray(array(getattr(module, f"weight_ih_l{at}")).T)
        recurrent = np.ascontiguousarray(array(getattr(module, f"weight_hh_l{at}")).T)
        biases = [
            array(getattr(module, f"bias_{one}_l{at}")) if module.bias else np.zeros_like(kernel[0])
            for one in ("ih", "hh")
        ]
        if type(module).__name__ == "LSTM":
            layers.append(Lstm(kernel, recurrent, biases[0] + biases[1]))
        else:  # torch orders the gates r, z, n
            parts = [_reset_second(part) for part in (kernel, recurrent, np.stack(biases))]
            layers.append(Gru(*parts))
    return layers


def _reset_second(gates: Floats) -> Floats:
    reset, update, new = np.split(gates, 3, axis=-1)
    return np.ascontiguousarray(np.concatenate([update, reset, new], axis=-1))


_MAKERS: dict[str, Callable[[_Site], list[Layer]]] = {
    "Linear": _dense,
    "Conv1d": _conv1d,
    "PReLU": _prelu,
    "BatchNorm1d": _batchnorm,
    "GRU": _recurrent,
    "LSTM": _recurrent,
}


def _odd_activation(module: Any) -> bool:
    if type(module).__name__ == "ELU":
        return bool(module.alpha != 1.0)
    return type(module).__name__ == "Softmax" and module.dim not in (-1, None)


def _refused(site: _Site, detail: str) -> FormatError:
    return FormatError(_reason(site.name, site.module, detail), code="format.layer")


def _reason(name: str, module: nn.Module, detail: str) -> str:
    where = f"layer {name!r}" if name else "the network"
    return f"{where} is {type(module).__name__}{detail}; frame by frame there are {KNOWN}"
