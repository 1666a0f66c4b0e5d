"""A model that is only run: declared with a reason, and refused with it wherever training is meant."""

import json

import pytest

from kelly_core import cli
from kelly_core.config import TrainConfig
from kelly_core.errors import InferenceOnlyError, PluginError
from kelly_core.health import examine
from kelly_core.inference import create_engine_by_name
from kelly_core.plugins import PluginHost
from kelly_core.specs import LazyRef, ModelSpec, Pretrained
from kelly_core.testing import RULES, check_plugin
from kelly_core.workspace import Workspace

CODE = """
from pathlib import Path
from kelly_core.errors import CheckpointError
from kelly_core.hookspecs import hookimpl
from kelly_core.specs import LazyRef, ModelSpec, Pretrained
KELLY_API = 1

@hookimpl
def kelly_models():
    of = Pretrained(
        reason="nobody has its data",
        instead="train another",
        source="a friend",
        licence="CC0-1.0",
        citation="A. Friend (2026)",
        find=LazyRef("fake_ears:find"),
        open_weights=LazyRef("fake_ears:open_weights"),
        modules=("{module}",),
        install_hint="pip install ears",
    )
    command = LazyRef("fake_ears:predict")
    return [ModelSpec("ears", "ears", "hearing", "a model", predict=command, pretrained=of)]

def find(workspace):
    {find}

def open_weights(folder):
    {opens}

def predict(file: Path):
    {predict}
"""
REFUSED = "raise CheckpointError('no weights', where='there', hint='copy them')"
REF = LazyRef("a:b")
OF = Pretrained("why", "instead", "source", "licence", "citation", REF, REF)


def write(fakes, find=REFUSED, opens=REFUSED, predict=REFUSED, module="json"):
    code = CODE.format(find=find, opens=opens, predict=predict, module=module)
    fakes.write("fake-ears", code, models=["ears"])


@pytest.fixture
def ears(fakes):
    write(fakes)
    return fakes


@pytest.mark.parametrize(
    "parts", [{}, {"config": REF}, {"task_class": REF}, {"config": REF, "task_class": REF, "pretrained": OF}]
)
def test_a_model_is_either_trained_or_only_run(parts):
    with pytest.raises(PluginError, match="must have config and task_class, or else `pretrained` alone"):
        ModelSpec("ears", "ears", "hearing", "a model", **parts)


