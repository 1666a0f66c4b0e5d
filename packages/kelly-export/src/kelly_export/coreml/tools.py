"""Core ML Tools without its noise: it warns of versions when it is imported, and draws progress bars."""

from __future__ import annotations

import io
import logging
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from typing import Any


@contextmanager
def quiet() -> Iterator[Any]:
    """Core ML Tools, silent within the block."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            import coremltools

            yield coremltools
    finally:
        logging.disable(before)


def why_not() -> str:
    """Why Core ML can't predict on this machine; empty where it can."""
    return "" if sys.platform == "darwin" else "Core ML predicts on macOS alone"
