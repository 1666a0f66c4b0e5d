"""Swift from a contract: what it names, how it looks, and, where there is a compiler, that it parses."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys

import pytest

from kelly_core.contract import ArtifactInfo, Contract, Pooling, StateInfo, TensorInfo
from kelly_export.swift import render, type_name, write
from kelly_export.swift_text import WIDTH


def contract_of(**changes):
    known = {
        "model_id": "toy_model",
        "model_version": "0.1.0",
        "task": "toy_task",
        "architecture_type": "cnn",
        "parameters": 0,
        "inputs": [TensorInfo(name="input", shape=["batch", "frames", 4], unit='dB "re 1"')],
        "outputs": [TensorInfo(name="output", shape=["batch", 3], unit="logit")],
        "labels": ["low", "mid", "high"],
        "features": {
            "sample_rate": 16000,
            "f_max": 8000.0,
            "drums": ["kick", "snare"],
            "pitches": {"kick": [35, 36], "snare": [38]},
            "mixed": [1, "two"],
            "in": True,
        },
        "window": {"frames": 128},
        "pooling": Pooling(kind="none"),
        "latency_budget_ms": 5.0,
        "run_id": "run",
        "checkpoint_sha256": "0" * 64,
    }
    return Contract(**{**known, **changes})


STATEFUL = {
    "inputs": [
        TensorInfo(name="note_input", shape=["batch", 4]),
        TensorInfo(name="style", shape=["batch"], dtype="int64"),
    ],
    "outputs": [TensorInfo(name="velocity_spread", shape=["batch", 9])],
    "state": [StateInfo(name="memory", shape=["batch", 2, 5], reset=0.5)],
    "labels": [],
}
KEPT = {
    **STATEFUL,
    "artifacts": {
        "coreml": ArtifactInfo(file="toy_model.mlpackage", sha256="0" * 64, bytes=1),
        "coreml-state": ArtifactInfo(file="toy_model.state.mlpackage", sha256="0" * 64, bytes=1),
    },
}


def test_constants_have_their_types_and_what_has_none_is_left_out():
    source = render(contract_of())
    for line in (
        'public static let modelId: String = "toy_model"',
        "public static let latencyBudgetMs: Double = 5.0",
        'public static let labels: [String] = ["low", "mid", "high"]',
        "public static let sampleRate: Int = 16000",
        "public static let fMax: Double = 8000.0",
        'public static let drums: [String] = ["kick", "snare"]',
        'public static let pitches: [String: [Int]] = ["kick": [35, 36], "snare": [38]]',
        "public static let `in`: Bool = true",
        'name: "input", shape: [1, nil, 4], type: "float32",',
        'unit: "dB \\"re 1\\"",',
    ):
        assert line in source
    assert "mixed" not in source


def test_a_classifier_gives_label_and_probabilities():
    source = render(contract_of())
    assert "public let label: String" in source
    assert "public let probabilities: [String: Double]" in source
    assert re.search(r"func predict\(\s+input: \[Float\],\s+frames: Int\s+\) throws -> Output", source)
    assert "state" not in source.split("public final class")[1]


def test_state_is_kept_between_calls_and_reset():
    source = render(contract_of(**STATEFUL))
    assert re.search(r"func predict\(\s+noteInput: \[Float\],\s+style: \[Int32\]\s+\)", source)
    assert "MLShapedArray<Float>(repeating: 0.5, shape: [1, 2, 5])" in source
    assert 'result.featureValue(for: "next_" + name)' in source
    assert 'velocitySpread: try numbers(result, "velocity_spread")' in source
    assert "label" not in source.split("public final class")[1]


def test_where_core_ml_keeps_the_state_the_wrapper_never_copies_it():
    source = render(contract_of(**KEPT))
    assert "macOS 15, iOS 18 and later" in source.splitlines()[1]
    wrapper = source.split("/// The Core ML model")[1]
    assert re.search(r"@available\(macOS 15, iOS 18, \*\)\npublic final class ToyModelModel", wrapper)
    assert "compiles `toy_model.state.mlpackage` first" in wrapper
    assert "private var state: MLState" in wrapper
    assert re.search(r"prediction\(\s+from: .*, using: state\)", wrapper)
    assert "let features" in wrapper
    assert "next_" not in wrapper
    assert wrapper.count("model.makeState()") == 1
    assert wrapper.count("state = Self.fresh(model)") == 2  # when it is loaded, and when it is reset
    assert re.search(r'withMultiArray\(for: "memory"\) \{ array in\s+for .*\{\s+array\[index\] = 0.5', wrapper)


def test_zeros_are_left_to_core_ml():
    zeros = [StateInfo(name="memory", shape=["batch", 2, 5])]
    source = render(contract_of(**KEPT | {"state": zeros}))
    assert source.count("state = model.makeState()") == 2
    assert "fresh" not in source


@pytest.mark.parametrize("changes", [{}, STATEFUL, KEPT])
def test_it_is_formatted(changes):
    source = render(contract_of(**changes))
    lines = source.splitlines()
    assert source.endswith("}\n")
    assert [line for line in lines if len(line) > WIDTH and '"' not in line] == []
    assert [line for line in lines if line != line.rstrip() or "\t" in line] == []
    depth = 0
    for line in lines:
        text = re.sub(r'"(\\.|[^"\\])*"', "", line.partition("//")[0])
        closing = len(re.match(r"[\]})]*", text.strip())[0])
        if text.strip() and closing:
            assert (len(line) - len(line.lstrip())) // 4 <= depth - 1
        depth += sum(text.count(c) for c in "([{") - sum(text.count(c) for c in ")]}")
        assert depth >= 0
    assert depth == 0


def test_the_file_lies_beside_the_model_s(tmp_path):
    contract = contract_of()
    (path,) = write(contract, tmp_path)
    assert path == tmp_path / "ToyModel.swift"
    assert type_name(contract) == "ToyModel"
    assert path.read_text() == render(contract)


@pytest.mark.skipif(shutil.which("swiftc") is None, reason="there is no Swift compiler here")
@pytest.mark.parametrize("changes", [{}, STATEFUL, KEPT])
def test_swift_accepts_it(tmp_path, changes):
    (path,) = write(contract_of(**changes), tmp_path)
    how = "-typecheck" if sys.platform == "darwin" else "-parse"
    done = subprocess.run(["swiftc", how, str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
