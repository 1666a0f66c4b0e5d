"""Exporters for Kelly: ONNX and TorchScript, one file per format."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kelly_export.verify import verify_onnx_model

__version__ = "0.1.0"
__all__ = ["__version__", "verify_onnx_model"]


def __getattr__(name: str) -> Any:
    # Discovery imports this package; the verifier comes with the first use.
    if name == "verify_onnx_model":
        from kelly_export.verify import verify_onnx_model

        return verify_onnx_model
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
