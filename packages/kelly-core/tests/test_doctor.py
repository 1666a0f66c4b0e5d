"""`kelly doctor` finds plugins that hang, crash or exit, and says what is broken and what to do."""

from __future__ import annotations

import json
import math
import shutil
import sys

import pytest

from kelly_core import cli
from kelly_core.catalog import read_catalog
from kelly_core.devices.probe import DeviceReport, probe_cpu, probe_cuda, probe_mps
from kelly_core.health import Check, examine
from kelly_core.isolation import probe_plugins
from kelly_core.workspace import DATA_FOLDERS, Workspace

DYING = {
    "hang": ("import time\ntime.sleep(30)", "took longer than 1 s", "line 2 in <module>"),
    "exit": ("import sys\nsys.exit(3)", "SystemExit: 3", "sys.exit(3)"),
    "hard_exit": ("import os\nos._exit(3)", "ended the process with exit code 3", ""),
    "crash": (
        "import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)",
        "crashed the interpreter (SIGSEGV)",
        "File ",
    ),
    "raise": ("raise RuntimeError('no')", "failed at import: RuntimeError: no", "raise RuntimeError('no')"),
    "noise": (
        "print('noise ' * 9)\nimport sys\nprint('more', file=sys.stderr)\n1 / 0",
        "ZeroDivisionError",
        "1 / 0",
    ),
}


def fake_entries(*kinds):
    return [entry for entry in read_catalog(*kinds) if entry.distribution.startswith("fake-")]


@pytest.fixture
def only_fakes(fakes, monkeypatch):
    """Leave out the installed plugins, whose probes take seconds; child processes see the fakes."""
    monkeypatch.setenv("PYTHONPATH", str(fakes.folder))
    monkeypatch.setattr("kelly_core.health.read_catalog", fake_entries)


@pytest.fixture
def checks(fakes, only_fakes):
    """The checks of the fakes' folder as a workspace, by name."""

    def run() -> dict[str, Check]:
        return {check.name: check for check in examine(Workspace.locate(fakes.folder))}

    return run


@pytest.mark.parametrize("how", DYING)
def test_a_dying_plugin_is_found_out_from_outside(fakes, monkeypatch, how):
    code, problem, trace = DYING[how]
    monkeypatch.setenv("PYTHONPATH", str(fakes.folder))
    fakes.write("fake-key", code, models=["key"])
    [result] = probe_plugins(fake_entries(), 1.0).values()
    assert problem in result.problem
    assert trace in result.traceback
    if how != "hard_exit":
        assert "fake_key.py" in result.traceback


def test_a_plugin_whose_threads_go_on_is_healthy(fakes, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(fakes.folder))
    thread = "import threading, time\nthreading.Thread(target=time.sleep, args=(30,)).start()\n"
    fakes.write_model("fake-key", "key")
    module = fakes.folder / "fake_key.py"
    module.write_text(thread + module.read_text())
    [result] = probe_plugins(fake_entries(), 5.0).values()
    assert result.problem == ""


