"""What this package declares: its file formats. Light; the writers are imported when used."""

from __future__ import annotations

from kelly_core.hookspecs import hookimpl
from kelly_core.specs import ExporterSpec, LazyRef

KELLY_API = 1
FP16, INT8, STATE16 = 0.05, 0.25, 0.005
"""Largest differences that fewer bits may make, as a share of an output's size; state adds them up. The last is
of state alone in fp16."""


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
            "onnx-waveform",
            "ONNX with the front end in the graph: sound in",
            ".waveform.onnx",
            export=LazyRef("kelly_export.onnx:export"),
            open_runner=LazyRef("kelly_core.infer.runtimes.onnx:open_runner"),
            modules=("torch", "onnx", "onnxruntime"),
            install_hint="pip install kelly-export",
            raw=True,
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
            open_runner=LazyRef("kelly_core.infer.runtimes.rtneural:open_runner"),
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
        *_small_onnx(),
        *_core_ml(),
    ]


def _small_onnx() -> list[ExporterSpec]:
    room = "kelly_export.onnx_small"
    kinds = (
        ("onnx-fp16", "ONNX in fp16: half the size", ".fp16.onnx", "export_fp16", FP16),
        ("onnx-int8", "ONNX with weights in 8 bits: a quarter of the size", ".int8.onnx", "export_int8", INT8),
    )
    return [
        ExporterSpec(
            name,
            summary,
            suffix,
            export=LazyRef(f"{room}:{export}"),
            open_runner=LazyRef("kelly_core.infer.runtimes.onnx:open_runner"),
            modules=("torch", "onnx", "onnxruntime"),
            install_hint="pip install kelly-export",
            lossy=lossy,
            inspect=LazyRef(f"{room}:inspect"),
        )
        for name, summary, suffix, export, lossy in kinds
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
            "coreml-state",
            "Core ML program that keeps its state, in fp16, macOS 15, iOS 18 and later",
            ".state.mlpackage",
            "export_state",
            "inspect_state",
            STATE16,
        ),
        (
            "coreml-fp16",
            "Core ML program in fp16: half the size; for the Neural Engine",
            ".fp16.mlpackage",
            "export_fp16",
            "inspect_fp16",
            FP16,
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
            why_not=LazyRef(f"{room}.tools:why_not{'_state' if name == 'coreml-state' else ''}"),
            inspect=LazyRef(f"{room}.inspect:{inspect}"),
            code={"swift": LazyRef("kelly_export.swift:write")} if name in {"coreml", "coreml-state"} else {},
        )
        for name, summary, suffix, export, inspect, lossy in kinds
    ]
