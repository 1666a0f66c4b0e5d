"""MIL operations that take elements of tensors and put elements into them, in torch; see `mil_ops`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from kelly_export.coreml.mil_args import Args, integer, ints, number


def _places(a: Args) -> tuple[Any, ...]:
    """What `begin`, `end`, `stride` and their masks pick of `x`, as an index."""
    x = torch.as_tensor(a["x"])
    rank = x.dim()
    begin, end = ints(a["begin"]), ints(a["end"])
    stride = ints(a["stride"]) if a.get("stride") is not None else [1] * rank
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
    return tuple(index)


def _slice_update(a: Args) -> Tensor:
    result: Tensor = a["x"].clone()
    result[_places(a)] = a["update"].to(result.dtype)
    return result


def _slice_by_size(a: Args) -> Tensor:
    x = a["x"]
    parts = zip(ints(a["begin"]), ints(a["size"]), x.shape, strict=True)
    return x[tuple(slice(b, full if size < 0 else b + size) for b, size, full in parts)]


def _pad(a: Args) -> Tensor:
    pad = ints(a["pad"])
    edges = [side for axis in reversed(range(len(pad) // 2)) for side in pad[2 * axis : 2 * axis + 2]]
    mode = {"constant": "constant", "reflect": "reflect", "replicate": "replicate"}[
        str(a.get("mode", "constant"))
    ]
    if mode == "constant":
        return F.pad(a["x"], edges, value=number(a, "constant_val", 0.0))
    return F.pad(a["x"], edges, mode=mode)


def _gather(a: Args) -> Tensor:
    x, indices = torch.as_tensor(a["x"]), torch.as_tensor(a["indices"]).long()
    axis = integer(a.get("axis", 0)) % max(1, x.dim())
    indices = torch.where(indices < 0, indices + x.shape[axis], indices)
    taken = torch.index_select(x, axis, indices.reshape(-1))
    return taken.reshape([*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :]])


def _scatter(a: Args) -> Tensor:
    result, indices = a["data"].clone(), torch.as_tensor(a["indices"]).long().reshape(-1)
    axis = integer(a.get("axis", 0))
    updates = a["updates"].to(result.dtype)
    if str(a.get("mode", "add")) == "update":
        return result.index_copy_(axis, indices, updates)
    return result.index_add_(axis, indices, updates)


def _scatter_along_axis(a: Args) -> Tensor:
    result, indices = a["data"].clone(), torch.as_tensor(a["indices"]).long()
    axis, updates = integer(a.get("axis", 0)), a["updates"].to(result.dtype)
    if str(a.get("mode", "add")) == "update":
        return result.scatter_(axis, indices, updates)
    return result.scatter_add_(axis, indices, updates)


def _split(a: Args) -> tuple[Tensor, ...]:
    x, axis = a["x"], integer(a["axis"])
    if a.get("split_sizes") is not None:
        return torch.split(x, ints(a["split_sizes"]), axis)
    return torch.split(x, x.shape[axis] // integer(a["num_splits"]), axis)


ELEMENTS: dict[str, Callable[[Args], Any]] = {
    "slice_by_index": lambda a: torch.as_tensor(a["x"])[_places(a)],
    "slice_by_size": _slice_by_size,
    "slice_update": _slice_update,
    "split": _split,
    "pad": _pad,
    "gather": _gather,
    "gather_along_axis": lambda a: torch.take_along_dim(a["x"], a["indices"].long(), integer(a.get("axis", 0))),
    "scatter": _scatter,
    "scatter_along_axis": _scatter_along_axis,
    "reverse": lambda a: torch.flip(
        a["x"], ints(a["axes"]) if a.get("axes") is not None else range(a["x"].dim())
    ),
}
"""What each of these operations gives for its arguments."""
