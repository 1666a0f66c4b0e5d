"""A card says what the run measured, safely, and shouts when the data are synthetic."""

import re
from dataclasses import replace

import pytest
from markdown_it import MarkdownIt

from kelly_core.cards import (
    CardData,
    Figure,
    card_path,
    data_summary,
    load_card_data,
    save_card_data,
    write_card,
)
from kelly_core.cards.write import default_template, placeholders
from kelly_core.contract import Contract, GoldenVector, TensorInfo
from kelly_core.errors import ConfigError, RegistryError
from kelly_core.registry import Artifact, FileRef, Interval, ModelEntry
from kelly_core.workspace import Workspace

SHA = "0123456789abcdef" * 4
PNG = b"\x89PNG\r\n\x1a\n"


def contract(**fields):
    values = {
        "model_id": "emotionrecognizer",
        "model_version": "0.1.0",
        "task": "emotion_embedding",
        "architecture_type": "cnn",
        "parameters": 82_000,
        "inputs": [TensorInfo(name="input", shape=["batch", 1, 64, "frames"], unit="dB")],
        "outputs": [TensorInfo(name="output", shape=["batch", 2], unit="logit")],
        "labels": ["happy", "sad"],
        "features": {"sample_rate_hz": 16000},
        "window": {"frames": 96},
        "latency_budget_ms": 5.0,
        "run_id": "run-1",
        "checkpoint_sha256": SHA,
        "golden": [GoldenVector(name="one", inputs={"input": [1.0]}, outputs={"output": [1.0]})],
    }
    return Contract(**values | fields)


@pytest.fixture
def entry():
    figures = {
        "train": {"uar": Interval(value=0.8), "loss": Interval(value=0.05)},
        "validation": {"uar": Interval(value=0.7), "loss": Interval(value=0.08)},
        "test": {
            "uar": Interval(value=0.6554, low=0.611, high=0.702),
            "accuracy": Interval(value=0.66, low=0.6, high=0.71),
            "loss": Interval(value=0.09),
        },
    }
    return ModelEntry(
        id="emotionrecognizer",
        name="emotion",
        file="emotionrecognizer.onnx",
        format="onnx",
        task="emotion_embedding",
        status="trained",
        training={
            "epochs": 40,
            "seconds": 95.0,
            "git_commit": "abc123",
            "training_date": "2026-01-01T00:00:00",
        },
        run_id="run-1",
        dataset="studio",
        parameters=82_000,
        architecture_type="cnn",
        metrics=figures,
        baselines={"majority": {"test": {"uar": Interval(value=0.5)}}},
        artifacts={
            "onnx": Artifact(
                file="emotionrecognizer.onnx", sha256=SHA, bytes=345_678, verified=True, max_abs_diff=2e-6
            )
        },
        checkpoint=FileRef(file="../checkpoints/emotionrecognizer/best.pt", sha256=SHA),
    )


@pytest.fixture
def data(entry):
    facts = {
        "dataset": "studio",
        "licence": "CC BY-NC-SA 4.0",
        "citation": "A. Author, 2020",
        "group_kind": "speaker",
        "content_hash": "c0ffee",
        "problems": ["a.wav: empty"],
        "notes": ["calm merged into neutral"],
        "split": {
            "train": {"items": 80, "groups": 8, "labels": {"happy": 40, "sad": 40}},
            "validation": {"items": 10, "groups": 1, "labels": {"happy": 4, "sad": 6}},
            "test": {"items": 10, "groups": 1, "labels": {"sad": 10}},
        },
        "hours": {"train": 0.5, "validation": 0.06, "test": 0.06},
        "classes": ["sad", "happy"],
    }
    return CardData(
        entry=entry,
        data=data_summary(facts),
        summary="audio -> 7 emotions",
        contract=contract(),
        variants={"+6 dB": {"uar": Interval(value=0.64, low=0.6, high=0.69)}},
        breakdown={"accuracy of the worst speaker": 0.4321},
        figures=(Figure("logs/training/run-1/figures/confusion.png", "Confusion matrix"),),
        limits=("Acted emotion only.",),
        config={
            "epochs": 40,
            "split": {"by": "group"},
            "export_onnx": True,
            "dataset": None,
            "layers": [8, 16],
        },
        environment={"python": "3.11.7", "processor": "A CPU", "cuda": None, "packages": {"torch": "2.11.0"}},
        command="kelly train emotion --data clips",
    )


