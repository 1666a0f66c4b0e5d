"""What this package declares: its file formats. Light; the writers are imported when used."""

from __future__ import annotations

from kelly_core.hookspecs import hookimpl
from kelly_core.specs import ExporterSpec, LazyRef

KELLY_API = 1
CORE_ML_FP16 = 0.05
"""Largest difference that fp16 may make, as a share of an output's size; state adds it up."""


@hookimpl
def kelly_exporters() -> list[ExporterSpec]:
    """ONNX, TorchScript, RTNeural JSON, a C++ header, Core ML."""
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
            code={"cpp": LazyRef("kelly_export.cpp.contract:write")},
        ),
        *_core_ml(),
    ]


def _core_ml() -> list[ExporterSpec]:
    room = "kelly_export.coreml"
    kinds = (
        (
            "coreml",
            "Core ML program, macOS 13, iOS 16 and later",
            ".mlpackage",
            "export",
            "inspect_program",
            0.0,
        ),
        (
            "coreml-fp16",
            "Core ML program in fp16: half the size; for the Neural Engine",
            ".fp16.mlpackage",
            "export_fp16",
            "inspect_fp16",
            CORE_ML_FP16,
        ),
        (
            "mlmodel",
            "Core ML neural network, macOS 11 on",
            ".mlmodel",
            "export_network",
            "inspect_network",
            0.0,
        ),
    )
    return [
        ExporterSpec(
            name,
            summary,
            suffix,
            export=LazyRef(f"{room}.convert:{export}"),
            open_runner=LazyRef(f"{room}.run:open_runner"),
            modules=("torch", "coremltools"),
            install_hint="pip install 'kelly-export[coreml]'",
            lossy=lossy,
            why_not=LazyRef(f"{room}.tools:why_not"),
            inspect=LazyRef(f"{room}.inspect:{inspect}"),
        )
        for name, summary, suffix, export, inspect, lossy in kinds
    ]
