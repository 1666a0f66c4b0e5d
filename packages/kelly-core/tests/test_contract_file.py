"""The contract file: golden numbers survive exactly, the schema accepts it, faults are named."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from kelly_core.contract import SCHEMA_FILE, ArtifactInfo, Contract, GoldenVector, StateInfo, TensorInfo
from kelly_core.errors import ContractError


def contract(**changes):
    values = {
        "model_id": "toy",
        "model_version": "0.1.0",
        "task": "toy_task",
        "architecture_type": "cnn",
        "parameters": 7,
        "inputs": [TensorInfo(name="input", shape=["batch", 1, 64, "frames"])],
        "outputs": [TensorInfo(name="logits", shape=["batch", 7])],
        "state": [StateInfo(name="memory", shape=["batch", 5])],
        "latency_budget_ms": 5.0,
        "run_id": "run",
        "checkpoint_sha256": "0" * 64,
    }
    return Contract(**(values | changes))


@given(
    arrays.arrays(
        np.float32,
        arrays.array_shapes(max_dims=3, max_side=4),
        elements=st.floats(width=32, allow_nan=False, allow_infinity=False),
    )
)
def test_golden_float32_read_back_bit_for_bit(array):
    vector = GoldenVector.of("one", {"input": array}, {})
    text = json.dumps(vector.inputs["input"])
    back = np.asarray(json.loads(text), np.float32)
    assert back.shape == array.shape
    assert back.tobytes() == array.tobytes()


def test_it_is_saved_loaded_and_valid_against_the_schema_beside_it(tmp_path: Path):
    golden = GoldenVector.of("one", {"input": np.ones((1, 1, 64, 2), np.float32)}, {"logits": np.zeros((1, 7))})
    artifact = ArtifactInfo(file="toy.onnx", sha256="a" * 64, bytes=3)
    original = contract(golden=[golden], artifacts={"onnx": artifact})
    path = tmp_path / "toy.contract.json"
    original.save(path)
    assert Contract.load(path) == original
    schema = json.loads((tmp_path / SCHEMA_FILE).read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(json.loads(path.read_text()), schema)
    assert path.read_text().count("\n") < 120  # one line per tensor, not per number


def test_state_follows_the_inputs_and_comes_back_by_its_next_name():
    assert [t.name for t in contract().feeds] == ["input", "memory"]
    assert [(t.name, t.shape) for t in contract().fetches] == [
        ("logits", ["batch", 7]),
        ("next_memory", ["batch", 5]),
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "not a valid contract"),
        ('{"model_id": "toy"}', "Field required"),
        ("[1, 2]", "not a valid contract"),
    ],
)
def test_a_broken_contract_is_named(tmp_path: Path, text, words):
    path = tmp_path / "toy.contract.json"
    path.write_text(text)
    with pytest.raises(ContractError, match=words) as caught:
        Contract.load(path)
    assert caught.value.where == str(path)


def test_a_missing_contract_says_what_to_do(tmp_path: Path):
    with pytest.raises(ContractError, match="train and export"):
        Contract.load(tmp_path / "toy.contract.json")


def test_a_folder_has_a_checksum_over_names_and_contents(tmp_path: Path):
    folder = tmp_path / "toy.mlpackage"
    (folder / "Data").mkdir(parents=True)
    (folder / "Data" / "weights").write_bytes(b"123")
    (folder / "Manifest.json").write_text("{}")
    first = ArtifactInfo.of(folder)
    assert first.bytes == 5
    (folder / "Data" / "weights").rename(folder / "Data" / "weight")
    assert ArtifactInfo.of(folder).sha256 != first.sha256
