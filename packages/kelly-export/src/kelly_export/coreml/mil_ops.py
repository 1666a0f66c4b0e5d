"""Operations of ML programs in torch, by the names of Core ML Tools' MIL reference (version 9)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from kelly_export.coreml.mil_args import Args, flag, integer, ints, number
from kelly_export.coreml.mil_index import ELEMENTS
from kelly_export.coreml.mil_state import STATES


def _binary(function: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Args], Tensor]:
    return lambda a: function(torch.as_tensor(a["x"]), torch.as_tensor(a["y"]))


def _unary(function: Callable[[Tensor], Tensor]) -> Callable[[Args], Tensor]:
    return lambda a: function(a["x"])


def _reduce(function: Callable[..., Tensor]) -> Callable[[Args], Tensor]:
    def compute(a: Args) -> Tensor:
        axes = ints(a["axes"]) if a.get("axes") is not None else list(range(a["x"].dim()))
        return function(a["x"], dim=axes, keepdim=flag(a, "keep_dims"))

    return compute


def _cast(a: Args) -> Tensor:
    kind = str(a["dtype"])
    if kind == "fp16":
        return a["x"].half().float()
    kinds = {"fp32": torch.float32, "int32": torch.int32, "int16": torch.int16, "bool": torch.bool}
    return torch.as_tensor(a["x"]).to(kinds.get(kind, torch.int32))


def _conv(a: Args) -> Tensor:
    x, weight = a["x"], a["weight"]
    rank = weight.dim() - 2
    padding = ints(a["pad"]) if a.get("pad") is not None else [0] * 2 * rank
    if str(a.get("pad_type", "valid")) == "valid":
        padding = [0] * 2 * rank
    edges = [side for axis in reversed(range(rank)) for side in padding[2 * axis : 2 * axis + 2]]
    function = (F.conv1d, F.conv2d, F.conv3d)[rank - 1]
    strides, dilations = (ints(a[n]) if a.get(n) is not None else [1] * rank for n in ("strides", "dilations"))
    return function(
        F.pad(x, edges), weight, a.get("bias"), tuple(strides), 0, tuple(dilations), integer(a.get("groups", 1))
    )


def _batch_norm(a: Args) -> Tensor:
    return F.batch_norm(
        a["x"], a["mean"], a["variance"], a.get("gamma"), a.get("beta"), eps=number(a, "epsilon", 1e-5)
    )


def _layer_norm(a: Args) -> Tensor:
    x, axes = a["x"], ints(a["axes"])
    centred = x - x.mean(axes, keepdim=True)
    scaled = centred / (centred.square().mean(axes, keepdim=True) + number(a, "epsilon", 1e-5)).sqrt()
    gamma, beta = a.get("gamma"), a.get("beta")
    return scaled * (1.0 if gamma is None else gamma) + (0.0 if beta is None else beta)


def _reshape(a: Args) -> Tensor:
    x, shape = torch.as_tensor(a["x"]), ints(a["shape"])
    return x.reshape([x.shape[at] if size == 0 else size for at, size in enumerate(shape)])


def _matmul(a: Args) -> Tensor:
    x, y = a["x"], a["y"]
    x = x.transpose(-1, -2) if flag(a, "transpose_x") else x
    y = y.transpose(-1, -2) if flag(a, "transpose_y") else y
    return x @ y


def _lstm(a: Args) -> tuple[Tensor, Tensor, Tensor]:
    """Gates in the order i, f, o, z; sequence first."""
    x, h, c = a["x"], a["initial_h"], a["initial_c"]
    bias = a.get("bias")
    outputs = []
    for frame in x:
        gates = F.linear(frame, a["weight_ih"], bias) + F.linear(h, a["weight_hh"])
        i, f, o, z = gates.chunk(4, dim=1)
        c = f.sigmoid() * c + i.sigmoid() * z.tanh()
        h = o.sigmoid() * c.tanh()
        outputs.append(h)
    every = torch.stack(outputs)
    return (every if flag(a, "output_sequence") else every[-1:]), h, c


def _classify(a: Args) -> tuple[str, dict[str, float]]:
    scores = a["probabilities"].reshape(-1)
    classes = [str(one) for one in a["classes"]]
    return classes[int(scores.argmax())], dict(zip(classes, scores.tolist(), strict=True))


OPS: dict[str, Callable[[Args], Any]] = {
    **ELEMENTS,
    **STATES,
    "add": _binary(torch.add),
    "sub": _binary(torch.sub),
    "mul": _binary(torch.mul),
    "real_div": _binary(torch.div),
    "floor_div": _binary(torch.floor_divide),
    "mod": _binary(torch.remainder),
    "pow": _binary(torch.pow),
    "maximum": _binary(torch.maximum),
    "minimum": _binary(torch.minimum),
    "less": _binary(torch.less),
    "less_equal": _binary(torch.less_equal),
    "greater": _binary(torch.greater),
    "greater_equal": _binary(torch.greater_equal),
    "equal": _binary(torch.eq),
    "not_equal": _binary(torch.ne),
    "logical_and": _binary(torch.logical_and),
    "logical_or": _binary(torch.logical_or),
    "logical_not": _unary(torch.logical_not),
    "relu": _unary(torch.relu),
    "sigmoid": _unary(torch.sigmoid),
    "tanh": _unary(torch.tanh),
    "exp": _unary(torch.exp),
    "sqrt": _unary(torch.sqrt),
    "square": _unary(torch.square),
    "abs": _unary(torch.abs),
    "sin": _unary(torch.sin),
    "cos": _unary(torch.cos),
    "erf": _unary(torch.erf),
    "floor": _unary(torch.floor),
    "silu": _unary(F.silu),
    "softplus": _unary(F.softplus),
    "identity": _unary(lambda x: x),
    "log": lambda a: torch.log(a["x"] + number(a, "epsilon", 1e-45)),
    "rsqrt": lambda a: torch.rsqrt(a["x"] + number(a, "epsilon", 1e-12)),
    "inverse": lambda a: 1.0 / (a["x"] + number(a, "epsilon", 1e-4)),
    "elu": lambda a: F.elu(a["x"], number(a, "alpha", 1.0)),
    "leaky_relu": lambda a: F.leaky_relu(a["x"], number(a, "alpha", 0.01)),
    "prelu": lambda a: F.prelu(a["x"], a["alpha"]),
    "gelu": lambda a: F.gelu(a["x"], approximate="none" if str(a.get("mode", "EXACT")) == "EXACT" else "tanh"),
    "clip": lambda a: torch.clamp(a["x"], number(a, "alpha", -np.inf), number(a, "beta", np.inf)),
    "softmax": lambda a: torch.softmax(a["x"], integer(a.get("axis", -1))),
    "cast": _cast,
    "conv": _conv,
    "linear": lambda a: F.linear(a["x"], a["weight"], a.get("bias")),
    "matmul": _matmul,
    "einsum": lambda a: torch.einsum(str(a["equation"]), *a["values"]),
    "batch_norm": _batch_norm,
    "layer_norm": _layer_norm,
    "lstm": _lstm,
    "reduce_mean": _reduce(torch.mean),
    "reduce_sum": _reduce(torch.sum),
    "reduce_max": _reduce(torch.amax),
    "reduce_min": _reduce(torch.amin),
    "reduce_argmax": lambda a: torch.argmax(a["x"], integer(a.get("axis", -1)), flag(a, "keep_dims")),
    "cumsum": lambda a: torch.cumsum(a["x"], integer(a.get("axis", 0))),
    "concat": lambda a: torch.cat(
        [torch.atleast_1d(torch.as_tensor(v)) for v in a["values"]], integer(a["axis"])
    ),
    "stack": lambda a: torch.stack([torch.as_tensor(one) for one in a["values"]], integer(a.get("axis", 0))),
    "tile": lambda a: a["x"].repeat(*ints(a["reps"])),
    "reshape": _reshape,
    "transpose": lambda a: a["x"].permute(*ints(a["perm"])),
    "squeeze": lambda a: (
        a["x"].squeeze(tuple(ints(a["axes"]))) if a.get("axes") is not None else a["x"].squeeze()
    ),
    "expand_dims": lambda a: _expand(a["x"], ints(a["axes"])),
    "shape": lambda a: torch.tensor(a["x"].shape, dtype=torch.int32),
    "fill_like": lambda a: torch.full_like(torch.as_tensor(a["ref_tensor"]), number(a, "value", 0.0)),
    "fill": lambda a: torch.full(ints(a["shape"]), number(a, "value", 0.0)),
    "range_1d": lambda a: torch.arange(*(torch.as_tensor(a[n]).item() for n in ("start", "end", "step"))),
    "select": lambda a: torch.where(a["cond"].bool(), torch.as_tensor(a["a"]), torch.as_tensor(a["b"])),
    "band_part": lambda a: torch.tril(torch.triu(a["x"], _band(a, "lower", -1)), _band(a, "upper", 1)),
    "classify": _classify,
}
"""What each operation gives for its arguments."""


def _expand(x: Any, axes: list[int]) -> Tensor:
    x = torch.as_tensor(x)
    rank = x.dim() + len(axes)
    for axis in sorted(axis % rank for axis in axes):
        x = x.unsqueeze(axis)
    return x


def _band(a: Args, side: str, sign: int) -> int:
    """Diagonals that are kept on one side; -1 keeps all."""
    wide = integer(a.get(side, -1))
    return sign * (wide if wide >= 0 else max(a["x"].shape))