@pytest.fixture
def workspace(tmp_path):
    picture = tmp_path / "logs" / "training" / "run-1" / "figures" / "confusion.png"
    picture.parent.mkdir(parents=True)
    picture.write_bytes(PNG)
    return Workspace(tmp_path)


def card(workspace, data):
    path = write_card(workspace, data)
    assert path == card_path(workspace, "emotionrecognizer")
    return path.read_text()


def row(text, first):
    """Cells of the table row that starts with `first`."""
    line = next(line for line in text.splitlines() if line.startswith(f"| {first} |"))
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[2:-1]]


def test_sections_stand_in_the_order_of_the_template(workspace, data):
    assert re.findall(r"^#+ .*", card(workspace, data), re.MULTILINE) == [
        "# Model Card: emotionrecognizer",
        "## Overview",
        "## Training Data",
        "## Metrics",
        "## Baselines",
        "## Robustness",
        "## Figures",
        "## Known Limitations",
        "## How to load",
        "## Artifacts",
        "## Training",
    ]


def test_the_overview_has_the_guidelines_fields(workspace, data):
    text = card(workspace, data)
    assert row(text, "**Name**") == ["emotionrecognizer"]
    assert row(text, "**Task**") == ["emotion_embedding"]
    assert row(text, "**Status**") == ["trained"]
    assert row(text, "**Parameters**") == ["82,000"]


def test_metrics_stand_by_split_with_intervals(workspace, data):
    text = card(workspace, data)
    assert row(text, "Metric") == ["Train", "Val", "Test"]
    assert row(text, "Loss") == ["0.050", "0.080", "0.090"]
    assert row(text, "UAR") == ["0.800", "0.700", "0.655 [0.61, 0.70]"]
    assert row(text, "Accuracy") == ["-", "-", "66.0% [60.0, 71.0]"]


def test_data_are_counted_by_class_and_split(workspace, data):
    text = card(workspace, data)
    for line in (
        "- Size: 100 samples, 0.62 h",
        "- Split: 80/10/10 (train/val/test); no speaker stands on two sides",
        "- Licence: CC BY-NC-SA 4.0",
        "- Left out: 1 unusable files",
        "- calm merged into neutral",
    ):
        assert line in text.splitlines()
    assert row(text, "happy") == ["40", "4", "0"]
    assert row(text, "**All**") == ["80", "10", "10"]
    assert row(text, "Groups (speaker)") == ["8", "1", "1"]
    assert text.index("| sad |") < text.index("| happy |")  # the model's order


def test_baselines_and_robustness_stand_beside_the_model(workspace, data):
    text = card(workspace, data)
    assert row(text, "**emotionrecognizer**")[0] == "0.655 [0.61, 0.70]"
    assert row(text, "majority")[0] == "0.500"
    assert row(text, "+6 dB")[0] == "0.640 [0.60, 0.69]"
    assert row(text, "accuracy of the worst speaker") == ["0.432"]


def test_artifacts_have_size_parity_and_checksum(workspace, data):
    text = card(workspace, data)
    assert row(text, "onnx") == ["`emotionrecognizer.onnx`", "345.7 kB", "verified, 2.0e-06", f"`{SHA}`"]
    assert row(text, "checkpoint")[0] == "`../checkpoints/emotionrecognizer/best.pt`"


def test_settings_hardware_and_command_are_there(workspace, data):
    text = card(workspace, data)
    assert "kelly train emotion --data clips" in text
    assert row(text, "Time") == ["1 min 35 s"]
    assert row(text, "Torch") == ["2.11.0"]
    assert row(text, "`split.by`") == ["group"]
    assert row(text, "`export_onnx`") == ["yes"]
    assert row(text, "`layers`") == ["8, 16"]
    assert "| Cuda |" not in text


def test_the_loading_example_is_python_with_the_real_names(workspace, data):
    text = card(workspace, data)
    example = re.search(r"```python\n(.*?)```", text, re.DOTALL)[1]
    compile(example, "card", "exec")
    assert 'create_engine_by_name("emotionrecognizer")' in example
    assert '"input": np.zeros((1, 1, 64, 96), dtype=np.float32)' in example
    assert "get_top_k(k=1)[0]" in example


def test_a_model_without_labels_shows_its_outputs(workspace, data):
    text = card(workspace, replace(data, contract=contract(labels=[])))
    example = re.search(r"```python\n(.*?)```", text, re.DOTALL)[1]
    compile(example, "card", "exec")
    assert 'output = engine.infer(inputs).outputs["output"]' in example


