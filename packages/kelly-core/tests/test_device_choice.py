"""Where a run trains: obeyed, measured, remembered, or refused with what to do."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from kelly_core.devices.probe import DeviceReport
from kelly_core.errors import DeviceError
from kelly_core.plugins import PluginHost
from kelly_core.specs import DeviceSpec
from kelly_core.train.device import choose_device


def device(name: str, priority: int, *, available: bool = True) -> DeviceSpec:
    report = DeviceReport(name, available=available, reason="" if available else "no such chip here", detail="")
    probe = SimpleNamespace(resolve=lambda: lambda: report)
    return DeviceSpec(name, name, probe=probe, batch_size=(8, 16 + priority), priority=priority)


class Host(PluginHost):
    """Has exactly these devices."""

    def __init__(self, *devices: DeviceSpec) -> None:
        super().__init__()
        self.devices = {one.name: one for one in devices}
        super().device("cpu")  # loads core's plugin, whose kelly_select_device is asked

    def specs(self, kind, spec_class):
        return list(self.devices.values())

    def device(self, name):
        return self.devices[name]


def never(name: str) -> float:
    raise AssertionError(f"{name} was measured")


def test_auto_takes_the_device_whose_steps_are_fastest_not_the_grandest(tmp_path):
    host = Host(device("cpu", 0), device("mps", 10))
    choice = choose_device("auto", host, {"cpu": 0.002, "mps": 0.005}.__getitem__, "tiny", tmp_path / "d.json")
    assert choice.spec.name == "cpu"
    assert "measured: mps 5.0 ms, cpu 2.0 ms" in choice.reason
    assert "\n" not in choice.reason


def test_an_answer_is_remembered_per_model(tmp_path):
    host, memory = Host(device("cpu", 0), device("mps", 10)), tmp_path / "d.json"
    choose_device("auto", host, {"cpu": 0.009, "mps": 0.001}.__getitem__, "tiny", memory)
    again = choose_device("auto", host, never, "tiny", memory)
    assert (again.spec.name, "remembered" in again.reason) == ("mps", True)
    with pytest.raises(AssertionError, match="was measured"):
        choose_device("auto", host, never, "another model", memory)


def test_a_changed_set_of_devices_or_a_broken_memory_is_measured_again(tmp_path):
    memory = tmp_path / "d.json"
    both = {"cpu": 0.009, "mps": 0.001, "cuda": 0.0001}.__getitem__
    choose_device("auto", Host(device("cpu", 0), device("mps", 10)), both, "tiny", memory)
    three = Host(device("cpu", 0), device("mps", 10), device("cuda", 20))
    assert choose_device("auto", three, both, "tiny", memory).spec.name == "cuda"
    memory.write_text("{ not json")
    assert "measured" in choose_device("auto", three, both, "tiny", memory).reason
    assert json.loads(memory.read_text())


def test_a_single_device_needs_no_measurement(tmp_path):
    host = Host(device("cpu", 0), device("mps", 10, available=False))
    choice = choose_device("auto", host, never, "tiny", tmp_path / "d.json")
    assert (choice.spec.name, choice.reason, choice.batch_size) == ("cpu", "the only one here", 16)


def test_a_name_is_obeyed_or_fails_with_what_to_do(tmp_path):
    host = Host(device("cpu", 0), device("mps", 10), device("cuda", 20, available=False))
    assert choose_device("mps", host, never, "tiny", tmp_path / "d.json").spec.name == "mps"
    with pytest.raises(DeviceError, match="'cuda' is not usable here: no such chip here") as caught:
        choose_device("cuda", host, never, "tiny", tmp_path / "d.json")
    assert "--device auto" in caught.value.hint
