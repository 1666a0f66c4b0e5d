"""`kelly registry` as a user meets it: tables, JSON, exit codes, nothing heavy imported."""

import json
import subprocess
import sys

import pytest

from kelly_core.cards import CardData, data_summary, save_card_data
from kelly_core.cli import run
from kelly_core.registry import ModelEntry, load, register
from kelly_core.workspace import Workspace

RUN = "20260101-000000-em-0000"


@pytest.fixture
def workspace(tmp_path):
    place = Workspace(tmp_path)
    training = {"epochs": 3, "training_date": "2026-01-01T00:00:00"}
    entry = ModelEntry(
        id="m",
        name="em",
        file=None,
        format=None,
        task="t",
        status="stub",
        training=training,
        run_id=RUN,
        dataset="demo",
        synthetic_data=True,
        metrics={"test": {"uar": {"value": 0.5, "low": 0.4, "high": 0.6}}},
    )
    register(place, entry)
    (place.runs / RUN).mkdir(parents=True)
    save_card_data(place.runs / RUN, CardData(entry=entry, data=data_summary({"dataset": "demo"})))
    return place


@pytest.fixture
def kelly(workspace):
    def call(*args):
        return run(["--workspace", str(workspace.root), "registry", *args])

    return call


def test_list_shows_models_and_marks_synthetic_data(kelly, capsys):
    assert kelly("list") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["model", "status", "version", "trained", "data", "artefacts"]
    assert lines[1].startswith("em")
    assert "demo (synthetic)" in lines[1]


def test_list_of_an_empty_workspace_says_what_to_do(tmp_path, capsys):
    assert run(["--workspace", str(tmp_path), "registry", "list"]) == 0
    assert "kelly train" in capsys.readouterr().err


def test_show_prints_figures_with_their_interval(kelly, capsys):
    assert kelly("show", "em") == 0
    assert "0.500 [0.400, 0.600]" in capsys.readouterr().out


def test_show_json_is_the_entry(kelly, capsys, workspace):
    assert kelly("show", "m", "--json") == 0
    assert ModelEntry.model_validate_json(capsys.readouterr().out) == load(workspace.registry).models[0]


def test_show_of_an_unknown_model_is_the_users_mistake(kelly, capsys):
    assert kelly("show", "other") == 2
    assert "registered: m" in capsys.readouterr().err


def test_validate_exits_with_2_and_names_the_line(kelly, capsys, workspace):
    assert kelly("validate") == 0
    workspace.registry.write_text(workspace.registry.read_text().replace('"stub"', '"stubb"'))
    capsys.readouterr()
    assert kelly("validate", "--json") == 2
    answer = json.loads(capsys.readouterr().out)
    assert not answer["valid"]
    assert [fault["field"] for fault in answer["faults"]] == ["models[0].status"]
    assert kelly("validate") == 2
    assert "registry.json:" in capsys.readouterr().err


def test_set_status_moves_the_model_and_its_card(kelly, workspace):
    assert kelly("set-status", "em", "deprecated") == 0
    assert load(workspace.registry).models[0].status == "deprecated"
    assert "| **Status** | deprecated |" in (workspace.cards / "m.md").read_text()


@pytest.mark.parametrize(
    ("status", "words"), [("production", "trained first"), ("stubb", "did you mean 'stub'")]
)
def test_set_status_refuses_what_the_table_refuses(kelly, capsys, status, words):
    assert kelly("set-status", "em", status) == 2
    assert words in capsys.readouterr().err


def test_rebuild_keeps_an_unreadable_registry_aside(kelly, capsys, workspace):
    workspace.registry.write_text("{")
    assert kelly("rebuild") == 0
    assert "registry.json.broken" in capsys.readouterr().err
    assert kelly("validate") == 0


def test_card_is_written_from_the_run(kelly, capsys, workspace):
    assert kelly("card", "em") == 0
    assert capsys.readouterr().out.strip() == "docs/model_cards/m.md"
    assert "TRAINED ON SYNTHETIC DATA" in (workspace.cards / "m.md").read_text()


def test_the_default_template_can_be_printed(kelly, capsys):
    assert kelly("card", "--print-template") == 0
    assert "{{ overview }}" in capsys.readouterr().out


def test_naming_the_room_imports_nothing_slow():
    code = (
        "import sys, kelly_core.registry, kelly_core.cli.registry\n"
        "slow = {'pydantic', 'numpy', 'torch', 'yaml', 'jsonschema', 'filelock'}\n"
        "print(sorted(slow.intersection(sys.modules)))"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"
