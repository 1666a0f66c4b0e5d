"""Plugins that break a rule are caught, by the right rule, with reason and remedy."""

import pytest

from kelly_core.cli import run
from kelly_core.errors import PluginError
from kelly_core.testing import RULES, check_plugin

HEAD = """
from kelly_core.hookspecs import hookimpl
from kelly_core.specs import *
KELLY_API = 1
"""
DATASET = """
from pathlib import Path
from kelly_core.data import Dataset, Item
from kelly_core.errors import DataError
@hookimpl
def kelly_datasets():
    made = {made}
    ref = LazyRef("fake_key:open_it")
    return [DatasetSpec("key", "s", ("m",), ref, LazyRef("fake_key:recognises"), made, made)]
def recognises(path):
    {recognises}
def open_it(path, options):
    {opens}
"""
MODEL = """
from typing import Literal
from kelly_core.config import TrainConfig, setting
@hookimpl
def kelly_models():
    ref = LazyRef("fake_key:Key")
    return [ModelSpec("key", "keyfinder", "key", "s", ref, {task})]
class Key(TrainConfig):
    model_id: str = "{model_id}"
    task: str = "key"
    {more}
"""
RETURNS_NOTHING = "@hookimpl\ndef kelly_models():\n    return []\n"


def model(task='LazyRef("fake_key:Key")', model_id="keyfinder", more="pass"):
    return HEAD + MODEL.format(task=task, model_id=model_id, more=more)


def dataset(made=False, recognises="return False", opens="raise DataError('nothing here')"):
    return HEAD + DATASET.format(made=made, recognises=recognises, opens=opens)


BROKEN = {  # rule -> group, code, part of the message
    "imports": ("models", "raise RuntimeError('no licence')", "no licence"),
    "kelly-api-is-declared": ("models", "x = 1", "KELLY_API = None"),
    "names-agree": ("models", HEAD + RETURNS_NOTHING, "the package declares ['key']"),
    "lazy-references-lead-somewhere": (
        "models",
        model(task="LazyRef('fake_key:Kee')"),
        "task_class = 'fake_key:Kee'",
    ),
    "import-is-light": ("models", model() + "import scipy.signal\n", "imports scipy.signal"),
    "configuration-fits-the-spec": ("models", model(model_id="other"), "'other'; the spec says 'keyfinder'"),
    "unknown-keys-are-rejected": (
        "models",
        model(more='model_config = {"extra": "ignore"}'),
        "no_such_setting_anywhere = 1 was accepted",
    ),
    "wrong-settings-are-errors-of-ours": (
        "models",
        model(more="batch_size: int = 0"),
        "batch_size=0 was accepted",
    ),
    "unusable-folders-are-errors-of-ours": ("datasets", dataset(opens="return 1 / 0"), "ZeroDivisionError"),
    "recognising-never-raises": ("datasets", dataset(recognises="return True"), "recognises 'blank'"),
    "built-in-items-are-usable": (
        "datasets",
        dataset(made=True, opens="return Dataset('key', path, [Item('a.mid', group='a')], synthetic=True)"),
        "'a.mid' is no absolute path",
    ),
    "probe-reports": (
        "devices",
        HEAD
        + "@hookimpl\ndef kelly_devices():\n    return [DeviceSpec('key', 's', LazyRef('fake_key:probe'))]\n"
        "def probe():\n    return 1 / 0\n",
        "ZeroDivisionError",
    ),
    "small-network-passes-parity": (
        "exporters",
        HEAD + "@hookimpl\ndef kelly_exporters():\n    ref = LazyRef('fake_key:export')\n"
        "    return [ExporterSpec('key', 's', '.key', ref, ref)]\n"
        "def export(bundle, path):\n    path.write_text('x')\n    (path.parent / 'beside').write_text('y')\n",
        "instead of 'reference.key' alone",
    ),
    "damaged-files-are-errors-of-ours": (
        "exporters",
        HEAD + "@hookimpl\ndef kelly_exporters():\n    ref = LazyRef('fake_key:run')\n"
        "    return [ExporterSpec('key', 's', '.key', ref, ref)]\n"
        "def run(path, contract, threads=0):\n    return object()\n",
        "as if it were whole",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_rule_is_named_with_why_and_how_to_mend_it(fakes, name):
    group, code, message = BROKEN[name]
    fakes.write("fake-key", code, **{group: ["key"]})
    report = check_plugin("fake-key", train=False)
    broken = {failure.rule: failure for failure in report.failures}
    assert name in broken, str(report)
    assert message in broken[name].detail
    assert broken[name].why == RULES[name].why
    assert broken[name].mend == RULES[name].mend
    assert not report.passed


def test_a_broken_plugin_ends_the_command_with_1_and_no_traceback(fakes, capsys):
    fakes.write("fake-key", HEAD + RETURNS_NOTHING, models=["key"])
    assert run(["plugin", "check", "key"]) == 1
    said = capsys.readouterr()
    assert "why: " in said.out
    assert "-> " in said.out
    assert "Traceback" not in said.out + said.err


def test_a_name_that_is_not_installed_is_the_users_mistake():
    with pytest.raises(PluginError, match="no plugin or package 'nothing'"):
        check_plugin("nothing")


@pytest.mark.parametrize("name", RULES)
def test_every_rule_says_what_why_and_how(name):
    rule = RULES[name]
    assert rule.says.endswith(".")
    assert len(rule.why) > 20
    assert len(rule.mend) > 20


@pytest.mark.parametrize("name", ["cpu", "midi-folder"])
def test_what_core_brings_keeps_the_rules(name):
    report = check_plugin(name, train=False)
    assert report.passed, str(report)
