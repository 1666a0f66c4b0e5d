"""The layers of a chain: weights and sizes, no arithmetic.

Every layer takes one frame, a vector of `inputs` numbers, and gives a vector of `outputs`; what it remembers
of earlier frames are its `state` parts, zeros after a reset. Two-dimensional frames lie feature by feature,
the channels of a feature side by side. Weights are float32, outputs last, so that a program adds whole rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float32]
Parts = tuple[tuple[str, tuple[int, ...]], ...]
"""Name and shape of each part of a layer's memory."""

ACTIVATIONS = ("tanh", "relu", "sigmoid", "softmax", "elu")
"""Activations that a chain carries; softmax over the frame, elu with alpha 1."""


class Layer(Protocol):
    """What all layers have.

    Attributes:
        kind: Name of its kind.
        inputs: Numbers of a frame that goes in.
        outputs: Numbers of a frame that comes out.
        state: Name and shape of what it remembers; empty for most.
    """

    kind: ClassVar[str]

    @property
    def inputs(self) -> int: ...
    @property
    def outputs(self) -> int: ...
    @property
    def state(self) -> Parts: ...


@dataclass(frozen=True, eq=False)
class Dense:
    """`y = x W + b`.

    Attributes:
        weight: (inputs, outputs).
        bias: (outputs,).
    """

    kind: ClassVar[str] = "dense"
    weight: Floats
    bias: Floats
    state: ClassVar[Parts] = ()

    @property
    def inputs(self) -> int:
        return int(self.weight.shape[0])

    @property
    def outputs(self) -> int:
        return int(self.weight.shape[1])


@dataclass(frozen=True, eq=False)
class Conv1d:
    """Causal convolution over frames: its last tap is the newest frame.

    Attributes:
        weight: (kernel, inputs / groups, outputs).
        bias: (outputs,).
        dilation: Frames between two taps.
        groups: Blocks of channels that don't see each other.
    """

    kind: ClassVar[str] = "conv1d"
    weight: Floats
    bias: Floats
    dilation: int = 1
    groups: int = 1

    @property
    def inputs(self) -> int:
        return int(self.weight.shape[1] * self.groups)

    @property
    def outputs(self) -> int:
        return int(self.weight.shape[2])

    @property
    def past(self) -> int:
        """Frames it remembers."""
        return int(self.weight.shape[0] - 1) * self.dilation

    @property
    def state(self) -> Parts:
        return (("past", (self.past, self.inputs)),) if self.past else ()


