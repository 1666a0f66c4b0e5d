"""Operations of ML programs in torch, by the names of Core ML Tools' MIL reference (version 9)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

Args = dict[str, Any]


def _ints(value: Any) -> list[int]:
    return [int(one) for one in torch.as_tensor(value).reshape(-1)]


def _int(value: Any) -> int:
    return int(torch.as_tensor(value))


def _flag(args: Args, name: str) -> bool:
    return bool(torch.as_tensor(args.get(name, False)).any())


def _float(args: Args, name: str, default: float) -> float:
    return float(torch.as_tensor(args.get(name, default)))


def _binary(function: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Args], Tensor]:
    return lambda a: function(torch.as_tensor(a["x"]), torch.as_tensor(a["y"]))


def _unary(function: Callable[[Tensor], Tensor]) -> Callable[[Args], Tensor]:
    return lambda a: function(a["x"])


def _reduce(function: Callable[..., Tensor]) -> Callable[[Args], Tensor]:
    def compute(a: Args) -> Tensor:
        axes = _ints(a["axes"]) if a.get("axes") is not None else list(range(a["x"].dim()))
        return function(a["x"], dim=axes, keepdim=_flag(a, "keep_dims"))

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
    padding = _ints(a["pad"]) if a.get("pad") is not None else [0] * 2 * rank
    if str(a.get("pad_type", "valid")) == "valid":
        padding = [0] * 2 * rank
    edges = [side for axis in reversed(range(rank)) for side in padding[2 * axis : 2 * axis + 2]]
    function = (F.conv1d, F.conv2d, F.conv3d)[rank - 1]
    strides, dilations = (_ints(a[n]) if a.get(n) is not None else [1] * rank for n in ("strides", "dilations"))
    return function(
        F.pad(x, edges), weight, a.get("bias"), tuple(strides), 0, tuple(dilations), _int(a.get("groups", 1))
    )


def _batch_norm(a: Args) -> Tensor:
    return F.batch_norm(
        a["x"], a["mean"], a["variance"], a.get("gamma"), a.get("beta"), eps=_float(a, "epsilon", 1e-5)
    )


def _layer_norm(a: Args) -> Tensor:
    x, axes = a["x"], _ints(a["axes"])
    centred = x - x.mean(axes, keepdim=True)
    scaled = centred / (centred.square().mean(axes, keepdim=True) + _float(a, "epsilon", 1e-5)).sqrt()
    gamma, beta = a.get("gamma"), a.get("beta")
    return scaled * (1.0 if gamma is None else gamma) + (0.0 if beta is None else beta)


def _slice(a: Args) -> Tensor:
    x = torch.as_tensor(a["x"])
    rank = x.dim()
    begin, end = _ints(a["begin"]), _ints(a["end"])
    stride = _ints(a["stride"]) if a.get("stride") is not None else [1] * rank
    masks = [
        [bool(v) for v in torch.as_tensor(a[name]).reshape(-1)] if a.get(name) is not None else [False] * rank
        for name in ("begin_mask", "end_mask", "squeeze_mask")
    ]
    index: list[Any] = []
    for axis in range(rank):
        if masks[2][axis]:
            index.append(begin[axis])
            continue
        first = None if masks[0][axis] else begin[axis]
        last = None if masks[1][axis] else end[axis]
        if stride[axis] < 0:
            places = np.arange(x.shape[axis])[slice(first, last, stride[axis])]
            index.append(torch.tensor(places.copy()))
        else:
            index.append(slice(first, last, stride[axis]))
    return x[tuple(index)]


def _slice_by_size(a: Args) -> Tensor:
    x = a["x"]
    parts = zip(_ints(a["begin"]), _ints(a["size"]), x.shape, strict=True)
    return x[tuple(slice(b, full if size < 0 else b + size) for b, size, full in parts)]


def _pad(a: Args) -> Tensor:
    pad = _ints(a["pad"])
    edges = [side for axis in reversed(range(len(pad) // 2)) for side in pad[2 * axis : 2 * axis + 2]]
    mode = {"constant": "constant", "reflect": "reflect", "replicate": "replicate"}[
        str(a.get("mode", "constant"))
    ]
    if mode == "constant":
        return F.pad(a["x"], edges, value=_float(a, "constant_val", 0.0))
    return F.pad(a["x"], edges, mode=mode)


def _gather(a: Args) -> Tensor:
    x, indices = torch.as_tensor(a["x"]), torch.as_tensor(a["indices"]).long()
    axis = _int(a.get("axis", 0)) % max(1, x.dim())
    indices = torch.where(indices < 0, indices + x.shape[axis], indices)
    taken = torch.index_select(x, axis, indices.reshape(-1))
    return taken.reshape([*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :]])


def _scatter(a: Args) -> Tensor:
    result, indices = a["data"].clone(), torch.as_tensor(a["indices"]).long().reshape(-1)
    axis = _int(a.get("axis", 0))
    updates = a["updates"].to(result.dtype)
    if str(a.get("mode", "add")) == "update":
        return result.index_copy_(axis, indices, updates)
    return result.index_add_(axis, indices, updates)


def _scatter_along_axis(a: Args) -> Tensor:
    result, indices = a["data"].clone(), torch.as_tensor(a["indices"]).long()
    axis, updates = _int(a.get("axis", 0)), a["updates"].to(result.dtype)
    if str(a.get("mode", "add")) == "update":
        return result.scatter_(axis, indices, updates)
    return result.scatter_add_(axis, indices, updates)


def _split(a: Args) -> tuple[Tensor, ...]:
    x, axis = a["x"], _int(a["axis"])
    if a.get("split_sizes") is not None:
        return torch.split(x, _ints(a["split_sizes"]), axis)
    return torch.split(x, x.shape[axis] // _int(a["num_splits"]), axis)


def _reshape(a: Args) -> Tensor:
    x, shape = torch.as_tensor(a["x"]), _ints(a["shape"])
    return x.reshape([x.shape[at] if size == 0 else size for at, size in enumerate(shape)])


def _matmul(a: Args) -> Tensor:
    x, y = a["x"], a["y"]
    x = x.transpose(-1, -2) if _flag(a, "transpose_x") else x
    y = y.transpose(-1, -2) if _flag(a, "transpose_y") else y
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
    return (every if _flag(a, "output_sequence") else every[-1:]), h, c


def _classify(a: Args) -> tuple[str, dict[str, float]]:
    scores = a["probabilities"].reshape(-1)
    classes = [str(one) for one in a["classes"]]
    return classes[int(scores.argmax())], dict(zip(classes, scores.tolist(), strict=True))


OPS: dict[str, Callable[[Args], Any]] = {
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
    "log": lambda a: torch.log(a["x"] + _float(a, "epsilon", 1e-45)),
    "rsqrt": lambda a: torch.rsqrt(a["x"] + _float(a, "epsilon", 1e-12)),
    "inverse": lambda a: 1.0 / (a["x"] + _float(a, "epsilon", 1e-4)),
    "elu": lambda a: F.elu(a["x"], _float(a, "alpha", 1.0)),
    "leaky_relu": lambda a: F.leaky_relu(a["x"], _float(a, "alpha", 0.01)),
    "prelu": lambda a: F.prelu(a["x"], a["alpha"]),
    "gelu": lambda a: F.gelu(a["x"], approximate="none" if str(a.get("mode", "EXACT")) == "EXACT" else "tanh"),
    "clip": lambda a: torch.clamp(a["x"], _float(a, "alpha", -np.inf), _float(a, "beta", np.inf)),
    "softmax": lambda a: torch.softmax(a["x"], _int(a.get("axis", -1))),
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
    "reduce_argmax": lambda a: torch.argmax(a["x"], _int(a.get("axis", -1)), _flag(a, "keep_dims")),
    "cumsum": lambda a: torch.cumsum(a["x"], _int(a.get("axis", 0))),
    "concat": lambda a: torch.cat([torch.atleast_1d(torch.as_tensor(v)) for v in a["values"]], _int(a["axis"])),
    "stack": lambda a: torch.stack([torch.as_tensor(one) for one in a["values"]], _int(a.get("axis", 0))),
    "split": _split,
    "slice_by_index": _slice,
    "slice_by_size": _slice_by_size,
    "pad": _pad,
    "gather": _gather,
    "gather_along_axis": lambda a: torch.take_along_dim(a["x"], a["indices"].long(), _int(a.get("axis", 0))),
    "scatter": _scatter,
    "scatter_along_axis": _scatter_along_axis,
    "reverse": lambda a: torch.flip(
        a["x"], _ints(a["axes"]) if a.get("axes") is not None else range(a["x"].dim())
    ),
    "tile": lambda a: a["x"].repeat(*_ints(a["reps"])),
    "reshape": _reshape,
    "transpose": lambda a: a["x"].permute(*_ints(a["perm"])),
    "squeeze": lambda a: (
        a["x"].squeeze(tuple(_ints(a["axes"]))) if a.get("axes") is not None else a["x"].squeeze()
    ),
    "expand_dims": lambda a: _expand(a["x"], _ints(a["axes"])),
    "shape": lambda a: torch.tensor(a["x"].shape, dtype=torch.int32),
    "fill_like": lambda a: torch.full_like(torch.as_tensor(a["ref_tensor"]), _float(a, "value", 0.0)),
    "fill": lambda a: torch.full(_ints(a["shape"]), _float(a, "value", 0.0)),
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
    wide = _int(a.get(side, -1))
    return sign * (wide if wide >= 0 else max(a["x"].shape))
