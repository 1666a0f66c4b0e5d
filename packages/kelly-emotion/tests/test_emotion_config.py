"""EmotionRecognizer's settings, and `kelly config` on them."""

import json
from pathlib import Path

import pytest

from kelly_core.cli import run
from kelly_core.config.render import render_yaml
from kelly_core.config.resolve import resolve
from kelly_core.errors import ConfigError
from kelly_emotion.config import EmotionConfig

GUIDELINES = """\
# configs/emotion_recognizer.yaml
model_id: emotionrecognizer
task: emotion_embedding
architecture_type: cnn

# Architecture
input_size: 128
output_size: 7
hidden_layers: [512, 256, 128]

# Training (Mac-optimized)
epochs: 100
batch_size: 16
learning_rate: 0.001
device: auto  # Uses MPS on Apple Silicon

# Export
export_onnx: true
export_coreml: true
"""


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("KELLY_WORKSPACE", raising=False)
    return tmp_path


def write(text, name="e.yaml"):
    Path(name).parent.mkdir(exist_ok=True)
    Path(name).write_text(text)
    return Path(name)


def test_the_guidelines_example_is_accepted_as_it_stands():
    config = resolve(EmotionConfig, config_file=write(GUIDELINES)).config
    assert config.hidden_layers == [512, 256, 128]
    assert (config.batch_size, config.learning_rate, config.device) == (16, 0.001, "auto")
    assert config.requested_exports() == ["onnx", "coreml"]


def test_the_default_renders_and_reads_back():
    assert resolve(EmotionConfig, config_file=write(render_yaml(EmotionConfig()))).config == EmotionConfig()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("output_size: 8", "e.yaml:1: output_size: got 8, must be 7, one for each of happy, sad"),
        (
            "features:\n  hop_length: 2048",
            "e.yaml:2: features.hop_length, features.n_fft: n_fft (1024 samples) is",
        ),
        ("features: {f_max: 9000}", "features.f_max, features.sample_rate: f_max (9000 Hz) is above half"),
        ("features: {f_min: 8000}", "f_max (8000 Hz) must be above f_min (8000 Hz)"),
        ("features: {n_fft: 256, n_mels: 129}", "n_mels (129 bands) is more than n_fft (256 samples)"),
        ("labels: {synonyms: {joyous: glad}}", "'joyous' is mapped to 'glad', which is none of happy, sad"),
        ("duration: 11", "e.yaml:1: duration: got 11, expected a number from 1 to 10 s"),
    ],
)
def test_combinations_are_checked(text, expected):
    with pytest.raises(ConfigError) as caught:
        resolve(EmotionConfig, config_file=write(text))
    assert expected in str(caught.value)


def test_kelly_config_prints_yaml_that_it_accepts(capsys):
    assert run(["config", "emotion"]) == 0
    write(capsys.readouterr().out)
    assert run(["config", "emotion_recognizer", "--check", "e.yaml"]) == 0
    assert capsys.readouterr().out == "e.yaml: valid for 'emotion'; every value is the default\n"


def test_check_lists_what_differs(capsys):
    write("epochs: 3\n")
    assert run(["config", "emotion", "--check", "e.yaml", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["changes"] == [{"key": "epochs", "value": 3, "default": 90, "origin": "e.yaml:1"}]


def test_check_of_a_wrong_file_exits_2_and_names_the_line(capsys):
    write("\nepoch: 3\n")
    assert run(["config", "emotion", "--check", "e.yaml"]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert "epoch: unknown key; did you mean 'epochs'?" in said.err
    assert "e.yaml:2" in said.err


def test_resolved_uses_workspace_file_file_and_set(capsys):
    write("epochs: 3\nseed: 3\ndropout: 0.3\n", "configs/emotion_recognizer.yaml")
    write("epochs: 4\nseed: 4\n")
    assert run(["config", "emotion", "-f", "e.yaml", "--set", "epochs=5", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["epochs"], said["seed"], said["dropout"]) == (5, 4, 0.3)
    assert run(["config", "emotion", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["epochs"] == 90
    assert run(["config", "emotion", "--resolved", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["epochs"] == 3


def test_output_writes_once_and_replaces_only_by_force(capsys):
    assert run(["config", "emotion", "-o", "new/e.yaml", "--schema-link", "e.schema.json"]) == 0
    text = Path("new/e.yaml").read_text()
    assert text.startswith(
        "# yaml-language-server: $schema=e.schema.json\n# Settings of `kelly train emotion`."
    )
    Path("new/e.yaml").write_text("mine")
    assert run(["config", "emotion", "-o", "new/e.yaml"]) == 2
    assert "add --force to replace it" in capsys.readouterr().err
    assert Path("new/e.yaml").read_text() == "mine"
    assert run(["config", "emotion", "-o", "new/e.yaml", "--force"]) == 0
    assert Path("new/e.yaml").read_text() != "mine"
    assert run(["config", "emotion", "-o", "new"]) == 2


def test_schema_is_json(capsys):
    assert run(["config", "emotion", "--schema"]) == 0
    assert json.loads(capsys.readouterr().out)["properties"]["features"]


def test_an_unknown_model_names_those_installed(capsys):
    assert run(["config", "emotoin"]) == 2
    assert "emotion" in capsys.readouterr().err


def test_options_that_would_be_ignored_are_refused(capsys):
    assert run(["config", "emotion", "--check", "e.yaml", "--set", "epochs=3"]) == 2
    assert "--check and --set can't be used together" in capsys.readouterr().err
    assert run(["config", "emotion", "--schema", "--check", "e.yaml"]) == 2
