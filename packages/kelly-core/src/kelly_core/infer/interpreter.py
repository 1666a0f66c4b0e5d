"""Computes layers one frame at a time in NumPy, for any number of independent streams at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kelly_core.chain import Activation, BatchNorm, Conv1d, Conv2d, Dense, Gru, Layer, Lstm, Parts, Prelu

Floats = NDArray[np.float32]
Memory = Sequence[Floats]


class Interpreter:
    """Layers with nothing but their weights; memory goes in and comes out.

    Args:
        layers: What to compute, in order.
    """

    def __init__(self, layers: Sequence[Layer]) -> None:
        self.layers = layers
        self.inputs, self.outputs = layers[0].inputs, layers[-1].outputs
        self.state: Parts = tuple(part for layer in layers for part in layer.state)

    def reset(self, streams: int = 1) -> list[Floats]:
        """Memory before the first frame: zeros, (streams, ...) for each part."""
        return [np.zeros((streams, *shape), np.float32) for _, shape in self.state]

    def run(self, frames: Floats, memory: Memory) -> tuple[Floats, list[Floats]]:
        """Compute frames one after the other.

        Args:
            frames: (streams, frames, inputs).
            memory: What `reset` or the call before gave.

        Returns:
            (streams, frames, outputs), and the memory after the last frame.
        """
        results = np.empty((len(frames), frames.shape[1], self.outputs), np.float32)
        memory = list(memory)
        with np.errstate(over="ignore"):  # exp of a large number: the sigmoid of it is right all the same
            for at in range(frames.shape[1]):
                results[:, at], memory = self._frame(frames[:, at], memory)
        return results, memory

    def _frame(self, frame: Floats, memory: list[Floats]) -> tuple[Floats, list[Floats]]:
        following: list[Floats] = []
        for layer in self.layers:
            first = len(following)
            frame, *kept = _STEPS[type(layer)](layer, frame, *memory[first : first + len(layer.state)])
            following += kept
        return frame, following


def _dense(layer: Dense, x: Floats) -> tuple[Floats]:
    return (x @ layer.weight + layer.bias,)


def _heard(x: Floats, past: Floats | None, dilation: int) -> tuple[Floats, tuple[Floats, ...]]:
    """The frames under the taps, oldest first, and the past of the next frame."""
    if past is None:
        return x[:, None], ()
    joined = np.concatenate([past, x[:, None]], axis=1)
    return joined[:, ::dilation], (joined[:, 1:],)


def _conv1d(layer: Conv1d, x: Floats, past: Floats | None = None) -> tuple[Floats, ...]:
    taps, kept = _heard(x, past, layer.dilation)  # (streams, kernel, inputs)
    kernel, width, _ = layer.weight.shape
    grouped = taps.reshape(len(x), kernel, layer.groups, width)
    weight = layer.weight.reshape(kernel, width, layer.groups, -1)
    out = np.einsum("skgi,kigo->sgo", grouped, weight).reshape(len(x), -1)
    return (out + layer.bias, *kept)


def _conv2d(layer: Conv2d, x: Floats, past: Floats | None = None) -> tuple[Floats, ...]:
    shape = (len(x), layer.features, layer.channels[0])
    taps, kept = _heard(x.reshape(shape), past, layer.dilation)  # (streams, time, features, in)
    time, size, inputs, outputs = layer.weight.shape
    before, after = layer.padding
    padded = np.zeros((len(x), time, before + layer.features + after, inputs), np.float32)
    padded[:, :, before : before + layer.features] = taps
    under = np.arange(layer.features_out)[:, None] * layer.stride + np.arange(size)
    columns = padded[:, :, under].swapaxes(1, 2).reshape(-1, time * size * inputs)
    out = columns @ layer.weight.reshape(-1, outputs) + layer.bias
    return (out.reshape(len(x), -1), *kept)


def _gru(layer: Gru, x: Floats, hidden: Floats) -> tuple[Floats, Floats]:
    z, r, new = np.split(x @ layer.kernel + layer.bias[0], 3, axis=1)
    again_z, again_r, again = np.split(hidden @ layer.recurrent + layer.bias[1], 3, axis=1)
    update = _sigmoid(z + again_z)
    candidate = np.tanh(new + _sigmoid(r + again_r) * again)
    hidden = (1 - update) * candidate + update * hidden
    return hidden, hidden


def _lstm(layer: Lstm, x: Floats, hidden: Floats, cell: Floats) -> tuple[Floats, Floats, Floats]:
    gates = x @ layer.kernel + hidden @ layer.recurrent + layer.bias
    write, keep, new, show = np.split(gates, 4, axis=1)
    cell = _sigmoid(keep) * cell + _sigmoid(write) * np.tanh(new)
    hidden = _sigmoid(show) * np.tanh(cell)
    return hidden, hidden, cell


def _prelu(layer: Prelu, x: Floats) -> tuple[Floats]:
    return (np.where(x > 0, x, layer.alpha * x),)


def _batchnorm(layer: BatchNorm, x: Floats) -> tuple[Floats]:
    grouped = x.reshape(len(x), layer.features, -1)
    beta = 0.0 if layer.beta is None else layer.beta
    return (((grouped - layer.mean) * layer.multiplier + beta).reshape(x.shape).astype(np.float32),)


def _activation(layer: Activation, x: Floats) -> tuple[Floats]:
    return (_FUNCTIONS[layer.name](x),)


def _sigmoid(x: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-x)), np.float32)


def _softmax(x: Floats) -> Floats:
    raised = np.exp(x - x.max(axis=1, keepdims=True))
    result: Floats = raised / raised.sum(axis=1, keepdims=True)
    return result


_FUNCTIONS: dict[str, Callable[[Floats], Floats]] = {
    "tanh": np.tanh,
    "relu": lambda x: np.maximum(x, np.float32(0)),
    "sigmoid": _sigmoid,
    "softmax": _softmax,
    "elu": lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, np.float32(0)))),
}
_STEPS: dict[type, Callable[..., tuple[Any, ...]]] = {
    Dense: _dense,
    Conv1d: _conv1d,
    Conv2d: _conv2d,
    Gru: _gru,
    Lstm: _lstm,
    Prelu: _prelu,
    BatchNorm: _batchnorm,
    Activation: _activation,
}
