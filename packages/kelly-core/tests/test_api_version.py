"""Versions of the plugin interface: both ends of the range, what lies outside, what is going away."""

import pytest

from kelly_core import API_VERSION, OLDEST_API, health, hookspecs, plugins
from kelly_core.catalog import read_catalog
from kelly_core.errors import PluginError
from kelly_core.isolation import probe_plugins
from kelly_core.plugins import PluginHost
from kelly_core.testing import check_plugin

PLUGIN = """
from kelly_core.hookspecs import hookimpl
from kelly_core.specs import LazyRef, ModelSpec
KELLY_API = {version}

@hookimpl
def kelly_models():
    ref = LazyRef("nowhere:Nothing")
    return [ModelSpec("key", "keyfinder", "a task", "a model", config=ref, task_class=ref)]

{more}
"""


def plugin(version=API_VERSION, more=""):
    return PLUGIN.format(version=version, more=more)


@pytest.fixture
def newer_core(monkeypatch):
    """A kelly-core that is at version 3 and still takes 2."""
    monkeypatch.setattr(plugins, "SUPPORTED_API", range(2, 4))


@pytest.mark.parametrize("version", [2, 3])
def test_a_plugin_for_either_end_of_the_range_is_loaded(fakes, newer_core, version):
    fakes.write("fake-key", plugin(version), models=["key"])
    assert PluginHost().model("key").name == "key"


@pytest.mark.parametrize(
    ("version", "hint"),
    [
        (1, "upgrade the plugin, or install an older kelly-core"),
        (4, "upgrade kelly-core"),
        (None, "its author has to write KELLY_API = 3 into fake_key"),
        ("'3'", "its author has to write KELLY_API = 3 into fake_key"),
        (True, "its author has to write KELLY_API = 3 into fake_key"),
    ],
)
def test_a_plugin_outside_the_range_is_refused_with_the_way_out(fakes, newer_core, version, hint):
    fakes.write("fake-key", plugin(version), models=["key"])
    with pytest.raises(PluginError, match=r"states KELLY_API = .*; this kelly-core supports 2 to 3") as refused:
        PluginHost().model("key")
    assert refused.value.hint == hint


def test_the_range_is_the_policys_the_newest_and_the_one_before():
    assert list(plugins.SUPPORTED_API) == list(range(OLDEST_API, API_VERSION + 1))
    assert max(1, API_VERSION - 1) >= OLDEST_API


@pytest.fixture
def deprecations(monkeypatch):
    """A kelly-core in which one hook, and one argument of another, are going away."""

    @hookspecs.hookspec(
        warn_on_impl=DeprecationWarning("kelly_old goes away with KELLY_API 2: implement kelly_run_finished")
    )
    def kelly_old(run): ...

    @hookspecs.hookspec(
        warn_on_impl_args={"colour": DeprecationWarning("colour goes away with KELLY_API 2: take shade")}
    )
    def kelly_painted(run, shade, colour): ...

    monkeypatch.setattr(hookspecs, "kelly_old", kelly_old, raising=False)
    monkeypatch.setattr(hookspecs, "kelly_painted", kelly_painted, raising=False)


OLD_HOOK = "@hookimpl\ndef kelly_old(run):\n    return None\n"
OLD_ARGUMENT = "@hookimpl\ndef kelly_painted(run, colour):\n    return colour\n"


@pytest.mark.parametrize(("code", "said"), [(OLD_HOOK, "kelly_old goes away"), (OLD_ARGUMENT, "take shade")])
def test_what_is_deprecated_still_works_and_warns_its_author(fakes, deprecations, code, said):
    fakes.write("fake-key", plugin(more=code), models=["key"])
    host = PluginHost()
    with pytest.warns(DeprecationWarning, match=said) as warned:
        assert host.model("key").name == "key"
    assert warned[0].filename.endswith("fake_key.py")
    if code == OLD_ARGUMENT:
        assert host.manager.hook.kelly_painted(run=None, shade="dark", colour="blue") == ["blue"]


def test_a_plugin_that_takes_the_new_argument_is_left_alone(fakes, deprecations, recwarn):
    fakes.write("fake-key", plugin(more=OLD_ARGUMENT.replace("colour", "shade")), models=["key"])
    assert PluginHost().model("key").name == "key"
    assert [one for one in recwarn if one.category is DeprecationWarning] == []


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_check_tells_the_author(fakes, deprecations):
    fakes.write("fake-key", plugin(more=OLD_HOOK), models=["key"])
    (result,) = check_plugin("key", rules=["kelly-api-is-declared"]).results
    assert result.verdict == "pass"
    assert "kelly_old goes away with KELLY_API 2" in result.detail


def test_doctor_tells_everybody_else(fakes, monkeypatch):
    warns = "import warnings\nwarnings.warn('it uses what goes away', DeprecationWarning)\n"
    fakes.write("fake-key", plugin(more=warns), models=["key"])
    monkeypatch.setenv("PYTHONPATH", str(fakes.folder))
    entries = [entry for entry in read_catalog() if entry.distribution == "fake-key"]
    (found,) = health.plugin_checks(entries, probe_plugins(entries))
    assert (found.verdict, found.hint) == ("ok", "it uses what goes away")