def test_doctor_reports_a_hanging_and_a_doubled_plugin_and_exits_1(fakes, only_fakes, monkeypatch, capsys):
    fakes.write("fake-hang", "import time; time.sleep(30)", models=["key"])
    fakes.write_model("fake-two", "key")
    monkeypatch.setenv("KELLY_PROBE_SECONDS", "1")
    assert cli.run(["--workspace", str(fakes.folder), "doctor", "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    broken = {check["name"]: check for check in report["checks"] if check["verdict"] == "broken"}
    assert set(broken) == {"fake-hang 1.0", "model 'key'"}
    assert "took longer than 1 s" in broken["fake-hang 1.0"]["message"]
    assert "fake-hang 1.0 and fake-two 1.0" in broken["model 'key'"]["message"]
    assert not report["ok"]
    listed = fakes.kelly("list", "--kind", "model", "--json", KELLY_PLUGINS="fake-hang,fake-two")
    assert len(json.loads(listed.stdout)) == 2


def test_doctor_shows_people_the_traceback(fakes, only_fakes, capsys):
    fakes.write("fake-key", "raise RuntimeError('no licence')", models=["key"])
    assert cli.run(["--workspace", str(fakes.folder), "doctor", "--time-limit", "9"]) == 1
    shown = capsys.readouterr().out
    assert "✗ fake-key 1.0  failed at import: RuntimeError: no licence" in shown
    assert "      RuntimeError: no licence\n" in shown
    assert shown.endswith("1 broken: fake-key 1.0\n")


def test_doctor_is_content_with_a_bare_machine(fakes):
    done = fakes.kelly("doctor", KELLY_NO_PLUGINS="1")
    assert done.returncode == 0, done.stdout
    assert "✓ cpu" in done.stdout
    assert "batch size 8-16, 0 workers, pin-memory off" in done.stdout
    assert done.stdout.endswith("all is well\n")


@pytest.mark.parametrize("text", ["soon", "-1", "inf"])
def test_a_bad_time_limit_is_the_users_mistake(fakes, text):
    done = fakes.kelly("doctor", KELLY_PROBE_SECONDS=text)
    assert done.returncode == 2
    assert "KELLY_PROBE_SECONDS" in done.stderr


def test_the_data_root_is_described(fakes, checks):
    assert checks()["data root"].verdict == "absent"
    for name in DATA_FOLDERS[:-1]:
        (fakes.folder / "data" / name).mkdir(parents=True)
    found = checks()
    assert found["data root"].facts["free_bytes"] == pytest.approx(
        shutil.disk_usage(fakes.folder).free, rel=0.2
    )
    assert found["layout"].verdict == "absent"
    assert found["layout"].message.endswith("no cache")
    (fakes.folder / "data" / "cache").mkdir()
    assert checks()["layout"].verdict == "ok"


def test_a_data_root_that_is_a_file_is_broken(fakes, checks):
    (fakes.folder / "data").write_text("")
    assert checks()["data root"].verdict == "broken"


def test_a_broken_registry_is_broken(fakes, checks):
    (fakes.folder / "models").mkdir()
    (fakes.folder / "models" / "registry.json").write_text("{")
    found = checks()["registry"]
    assert found.verdict == "broken"
    assert "registry.json" in found.message
    assert found.hint


def test_an_exporter_without_its_modules_says_what_to_install(fakes, checks):
    code = """
        from kelly_core.hookspecs import hookimpl
        from kelly_core.specs import *
        KELLY_API = 1
        ref = LazyRef('a:b')
        @hookimpl
        def kelly_exporters():
            return [ExporterSpec('tfl', 's', '.tfl', ref, ref, ('json', 'no_such.module'), 'pip install tfl')]
    """
    fakes.write("fake-tfl", code, exporters=["tfl"])
    check = checks()["tfl"]
    assert (check.verdict, check.message) == ("absent", "needs no_such.module")
    assert check.hint == "pip install tfl"


def test_the_cpu_computes():
    report = probe_cpu()
    assert report.available
    assert report.memory_bytes > 10**8


@pytest.mark.parametrize("probe", [probe_mps, probe_cuda])
def test_a_gpu_works_or_says_why_not(probe):
    report = probe()
    assert isinstance(report, DeviceReport)
    assert report.available != bool(report.reason)


def test_a_device_that_computes_wrongly_is_not_available(monkeypatch):
    import torch

    monkeypatch.setattr(torch.Tensor, "__matmul__", lambda a, b: a * math.nan)
    report = probe_cpu()
    assert not report.available
    assert "came out wrong" in report.reason


@pytest.mark.parametrize("probe", [probe_cpu, probe_mps, probe_cuda])
def test_devices_say_what_to_install_where_torch_is_missing(monkeypatch, probe):
    monkeypatch.setitem(sys.modules, "torch", None)
    report = probe()
    assert not report.available
    assert "kelly-core[train]" in report.reason
