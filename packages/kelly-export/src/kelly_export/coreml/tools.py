"""Core ML Tools without its noise: it warns of versions when it is imported, and draws progress bars.

Also whether this machine has the Core ML that a file needs.
"""

from __future__ import annotations

import io
import logging
import platform
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from functools import cache
from typing import Any

import numpy as np

KEEPS_STATE = 15
"""The first macOS whose Core ML keeps state."""


@contextmanager
def quiet() -> Iterator[Any]:
    """Core ML Tools, silent within the block."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            import coremltools

            _mend()
            yield coremltools
    finally:
        logging.disable(before)


@cache
def _mend() -> None:
    """Register two conversions of Core ML Tools 9 anew.

    For `int(tensor)` it calls `int` on an array of one element, which NumPy 2.4 refuses unless it has no axes.
    It turns `1 / x` into `1 / (x + 1e-4)`.
    """
    from coremltools.converters.mil.frontend.torch.ops import _cast, _get_inputs
    from coremltools.converters.mil.frontend.torch.torch_op_registry import register_torch_op
    from coremltools.converters.mil.mil import Builder

    def _int(context: Any, node: Any) -> None:
        (value,) = _get_inputs(context, node, expected=1)
        if value.can_be_folded_to_const():
            number = int(np.asarray(value.val).reshape(-1)[0])
            context.add(Builder.const(val=number, name=node.name), node.name)
        else:
            _cast(context, node, int, "int32")

    def reciprocal(context: Any, node: Any) -> None:
        (value,) = _get_inputs(context, node, expected=1)
        context.add(Builder.real_div(x=1.0, y=value, name=node.name))

    register_torch_op(reciprocal, override=True)
    register_torch_op(_int, torch_alias=["int"], override=True)


def why_not() -> str:
    """Why Core ML can't predict on this machine; empty where it can."""
    return "" if sys.platform == "darwin" else "Core ML predicts on macOS alone"


def why_not_state() -> str:
    """Why Core ML can't keep state on this machine; empty where it can."""
    version = platform.mac_ver()[0]
    if sys.platform == "darwin" and int(version.partition(".")[0] or 0) < KEEPS_STATE:
        return f"Core ML keeps state on macOS {KEEPS_STATE} and later, and this is {version}"
    return why_not()
