"""The typed Swift wrapper over a Core ML model.

It takes numbers in C order and sizes of what varies; it keeps the state between calls. Where the model that
keeps its state was exported, Core ML does so and nothing is copied; else the wrapper hands the state back in.
It needs Core ML and Foundation alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kelly_core.contract import BATCH
from kelly_core.tensors import symbols
from kelly_export.coreml.names import LABEL, PROBABILITIES, STATE_FORMAT, classified
from kelly_export.swift_text import camel, indented, text, wrapped

if TYPE_CHECKING:
    from kelly_core.contract import Contract, TensorInfo

SYSTEMS = {False: "macOS 13, iOS 16", True: "macOS 15, iOS 18"}
"""The oldest ones, by whether Core ML keeps the state."""


def kept(contract: Contract) -> bool:
    """Whether the model that keeps its state was exported, and the wrapper is one over that."""
    return STATE_FORMAT in contract.artifacts


def model(contract: Contract, name: str) -> list[str]:
    """Lines of the wrapper.

    Args:
        contract: The model's contract.
        name: Stem of the Swift types.
    """
    labels = classified(contract) is not None
    dims = [dim for dim in symbols(contract.inputs) if dim != BATCH]
    parameters = [f"{camel(info.name)}: [{_scalar(info)}]" for info in contract.inputs]
    parameters += [f"{camel(dim)}: Int" for dim in dims]
    outputs = [f"public let {camel(info.name)}: [{_scalar(info)}]" for info in contract.outputs]
    if labels:
        outputs += ["public let label: String", "public let probabilities: [String: Double]"]
    about = "one item; numbers in C order" + (
        f"; `{'`, `'.join(map(camel, dims))}` is its length" if dims else ""
    )
    keeper = f"; {'Core ML' if kept(contract) else 'it'} keeps the state of one stream between calls"
    file = f"`{contract.artifacts[STATE_FORMAT].file}`" if kept(contract) else "an `.mlpackage`"
    body = [
        "/// What one call gives.",
        "public struct Output: Sendable {",
        *indented(outputs),
        "}",
        "",
        "/// Other numbers go in or come out than the contract says.",
        "public struct Mismatch: Error {",
        "    public let feature: String",
        "}",
        "",
        "private let model: MLModel",
        *_declared(contract),
        "",
        *wrapped(f"/// Loads a compiled model, or compiles {file} first; not on the audio thread."),
        "public init(",
        "    contentsOf url: URL, configuration: MLModelConfiguration = MLModelConfiguration()",
        ") throws {",
        '    let compiled = url.pathExtension == "mlmodelc" ? url : try MLModel.compileModel(at: url)',
        "    model = try MLModel(contentsOf: compiled, configuration: configuration)",
        *indented(_started(contract)),
        "}",
        "",
        *_reset(contract),
        *wrapped(f"/// Computes {about}."),
        "public func predict(",
        *[f"    {one}{',' if at < len(parameters) - 1 else ''}" for at, one in enumerate(parameters)],
        ") throws -> Output {",
        *indented(_predict(contract, labels=labels)),
        "}",
        "",
        "private func numbers<Scalar: MLShapedArrayScalar>(",
        "    _ result: MLFeatureProvider, _ name: String",
        ") throws -> [Scalar] {",
        "    guard let array = result.featureValue(for: name)?.multiArrayValue else {",
        "        throw Mismatch(feature: name)",
        "    }",
        "    return MLShapedArray<Scalar>(converting: array).scalars",
        "}",
    ]
    return [
        *wrapped(
            f"/// The Core ML model of {contract.model_id}, typed{keeper}. Use it from one thread at a time."
        ),
        *([f"@available({SYSTEMS[True]}, *)"] if kept(contract) else []),
        f"public final class {name}Model {{",
        *indented(body),
        "}",
    ]


def _declared(contract: Contract) -> list[str]:
    if kept(contract):
        return ["private var state: MLState"]
    return ["private var state: [String: MLMultiArray] = [:]"] if contract.state else []


def _started(contract: Contract) -> list[str]:
    """What the initialiser does about state."""
    if kept(contract):
        return [f"state = {_new_state(contract)}"]
    return ["reset()"] if contract.state else []


def _new_state(contract: Contract) -> str:
    """Core ML makes zeros; other values have to be written."""
    return "Self.fresh(model)" if any(info.reset for info in contract.state) else "model.makeState()"


def _reset(contract: Contract) -> list[str]:
    if not contract.state:
        return []
    if kept(contract):
        lines = [f"state = {_new_state(contract)}"]
    else:
        lines = []
        for info in contract.state:
            start = f"repeating: {_number(info.reset, info)}, shape: {_shape(info)}"
            lines += [
                f"state[{text(info.name)}] = MLMultiArray(",
                f"    MLShapedArray<{_scalar(info)}>({start}))",
            ]
    reset = ["/// Forgets what was heard.", "public func reset() {", *indented(lines), "}", ""]
    return reset + (_fresh(contract) if kept(contract) and any(info.reset for info in contract.state) else [])


def _fresh(contract: Contract) -> list[str]:
    lines = ["let state = model.makeState()"]
    for info in contract.state:
        if info.reset:
            lines += [
                f"state.withMultiArray(for: {text(info.name)}) {{ array in",
                "    for index in 0..<array.count {",
                f"        array[index] = {float(info.reset)}",
                "    }",
                "}",
            ]
    lines.append("return state")
    return ["private static func fresh(_ model: MLModel) -> MLState {", *indented(lines), "}", ""]


def _predict(contract: Contract, *, labels: bool) -> list[str]:
    handed = contract.state and not kept(contract)
    lines = []
    for info in contract.inputs:
        count = " * ".join(_shape(info)[1:-1].split(", "))
        lines += [
            f"guard {camel(info.name)}.count == {count} else {{",
            f"    throw Mismatch(feature: {text(info.name)})",
            "}",
        ]
    lines += [f"{'var' if handed else 'let'} features: [String: MLFeatureValue] = ["]
    for info in contract.inputs:
        array = f"MLShapedArray<{_scalar(info)}>(scalars: {camel(info.name)}, shape: {_shape(info)})"
        lines += [
            f"    {text(info.name)}: MLFeatureValue(",
            "        multiArray: MLMultiArray(",
            f"            {array})),",
        ]
    lines.append("]")
    if handed:
        lines += [
            "for (name, array) in state {",
            "    features[name] = MLFeatureValue(multiArray: array)",
            "}",
        ]
    if kept(contract):
        lines += [
            "let result = try model.prediction(",
            "    from: MLDictionaryFeatureProvider(dictionary: features), using: state)",
        ]
    else:
        lines.append(
            "let result = try model.prediction(from: MLDictionaryFeatureProvider(dictionary: features))"
        )
    if handed:
        lines += [
            "for name in state.keys {",
            '    guard let following = result.featureValue(for: "next_" + name)?.multiArrayValue else {',
            '        throw Mismatch(feature: "next_" + name)',
            "    }",
            "    state[name] = following",
            "}",
        ]
    return [*lines, *_answer(contract, labels=labels)]


def _answer(contract: Contract, *, labels: bool) -> list[str]:
    lines = []
    if labels:
        lines += [
            f"guard let label = result.featureValue(for: {text(LABEL)})?.stringValue,",
            f"    let scores = result.featureValue(for: {text(PROBABILITIES)})?.dictionaryValue",
            "else {",
            f"    throw Mismatch(feature: {text(LABEL)})",
            "}",
            "var probabilities: [String: Double] = [:]",
            "for (name, score) in scores {",
            "    if let name = name as? String {",
            "        probabilities[name] = score.doubleValue",
            "    }",
            "}",
        ]
    given = [f"{camel(info.name)}: try numbers(result, {text(info.name)})" for info in contract.outputs]
    given += ["label: label", "probabilities: probabilities"] if labels else []
    return [
        *lines,
        "return Output(",
        *[f"    {one}{',' if at < len(given) - 1 else ''}" for at, one in enumerate(given)],
        ")",
    ]


def _scalar(info: TensorInfo) -> str:
    return "Int32" if info.dtype.startswith("int") else "Float"


def _number(value: float, info: TensorInfo) -> str:
    return str(int(value)) if _scalar(info) == "Int32" else str(float(value))


def _shape(info: TensorInfo) -> str:
    parts = ("1" if dim == BATCH else str(dim) if isinstance(dim, int) else camel(dim) for dim in info.shape)
    return f"[{', '.join(parts)}]"