def test_pictures_are_copied_beside_the_card_and_outlive_the_run(workspace, data):
    text = card(workspace, data)
    link = re.search(r"!\[Confusion matrix\]\(<(.*?)>\)", text)[1]
    assert (workspace.cards / link).read_bytes() == PNG
    (workspace.root / data.figures[0].path).unlink()
    assert link in card(workspace, data)


def test_a_picture_that_never_was_is_left_out(workspace, data):
    (workspace.root / data.figures[0].path).unlink()
    assert "## Figures" not in card(workspace, data)


def test_real_data_have_no_banner(workspace, data):
    assert "SYNTHETIC" not in card(workspace, data).upper()


def test_synthetic_data_are_shouted_before_anything_else(workspace, data):
    synthetic = replace(data, data=replace(data.data, synthetic=True))
    text = card(workspace, synthetic)
    assert text.index("TRAINED ON SYNTHETIC DATA") < text.index("## Overview")
    assert "- Trained on synthetic data only; unfit for real recordings." in text.splitlines()


def test_no_template_can_hide_the_banner(workspace, data):
    workspace.card_template.parent.mkdir()
    workspace.card_template.write_text("# {{ id }}\n")
    synthetic = replace(data, entry=data.entry.model_copy(update={"synthetic_data": True}))
    assert card(workspace, synthetic).startswith("> # ")


def test_a_workspace_template_decides_the_look(workspace, data):
    workspace.card_template.parent.mkdir()
    workspace.card_template.write_text("{# ours #}\n# {{id}} is {{ status }}\n\n\n\n{{ limits }}\n")
    assert card(workspace, data) == (
        "# emotionrecognizer is trained\n\n## Known Limitations\n\n- Acted emotion only.\n"
    )


def test_an_unknown_placeholder_names_line_and_nearest(workspace, data):
    workspace.card_template.parent.mkdir()
    workspace.card_template.write_text("{# a\ncomment {{ ignored }} #}\n# {{ id }}\n{{ metrix }}\n")
    with pytest.raises(ConfigError, match="unknown placeholder 'metrix'; did you mean 'metrics'") as caught:
        write_card(workspace, data)
    assert caught.value.where == f"{workspace.card_template}:4"
    assert not card_path(workspace, "emotionrecognizer").exists()


def test_the_template_comment_lists_every_placeholder():
    comment = default_template().split("#}")[0]
    assert all(re.search(rf"\b{name}\b", comment) for name in placeholders())


def test_text_from_data_cannot_break_the_card(workspace, data):
    nasty = "rock|pop <script> [x](y) `z` _a_ &lt; {{ id }}\n# head"
    side = replace(data.data.sides["train"], labels={nasty: 80})
    broken = replace(
        data,
        data=replace(data.data, sides={"train": side}, classes=(), notes=(nasty,)),
        command="echo '```'",
        contract=contract(labels=[nasty, "sad"]),
    )
    text = card(workspace, broken)
    html = MarkdownIt("commonmark").enable("table").render(text)
    assert "<script>" not in html
    assert 'href="y"' not in html
    assert "<td>rock|pop &lt;script&gt; [x](y) `z` _a_ &amp;lt; {{ id }} # head</td>" in html
    assert "<h1>head" not in html
    assert "echo '```'\n</code>" in html
    assert "````bash\necho '```'\n````" in text


def test_a_bare_entry_makes_a_card_too(workspace, data):
    bare = ModelEntry(id="emotionrecognizer", file=None, format=None, task="t", status="stub")
    text = card(workspace, CardData(entry=bare, data=data_summary({"dataset": "d"})))
    assert "- Licence: not stated" in text
    assert "## Metrics" not in text


def test_card_data_survive_the_run_folder(tmp_path, data):
    save_card_data(tmp_path, data)
    assert load_card_data(tmp_path) == replace(data, contract=contract(golden=[]))


def test_missing_or_damaged_card_data_are_named(tmp_path, data):
    with pytest.raises(RegistryError, match="no data for a card"):
        load_card_data(tmp_path)
    path = save_card_data(tmp_path, data)
    path.write_text(path.read_text().replace('"trained"', '"done"'))
    with pytest.raises(RegistryError, match=r"damaged: entry\.status"):
        load_card_data(tmp_path)
