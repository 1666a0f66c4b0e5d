"""`kelly plugin check`: how it ends, what it tries, and which mistakes are the user's."""

import pytest

from kelly_core.cli import run
from kelly_core.errors import PluginError, UserError
from kelly_core.testing import check_plugin

RETURNS_NOTHING = """
from kelly_core.hookspecs import hookimpl
KELLY_API = 1
@hookimpl
def kelly_models():
    return []
"""


def test_a_broken_plugin_ends_the_command_with_1_and_no_traceback(fakes, capsys):
    fakes.write("fake-key", RETURNS_NOTHING, models=["key"])
    assert run(["plugin", "check", "key"]) == 1
    said = capsys.readouterr()
    assert "why: " in said.out
    assert "-> " in said.out
    assert "Traceback" not in said.out + said.err


def test_behind_a_plugin_that_does_not_load_nothing_else_is_tried(fakes):
    fakes.write("fake-key", RETURNS_NOTHING, models=["key"])
    results = check_plugin("key").results
    assert [result.rule for result in results] == ["imports", "kelly-api-is-declared", "names-agree"]


def test_a_name_that_is_not_installed_is_the_users_mistake():
    with pytest.raises(PluginError, match="no plugin or package 'nothing'"):
        check_plugin("nothing")


def test_a_rule_that_does_not_exist_is_the_users_mistake():
    with pytest.raises(UserError, match="there is no rule 'light'"):
        check_plugin("cpu", rules=["light"])


def test_it_must_be_clear_whose_data_a_folder_is(tmp_path):
    with pytest.raises(UserError, match="brings 0 models and datasets"):
        check_plugin("cpu", data=tmp_path)


@pytest.mark.parametrize("name", ["cpu", "midi-folder"])
def test_what_core_brings_keeps_the_rules(name):
    report = check_plugin(name, train=False)
    assert report.passed, str(report)
