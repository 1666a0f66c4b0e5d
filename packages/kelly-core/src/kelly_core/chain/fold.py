"""One function as other layers: batch norm goes into the weights beside it, bounds become layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kelly_core.chain.layers import Activation, BatchNorm, Conv1d, Conv2d, Dense, Layer

Doubles = NDArray[np.float64]


def folded(layers: Sequence[Layer]) -> list[Layer]:
    """Join neighbours as far as the result stays the same.

    A batch norm goes into the dense layer or convolution before it, or into a batch norm or dense layer after
    it. It doesn't go into a convolution after it: that one pads with zeros which the batch norm hasn't seen.
    """
    result: list[Layer] = []
    for layer in layers:
        joined = _joined(result[-1], layer) if result else None
        if joined is None:
            result.append(layer)
        else:
            result[-1] = joined
    return result


def _joined(first: Layer, second: Layer) -> Layer | None:
    if isinstance(second, BatchNorm) and isinstance(first, Dense | Conv1d | Conv2d):
        per_channel = first.bias.size == second.mean.size
        return _scaled(first, *_affine(second)) if per_channel else None
    if not isinstance(first, BatchNorm) or first.features != 1:
        return None
    if isinstance(second, BatchNorm) and second.mean.size == first.mean.size and second.features == 1:
        scale, shift = _affine(second)
        gamma = first.multiplier.astype(np.float64) * scale
        beta = (0.0 if first.beta is None else first.beta.astype(np.float64)) * scale + shift
        ones = np.ones_like(first.mean)
        return BatchNorm(first.mean, ones, gamma.astype(np.float32), np.asarray(beta, np.float32))
    if isinstance(second, Dense):
        scale, shift = _affine(first)
        weight = second.weight.astype(np.float64)
        bias = second.bias + shift @ weight
        return Dense((weight * scale[:, None]).astype(np.float32), bias.astype(np.float32))
    return None


def _scaled(layer: Dense | Conv1d | Conv2d, scale: Doubles, shift: Doubles) -> Layer:
    """The layer with its outputs scaled, then moved; outputs are the last axis of every weight."""
    weight = (layer.weight.astype(np.float64) * scale).astype(np.float32)
    return replace(layer, weight=weight, bias=(layer.bias * scale + shift).astype(np.float32))


def _affine(norm: BatchNorm) -> tuple[Doubles, Doubles]:
    """Scale and shift, in double precision."""
    variance = norm.variance.astype(np.float64)
    scale = (1.0 if norm.gamma is None else norm.gamma) / np.sqrt(variance + norm.epsilon)
    return scale, (0.0 if norm.beta is None else norm.beta) - norm.mean * scale


def clamp(low: ArrayLike, high: ArrayLike) -> Sequence[Layer]:
    """`max(low, min(high, x))` from layers that a chain has: `high - relu(high - low - relu(x - low))`.

    Args:
        low: (size,) finite.
        high: (size,) finite, not below `low`.
    """
    low, high = (np.asarray(bound, np.float32) for bound in (low, high))
    return [
        BatchNorm.affine(np.ones_like(low), -low),
        Activation("relu", low.size),
        BatchNorm.affine(-np.ones_like(low), high - low),
        Activation("relu", low.size),
        BatchNorm.affine(-np.ones_like(low), high),
    ]
