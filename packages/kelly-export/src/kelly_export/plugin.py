"""What this package declares: the formats ONNX and TorchScript. Light; the writers are imported when used."""

from __future__ import annotations

from kelly_core.hookspecs import hookimpl
from kelly_core.specs import ExporterSpec, LazyRef

KELLY_API = 1


@hookimpl
def kelly_exporters() -> list[ExporterSpec]:
    """ONNX for any platform, TorchScript for programs that link libtorch."""
    return [
        ExporterSpec(
            "onnx",
            "ONNX, for ONNX Runtime and other engines on any platform",
            ".onnx",
            export=LazyRef("kelly_export.onnx:export"),
            open_runner=LazyRef("kelly_core.infer.runtimes.onnx:open_runner"),
            modules=("torch", "onnx", "onnxruntime"),
            install_hint="pip install kelly-export",
        ),
        ExporterSpec(
            "torchscript",
            "TorchScript, for libtorch in C++ and for Python without the model's package",
            ".pt",
            export=LazyRef("kelly_export.torchscript:export"),
            open_runner=LazyRef("kelly_core.infer.runtimes.torchscript:open_runner"),
            modules=("torch",),
            install_hint="pip install kelly-export",
        ),
        ExporterSpec(
            "rtneural",
            "RTNeural JSON, for the C++ engine of audio plugins; frame by frame",
            ".json",
            export=LazyRef("kelly_export.rtneural:export"),
            open_runner=LazyRef("kelly_export.rtneural:open_runner"),
        ),
        ExporterSpec(
            "cpp",
            "C++17 header with the weights inside, no dependency; frame by frame",
            ".hpp",
            export=LazyRef("kelly_export.cpp:export"),
            open_runner=LazyRef("kelly_export.cpp:open_runner"),
            why_not=LazyRef("kelly_export.cpp:why_not"),
        ),
    ]
