"""Broken plugins: the message is right, and everything else goes on working."""

from __future__ import annotations

import json

import pytest

from kelly_core.catalog import read_catalog
from kelly_core.errors import PluginError
from kelly_core.plugins import PluginHost
from kelly_core.specs import ModelSpec

HEAD = "from kelly_core.hookspecs import hookimpl\nfrom kelly_core.specs import *\nKELLY_API = 1\n"
RETURN_NOTHING = "@hookimpl\ndef kelly_models():\n    return []\n"
BROKEN = {
    "raises": ("raise RuntimeError('no licence key')", "failed at import: RuntimeError: no licence key"),
    "exits": ("import sys; sys.exit('bye')", "failed at import: SystemExit: bye"),
    "syntax": ("def :", "failed at import: SyntaxError"),
    "panics": ("class Panic(BaseException): pass\nraise Panic('rust')", "failed at import: Panic: rust"),
    "no_api": ("x = 1", "states KELLY_API = None; this kelly-core supports 1 to 1"),
    "old_api": ("KELLY_API = 99", "failed at api version: it states KELLY_API = 99"),
    "unknown_hook": (HEAD + "@hookimpl\ndef kelly_modles():\n    return []\n", "unknown hook 'kelly_modles'"),
    "bad_signature": (
        HEAD + "@hookimpl\ndef kelly_run_finished(run, colour): ...\n" + RETURN_NOTHING,
        "failed at hooks: PluginValidationError",
    ),
    "wrapper": (HEAD + "@hookimpl(wrapper=True)\ndef kelly_models():\n    return (yield)\n", "is a wrapper"),
    "names": (HEAD + RETURN_NOTHING, "kelly_models returned [], but the package declares ['key']"),
    "wrong_class": (
        HEAD + "@hookimpl\ndef kelly_models():\n    return ['key']\n",
        "kelly_models returned 'key', which is no ModelSpec",
    ),
    "undeclared": (
        HEAD
        + "@hookimpl\ndef kelly_devices():\n    return [DeviceSpec('npu', '', LazyRef('a:b'))]\n"
        + RETURN_NOTHING,
        "but the package declares",
    ),
    "hook_raises": (
        HEAD + "@hookimpl\ndef kelly_models():\n    return [1 / 0]\n",
        "failed at specs: ZeroDivisionError",
    ),
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_broken_plugin_is_named_when_asked_for_and_harmless_otherwise(fakes, how):
    code, message = BROKEN[how]
    fakes.write("fake-key", code, models=["key"])
    fakes.write_model("fake-tempo", "tempo")
    warnings = []
    host = PluginHost(on_failure=warnings.append)

    with pytest.raises(PluginError) as asked:
        host.model("key")
    assert message in str(asked.value)
    assert "fake-key 1.0" in str(asked.value)
    assert asked.value.exit_code == 2

    assert host.model("tempo").name == "tempo"
    assert "tempo" in [spec.name for spec in host.specs("model", ModelSpec)]
    assert [failure.distribution for failure in host.failures] == ["fake-key"]
    assert host.failures[0].traceback


def test_a_broken_plugin_warns_once_where_nobody_asked_for_it(fakes):
    fakes.write("fake-key", "raise RuntimeError", models=["key"])
    warnings = []
    host = PluginHost(on_failure=warnings.append)
    host.specs("model", ModelSpec)
    host.specs("model", ModelSpec)
    assert [failure.phase for failure in warnings] == ["import"]


def test_a_rejected_plugin_watches_no_run(fakes):
    watching = "@hookimpl\ndef kelly_run_finished(run, status):\n    raise AssertionError\n"
    fakes.write("fake-key", HEAD + RETURN_NOTHING + watching, models=["key"])
    host = PluginHost(on_failure=lambda _: None)
    host.specs("model", ModelSpec)
    assert host.manager.hook.kelly_run_finished.get_hookimpls() == []


def test_two_packages_with_one_name_are_both_named_and_can_be_told_apart(fakes):
    fakes.write_model("fake-one", "key")
    fakes.write_model("fake-two", "key")
    with pytest.raises(PluginError, match=r"fake-one 1\.0 and fake-two 1\.0") as raised:
        PluginHost().model("key")
    assert "'fake-one:key' or 'fake-two:key'" in str(raised.value.hint)
    assert PluginHost().model("fake-two:key").name == "key"
    with pytest.raises(PluginError, match="'fake-one:key', 'fake-two:key'"):
        PluginHost().model("keyfinder")


@pytest.mark.parametrize("name", ["key", "fake-key:key", "keyfinder", "key_finder"])
def test_a_model_is_found_by_every_name_it_has(fakes, name):
    fakes.write_model("fake-key", "key")
    assert PluginHost().model(name).model_id == "keyfinder"


def test_an_unknown_model_lists_what_is_installed(fakes):
    fakes.write_model("fake-key", "key")
    with pytest.raises(PluginError, match=r"no model named 'kea' is installed \(installed: .*key"):
        PluginHost().model("kea")


def test_the_allow_list_and_the_flag_choose_plugins(fakes, monkeypatch):
    fakes.write_model("fake-key", "key")
    fakes.write_model("fake-tempo", "tempo")
    monkeypatch.setenv("KELLY_PLUGINS", "tempo, other")
    entries = read_catalog()
    assert {e.name for e in entries if e.distribution != "kelly-core"} == {"tempo"}
    assert "cpu" in {e.name for e in entries}
    monkeypatch.setenv("KELLY_NO_PLUGINS", "1")
    assert {e.distribution for e in read_catalog()} == {"kelly-core"}


def test_the_allow_list_may_name_one_of_a_modules_several_plugins(fakes, monkeypatch):
    specs = "[DeviceSpec(name, '', LazyRef('a:b')) for name in ('npu', 'tpu')]"
    two = f"@hookimpl\ndef kelly_devices():\n    return {specs}\n"
    fakes.write("fake-chips", HEAD + two, devices=["npu", "tpu"])
    monkeypatch.setenv("KELLY_PLUGINS", "npu")
    assert PluginHost().device("npu").name == "npu"
    with pytest.raises(PluginError, match="no device named 'tpu'"):
        PluginHost().device("tpu")


def test_strict_mode_makes_any_broken_plugin_fatal(fakes, monkeypatch):
    fakes.write("fake-key", "raise RuntimeError('no')", models=["key"])
    monkeypatch.setenv("KELLY_STRICT_PLUGINS", "1")
    with pytest.raises(PluginError, match="fake-key"):
        PluginHost().specs("model", ModelSpec)


def test_damaged_metadata_of_one_package_hides_no_other(fakes, caplog):
    fakes.write_model("fake-key", "key")
    fakes.write_model("fake-tempo", "tempo")
    (fakes.folder / "fake_key-1.0.dist-info" / "METADATA").unlink()
    assert "tempo" in {entry.name for entry in read_catalog()}
    assert "can't be read: " in caplog.text
    assert "fake_key-1.0.dist-info (it doesn't say its name; install the package again)" in caplog.text


def test_what_a_plugin_prints_stays_out_of_the_results(fakes, capsys):
    fakes.write("fake-key", "print('hello')\nraise RuntimeError", models=["key"])
    PluginHost(on_failure=lambda _: None).specs("model", ModelSpec)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "hello" in captured.err


def test_kelly_list_runs_no_plugin_code_and_marks_ambiguous_names(fakes):
    fakes.write("fake-one", "import os; os._exit(9)", models=["key"])
    fakes.write_model("fake-two", "key")
    done = fakes.kelly("list", "--kind", "model")
    assert done.returncode == 0
    assert "fake-one:key" in done.stdout
    assert "fake-two:key" in done.stdout
    assert done.stderr == ""


def test_kelly_list_details_marks_the_broken_one_and_describes_the_rest(fakes):
    fakes.write("fake-key", "raise RuntimeError('no')", models=["key"])
    fakes.write_model("fake-tempo", "tempo")
    done = fakes.kelly("list", "--kind", "model", "--details", "--json")
    records = {record["name"]: record for record in json.loads(done.stdout)}
    assert "RuntimeError: no" in records["key"]["broken"]
    assert records["tempo"]["details"]["aliases"] == ["tempo_finder"]
    people = fakes.kelly("list", "--kind", "model", "--details").stdout
    assert "id: tempofinder; also called tempo_finder" in people


def test_kelly_list_shows_the_registrys_status(fakes):
    fakes.write_model("fake-key", "key")
    registry = fakes.folder / "models" / "registry.json"
    registry.parent.mkdir()
    registry.write_text(
        '{"registry_version": "1.1", "models": [{"id": "keyfinder", "name": "key", "status": "trained"}]}'
    )
    [record] = json.loads(fakes.kelly("list", "--kind", "model", "--json", KELLY_PLUGINS="key").stdout)
    assert record["status"] == "trained"


@pytest.mark.parametrize("text", ["{", "[]", '{"models": [3]}', '{"models": [{"name": "key"}]}', "\xff"])
def test_a_broken_registry_costs_only_the_status(fakes, text):
    fakes.write_model("fake-key", "key")
    registry = fakes.folder / "models" / "registry.json"
    registry.parent.mkdir()
    registry.write_bytes(text.encode("latin-1"))
    done = fakes.kelly("list", "--kind", "model", "--json", KELLY_PLUGINS="key")
    assert json.loads(done.stdout)[0]["status"] == "?"
    assert "kelly registry validate" in done.stderr