@dataclass(frozen=True, eq=False)
class Conv2d:
    """Convolution over frames and the features inside a frame, causal in time.

    Attributes:
        weight: (time, features, channels in, channels out).
        bias: (channels out,).
        features: Features of a frame that goes in.
        dilation: Frames between two taps.
        stride: Stride along the features.
        same: Whether zeros on either side give `ceil(features / stride)` features; with an odd number of
            zeros the last side gets one more.
    """

    kind: ClassVar[str] = "conv2d"
    weight: Floats
    bias: Floats
    features: int
    dilation: int = 1
    stride: int = 1
    same: bool = True

    @property
    def channels(self) -> tuple[int, int]:
        """Channels in and out."""
        return int(self.weight.shape[2]), int(self.weight.shape[3])

    @property
    def features_out(self) -> int:
        """Features of a frame that comes out."""
        if self.same:
            return -(-self.features // self.stride)
        return (self.features - int(self.weight.shape[1])) // self.stride + 1

    @property
    def padding(self) -> tuple[int, int]:
        """Zeros before the first and after the last feature."""
        if not self.same:
            return 0, 0
        total = max(0, (self.features_out - 1) * self.stride + int(self.weight.shape[1]) - self.features)
        return total // 2, total - total // 2

    @property
    def inputs(self) -> int:
        return self.features * self.channels[0]

    @property
    def outputs(self) -> int:
        return self.features_out * self.channels[1]

    @property
    def past(self) -> int:
        """Frames it remembers."""
        return int(self.weight.shape[0] - 1) * self.dilation

    @property
    def state(self) -> Parts:
        return (("past", (self.past, self.features, self.channels[0])),) if self.past else ()


@dataclass(frozen=True, eq=False)
class Gru:
    """Gated recurrent unit (Cho et al., 2014) whose reset gate acts after the recurrent product.

    Attributes:
        kernel: (inputs, 3 hidden), gates z, r, h.
        recurrent: (hidden, 3 hidden).
        bias: (2, 3 hidden): of the input, of the recurrent product.
    """

    kind: ClassVar[str] = "gru"
    kernel: Floats
    recurrent: Floats
    bias: Floats

    @property
    def inputs(self) -> int:
        return int(self.kernel.shape[0])

    @property
    def outputs(self) -> int:
        return int(self.recurrent.shape[0])

    @property
    def state(self) -> Parts:
        return (("hidden", (self.outputs,)),)


@dataclass(frozen=True, eq=False)
class Lstm:
    """Long short-term memory (Hochreiter and Schmidhuber, 1997), one layer.

    Attributes:
        kernel: (inputs, 4 hidden), gates i, f, g, o.
        recurrent: (hidden, 4 hidden).
        bias: (4 hidden,).
    """

    kind: ClassVar[str] = "lstm"
    kernel: Floats
    recurrent: Floats
    bias: Floats

    @property
    def inputs(self) -> int:
        return int(self.kernel.shape[0])

    @property
    def outputs(self) -> int:
        return int(self.recurrent.shape[0])

    @property
    def state(self) -> Parts:
        return ("hidden", (self.outputs,)), ("cell", (self.outputs,))


@dataclass(frozen=True, eq=False)
class Prelu:
    """`x` where positive, `alpha x` elsewhere.

    Attributes:
        alpha: (size,).
    """

    kind: ClassVar[str] = "prelu"
    alpha: Floats
    state: ClassVar[Parts] = ()

    @property
    def inputs(self) -> int:
        return len(self.alpha)

    @property
    def outputs(self) -> int:
        return len(self.alpha)


@dataclass(frozen=True, eq=False)
class BatchNorm:
    """`(x - mean) / sqrt(variance + epsilon) * gamma + beta`, each channel by its own numbers.

    Attributes:
        mean, variance: (channels,).
        gamma, beta: (channels,); None for 1 and 0.
        epsilon: Keeps the root away from 0.
        features: Features of a two-dimensional frame, each with all channels; 1 for a plain vector.
    """

    kind: ClassVar[str] = "batchnorm"
    mean: Floats
    variance: Floats
    gamma: Floats | None = None
    beta: Floats | None = None
    epsilon: float = 0.0
    features: int = 1
    state: ClassVar[Parts] = ()

    @classmethod
    def affine(cls, scale: ArrayLike, shift: ArrayLike) -> BatchNorm:
        """`x * scale + shift`: how a chain scales and moves single numbers."""
        gamma, beta = np.broadcast_arrays(np.asarray(scale, np.float32), np.asarray(shift, np.float32))
        return cls(np.zeros_like(gamma), np.ones_like(gamma), gamma.copy(), beta.copy())

    @property
    def multiplier(self) -> Floats:
        """`gamma / sqrt(variance + epsilon)`: (channels,)."""
        root = np.sqrt(self.variance + np.float32(self.epsilon))
        gamma = np.ones_like(root) if self.gamma is None else self.gamma
        return np.asarray(gamma / root, np.float32)

    @property
    def inputs(self) -> int:
        return len(self.mean) * self.features

    @property
    def outputs(self) -> int:
        return self.inputs


@dataclass(frozen=True)
class Activation:
    """One of `ACTIVATIONS` on a frame of `size` numbers."""

    kind: ClassVar[str] = "activation"
    name: str
    size: int
    state: ClassVar[Parts] = ()

    @property
    def inputs(self) -> int:
        return self.size

    @property
    def outputs(self) -> int:
        return self.size