@pytest.mark.parametrize("command", ["train", "evaluate", "export", "verify", "bench", "config"])
def test_a_command_that_means_training_is_refused_with_reason_and_advice(ears, capsys, command):
    assert cli.run(["--workspace", str(ears.folder), command, "ears"]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == (
        "error[inference-only]: 'ears' is only run (`kelly predict ears`), not trained, measured or exported "
        f"here: nobody has its data\n  at kelly {command}\n  -> train another\n"
    )


@pytest.mark.parametrize("words", [["data", "validate", "-m", "ears"], ["data", "precompute", "-m", "ears"]])
def test_data_for_it_is_refused_too(ears, capsys, words):
    assert cli.run(["--workspace", str(ears.folder), *words]) == 2
    assert "nobody has its data" in capsys.readouterr().err


def test_a_configuration_file_that_names_it_is_refused(ears, capsys):
    file = ears.folder / "ears.yaml"
    file.write_text("model_id: ears\n")
    assert cli.run(["train", "--config", str(file)]) == 2
    assert "nobody has its data" in capsys.readouterr().err


def test_from_python_it_is_refused_too(ears):
    spec = PluginHost().model("ears")
    for call in (spec.config_class, lambda: spec.make_task(TrainConfig)):
        with pytest.raises(InferenceOnlyError, match="nobody has its data"):
            call()
    with pytest.raises(InferenceOnlyError, match="its weights come from a friend") as refused:
        create_engine_by_name("ears", workspace=ears.folder)
    assert "fake_ears:open_weights" in refused.value.hint


def test_predicting_needs_no_registry_and_no_checkpoint(fakes, capsys):
    write(fakes, predict="print('heard', file.name)")
    assert cli.run(["--workspace", str(fakes.folder), "predict", "ears", "a.wav"]) == 0
    assert capsys.readouterr().out == "heard a.wav\n"


def test_list_says_that_it_is_only_run_and_whose_it_is(ears, capsys):
    assert cli.run(["list", "--kind", "model", "--details"]) == 0
    said = capsys.readouterr().out.partition("fake-ears:ears")[2].partition("\nkelly-")[0]
    assert "status: only run" in said
    assert "weights: a friend; CC0-1.0; A. Friend (2026)" in said
    assert "latency" not in said
    assert cli.run(["list", "--kind", "model", "--details", "--json"]) == 0
    records = {one["name"]: one for one in json.loads(capsys.readouterr().out)}
    assert records["ears"]["details"]["pretrained"]["reason"] == "nobody has its data"


def test_a_new_workspace_has_no_configuration_for_it(ears, capsys):
    assert cli.run(["init", str(ears.folder / "place")]) == 0
    assert "ears" not in capsys.readouterr().err
    assert not (ears.folder / "place" / "configs" / "ears.yaml").exists()


@pytest.mark.parametrize(
    ("parts", "verdict", "message"),
    [
        ({}, "absent", "no weights"),
        ({"find": "return Path(__file__).parent"}, "ok", "site"),
        ({"find": "return 1 / 0"}, "broken", "raised ZeroDivisionError"),
        ({"module": "no_such_library"}, "absent", "needs no_such_library"),
    ],
)
def test_doctor_says_whether_libraries_and_weights_are_here(fakes, monkeypatch, parts, verdict, message):
    write(fakes, **parts)
    monkeypatch.setenv("PYTHONPATH", str(fakes.folder))
    monkeypatch.setenv("KELLY_PLUGINS", "fake-ears")
    checks = examine(Workspace.locate(fakes.folder))
    found = next(check for check in checks if check.section == "pretrained")  # the slow ones come later
    assert (found.name, found.verdict) == ("ears", verdict)
    assert message in found.message
    assert verdict == "ok" or found.hint


def test_rules_about_training_are_left_out_and_the_others_tried(ears):
    report = check_plugin("ears")
    assert report.passed, str(report)
    verdicts = {one.rule: one.verdict for one in report.results}
    about_training = {rule.name for rule in RULES.values() if "model" in rule.kinds and rule.about_training}
    assert {name for name, verdict in verdicts.items() if verdict == "skip"} == about_training
    assert all(one.detail == "it is only run, not trained" for one in report.results if one.verdict == "skip")
    assert len(about_training) >= 10
    assert len(verdicts) - len(about_training) >= 8


@pytest.mark.parametrize(
    ("rule", "parts", "message"),
    [
        ("missing-weights-are-errors-of-ours", {"find": "return Path('nowhere')"}, "no folder that is there"),
        ("missing-weights-are-errors-of-ours", {"find": "raise CheckpointError('no')"}, "how to get them: no"),
        ("missing-weights-are-errors-of-ours", {"find": "return 1 / 0"}, "ZeroDivisionError"),
        ("unusable-weights-are-errors-of-ours", {"opens": "return folder"}, "as if it held weights"),
        ("unusable-weights-are-errors-of-ours", {"opens": "return 1 / 0"}, "ZeroDivisionError"),
        ("unusable-files-are-errors-of-ours", {"predict": "return 1 / 0"}, "it ended with 1"),
        ("unusable-files-are-errors-of-ours", {"predict": "print('heard')"}, "it ended with 0"),
    ],
)
def test_a_broken_rule_about_running_is_named(fakes, rule, parts, message):
    write(fakes, **parts)
    [failure] = check_plugin("ears").failures
    assert failure.rule == rule
    assert message in failure.detail
    assert (failure.why, failure.mend) == (RULES[rule].why, RULES[rule].mend)
