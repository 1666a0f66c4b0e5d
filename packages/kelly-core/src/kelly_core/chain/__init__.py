"""Networks as chains of layers that are computed frame by frame, for formats that know no graphs.

A task that can say its network this way implements `Task.chain`. Light: NumPy only; torch is looked at in
`convert`, inside functions.
"""

from kelly_core.chain.chain import Chain
from kelly_core.chain.convert import array, conv2d_of, layers_of, refusal
from kelly_core.chain.fold import clamp, folded
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
    Parts,
    Prelu,
)

__all__ = [
    "ACTIVATIONS",
    "Activation",
    "BatchNorm",
    "Chain",
    "Conv1d",
    "Conv2d",
    "Dense",
    "Gru",
    "Layer",
    "Lstm",
    "Parts",
    "Prelu",
    "array",
    "clamp",
    "conv2d_of",
    "folded",
    "layers_of",
    "refusal",
]
