"""Run hooks reach every observer; one that raises is muted for that run; every hook is shown and tested."""

from __future__ import annotations

import doctest
import logging
from pathlib import Path

import pytest

from kelly_core import hookspecs
from kelly_core.observers import OBSERVER_HOOKS
from kelly_core.plugins import PluginHost

HOOKS = sorted(name for name in vars(hookspecs) if name.startswith("kelly_"))
ARGUMENTS = {
    "kelly_run_started": {"run": None, "config": {}},
    "kelly_epoch_finished": {"run": None, "epoch": 1, "metrics": {}},
    "kelly_checkpoint_saved": {"run": None, "path": Path("best.pt")},
    "kelly_export_verified": {"artifact": Path("a.onnx"), "report": None},
    "kelly_run_finished": {"run": None, "status": "finished"},
}
OBSERVER = "from kelly_core.hookspecs import hookimpl\nKELLY_API = 1\nseen = []\n"


@pytest.mark.parametrize("hook", OBSERVER_HOOKS)
def test_an_observer_is_told(fakes, hook):
    arguments = ARGUMENTS[hook]
    body = f"@hookimpl\ndef {hook}({', '.join(arguments)}):\n    seen.append(({', '.join(arguments)}))\n"
    fakes.write("fake-watch", OBSERVER + body, observers=["watch"])
    PluginHost().notifier().call(hook, **arguments)
    import fake_watch

    assert fake_watch.seen == [tuple(arguments.values())]


def test_an_observer_that_raises_is_muted_for_that_run_only(fakes, caplog):
    bad = (
        "@hookimpl\ndef kelly_epoch_finished(epoch):\n    seen.append(epoch)\n    raise RuntimeError('disk')\n"
        "@hookimpl\ndef kelly_run_finished(status):\n    seen.append(status)\n"
    )
    fakes.write("fake-bad", OBSERVER + bad, observers=["bad"])
    good = "@hookimpl\ndef kelly_epoch_finished(epoch):\n    seen.append(epoch)\n"
    fakes.write("fake-good", OBSERVER + good, observers=["good"])
    host = PluginHost()
    observers = host.notifier()
    with caplog.at_level(logging.WARNING):
        for epoch in (1, 2):
            observers.call("kelly_epoch_finished", run=None, epoch=epoch, metrics={})
        observers.call("kelly_run_finished", run=None, status="finished")
    import fake_bad
    import fake_good

    assert fake_bad.seen == [1]
    assert fake_good.seen == [1, 2]
    assert caplog.text.count("fake-bad:fake_bad raised in kelly_epoch_finished and is muted") == 1
    host.notifier().call("kelly_epoch_finished", run=None, epoch=3, metrics={})
    assert fake_bad.seen == [1, 3]


def test_ctrl_c_in_an_observer_still_stops_the_run(fakes):
    body = "@hookimpl\ndef kelly_run_finished():\n    raise KeyboardInterrupt\n"
    fakes.write("fake-watch", OBSERVER + body, observers=["watch"])
    with pytest.raises(KeyboardInterrupt):
        PluginHost().notifier().call("kelly_run_finished", run=None, status="finished")


def test_a_hook_that_is_no_observer_hook_is_refused():
    with pytest.raises(ValueError, match="'kelly_models' is no observer hook"):
        PluginHost([]).notifier().call("kelly_models")


@pytest.mark.parametrize("hook", HOOKS)
def test_the_example_in_a_hooks_docstring_runs(hook):
    [example] = doctest.DocTestFinder(recurse=False).find(getattr(hookspecs, hook), hook)
    assert len(example.examples) >= 2
    assert doctest.DocTestRunner().run(example).failed == 0


def test_the_observer_hooks_are_those_of_the_hookspecs():
    discovery = {"kelly_models", "kelly_datasets", "kelly_exporters", "kelly_devices", "kelly_select_device"}
    assert set(HOOKS) == discovery | set(OBSERVER_HOOKS)


def test_kelly_select_device_of_a_plugin_comes_before_cores_own(fakes):
    body = "@hookimpl\ndef kelly_select_device(requested, available):\n    return available[-1]\n"
    fakes.write("fake-choice", OBSERVER + body, observers=["choice"])
    host = PluginHost()
    host.device("cpu")
    choose = host.manager.hook.kelly_select_device
    assert choose(requested="auto", available=["cpu"]) == "cpu"
    assert choose(requested="mps", available=["cpu"]) == "mps"
    host.notifier()
    assert choose(requested="auto", available=["cuda", "cpu"]) == "cpu"
    assert choose(requested="mps", available=["mps", "cpu"]) == "cpu"


@pytest.mark.parametrize(
    ("hook", "group", "spec"),
    [
        ("kelly_models", "models", "ModelSpec('x', 'xid', 't', 's', config=ref, task_class=ref)"),
        ("kelly_datasets", "datasets", "DatasetSpec('x', 's', ('m',), ref)"),
        ("kelly_exporters", "exporters", "ExporterSpec('x', 's', '.x', ref, ref)"),
        ("kelly_devices", "devices", "DeviceSpec('x', 's', ref)"),
    ],
)
def test_a_discovery_hook_brings_its_specs(fakes, hook, group, spec):
    body = f"from kelly_core.specs import *\nref = LazyRef('a:b')\n@hookimpl\ndef {hook}():\n    yield {spec}\n"
    fakes.write("fake-x", OBSERVER + body, **{group: ["x"]})
    assert getattr(PluginHost(), group.removesuffix("s"))("x").name == "x"


def test_every_hook_is_named_by_a_test():
    tests = Path(__file__).read_text(encoding="utf-8")
    assert [hook for hook in HOOKS if hook not in tests] == []
