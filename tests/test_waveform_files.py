"""Files that take sound: compared with features and network, verified, used, refused where there is state."""

from __future__ import annotations

import json

import numpy as np
import onnx
import pytest
import torch

from kelly_core.cli import run
from kelly_core.contract import Contract
from kelly_core.errors import FormatError, UserError
from kelly_core.features.audio import LogMel
from kelly_core.inference import create_engine_by_name
from kelly_core.pipeline.export import export_model, supported_formats
from kelly_core.plugins import PluginHost
from kelly_core.testing import untrained
from kelly_core.verify import verify_model
from kelly_core.workspace import Workspace
from kelly_emotion.config import EmotionConfig

torch.set_num_threads(1)
FORM = "onnx-waveform"


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A workspace with a network of random weights as ONNX, with features and with sound as input."""
    place, host = Workspace(tmp_path_factory.mktemp("waveform")), PluginHost()
    results = export_model(untrained(place, "emotion"), place, host, ["onnx", FORM])
    return place, results


def test_it_gives_what_features_and_network_give(exported):
    place, (_, result) = exported
    assert result.report.passed
    assert result.path.name == "emotionrecognizer.waveform.onnx"
    engines = [
        create_engine_by_name("emotion", runtime=name, workspace=place).load() for name in ("onnx", FORM)
    ]
    contract = engines[1].contract
    assert [info.name for info in contract.inputs] == ["waveform"]
    time = np.arange(contract.window["samples"]) / 16_000
    waveform = (0.4 * np.sin(2 * np.pi * (150 + 90 * time) * time))[None].astype(np.float32)
    mel = LogMel()(waveform[0])[None, None]
    expected = engines[0].infer({"input": mel}).outputs["output"]
    np.testing.assert_allclose(engines[1].infer({"waveform": waveform}).outputs["output"], expected, atol=1e-4)


def test_it_is_verified_by_golden_sound_and_by_the_network(exported):
    place, _ = exported
    contract = Contract.load(place.contract("emotionrecognizer"))
    assert [info.interface for info in contract.artifacts.values()] == ["", "waveform"]
    assert [vector.inputs.keys() for vector in contract.interfaces["waveform"].golden] == [{"waveform"}] * 2
    reports = verify_model(place, PluginHost(), "emotionrecognizer")
    assert [report.passed for report in reports] == [True, True]
    assert {row.column for row in reports[1].rows} == {"whole batch 1", "variable length", "after reset"}


def test_the_command_compares_it_with_the_network_on_sound(exported, capsys):
    place, _ = exported
    assert run(["--workspace", str(place.root), "verify", "emotion", "--data", "demo", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    (row,) = [one for one in said["matrix"] if "waveform.onnx" in one["artifact"]]
    assert row["verdict"] == "pass"
    assert row["cells"]["extremes"]["cases"] == 3


def test_a_damaged_front_end_is_found(exported):
    place, (_, result) = exported
    kept = result.path.read_bytes()
    model = onnx.load(result.path)
    filters = next(one for one in model.graph.initializer if list(one.dims) == [513, 64])
    changed = np.roll(onnx.numpy_helper.to_array(filters), 1, axis=1)  # each band hears its neighbour
    filters.CopyFrom(onnx.numpy_helper.from_array(changed, filters.name))
    try:
        onnx.save(model, result.path)
        reports = verify_model(place, PluginHost(), "emotionrecognizer")
        assert any("differs by" in line for line in reports[1].failures())
    finally:
        result.path.write_bytes(kept)


def test_a_network_with_state_is_refused_and_the_rest_written(tmp_path):
    place, host = Workspace(tmp_path), PluginHost()
    trained = untrained(place, "emotion", EmotionConfig(architecture_type="streaming"))
    with pytest.raises(FormatError, match="state from call to call"):
        export_model(trained, place, host, [FORM, "onnx"])
    assert list(Contract.load(place.contract("emotionrecognizer")).artifacts) == ["onnx"]


def test_it_is_a_variant_that_no_command_takes_by_itself(exported):
    place, _ = exported
    host = PluginHost()
    assert FORM not in supported_formats(host.model("emotion"), host)
    assert create_engine_by_name("emotion", workspace=place).load().runtime == "onnx"
    engine = create_engine_by_name("emotion", runtime=FORM, workspace=place).load()
    with pytest.raises(UserError, match="takes sound itself"):
        engine.infer_file(place.root / "any.wav")


def test_models_of_notes_have_no_front_end(tmp_path, capsys):
    place = Workspace(tmp_path)
    words = ["--workspace", str(place.root), "train", "dynamics", "--data", "demo", "--epochs", "1"]
    assert run(words) == 0
    assert run(["--workspace", str(place.root), "export", "dynamics", "--format", FORM]) == 2
    assert "no interface 'waveform'" in capsys.readouterr().err
