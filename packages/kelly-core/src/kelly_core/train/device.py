"""Which device a run uses: the one asked for, or the one that was measured to be fastest."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs
import torch

from kelly_core import atomic
from kelly_core.errors import DeviceError
from kelly_core.plugins import PluginHost
from kelly_core.specs import DeviceSpec
from kelly_core.task import Source, Task
from kelly_core.train import rng
from kelly_core.train.optim import build_optimizer
from kelly_core.train.run_folder import processor

WARM_UP_STEPS, TIMED_STEPS = 3, 12


@dataclass(frozen=True, slots=True)
class DeviceChoice:
    """A device and why it was chosen, in one line."""

    spec: DeviceSpec
    reason: str

    @property
    def batch_size(self) -> int:
        """Batch size recommended for it."""
        return self.spec.batch_size[1]


def choose_device(
    requested: str,
    host: PluginHost,
    measure: Callable[[str], float],
    key: str,
    memory: Path | None = None,
) -> DeviceChoice:
    """Decide where to train.

    Args:
        requested: `"auto"` or a device name.
        host: Installed device plugins.
        measure: Seconds per training step of this very model on a named device.
        key: What the answer depends on: model, architecture, batch size.
        memory: File that remembers answers; by default in the user's cache folder.

    Raises:
        DeviceError: The requested device is unknown or doesn't work here.
    """
    specs = {spec.name: spec for spec in host.specs("device", DeviceSpec)}
    if requested != "auto":
        spec = host.device(requested)
        report = spec.probe.resolve()()
        if not report.available:
            raise DeviceError(
                f"device {requested!r} is not usable here: {report.reason}",
                hint="use --device auto or --device cpu; `kelly doctor` shows every device",
            )
        return DeviceChoice(spec, "you asked for it")
    ranked = sorted(specs.values(), key=lambda spec: -spec.priority)
    available = [spec.name for spec in ranked if spec.probe.resolve()().available]
    chosen = host.manager.hook.kelly_select_device(requested=requested, available=available)
    if chosen is not None:
        only = len(available) == 1
        return DeviceChoice(specs[chosen], "the only one here" if only else "chosen by a plugin")
    return _fastest([specs[name] for name in available], measure, key, memory or default_memory())


def default_memory() -> Path:
    """File in the user's cache folder that remembers measured devices."""
    return Path(platformdirs.user_cache_dir("kelly")) / "devices.json"


def _fastest(
    candidates: list[DeviceSpec], measure: Callable[[str], float], key: str, memory: Path
) -> DeviceChoice:
    full_key = f"{key} | torch {torch.__version__} | {processor()} | {'+'.join(c.name for c in candidates)}"
    remembered = _remembered(memory)
    times: Mapping[str, float] = remembered.get(full_key, {})
    note = "remembered"
    if set(times) != {spec.name for spec in candidates}:
        note = "measured"
        times = {spec.name: measure(spec.name) for spec in candidates}
        atomic.write_json(memory, {**remembered, full_key: times})
    best = min(candidates, key=lambda spec: times[spec.name])
    listed = ", ".join(f"{name} {seconds * 1000:.1f} ms" for name, seconds in times.items())
    return DeviceChoice(best, f"fastest training step of this model ({note}: {listed})")


def _remembered(memory: Path) -> dict[str, dict[str, float]]:
    try:
        content = json.loads(memory.read_text())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def time_steps(task: Task[Any], train: Source, batch_size: int, device: str) -> float:
    """Median seconds of a few real training steps of this model on a device."""
    place = torch.device(device)
    state = rng.capture()
    module = task.build(train).to(place).train()
    optimizer = build_optimizer(module, task.config)
    indices = np.arange(min(batch_size, len(train)))
    seconds = []
    for step in range(WARM_UP_STEPS + TIMED_STEPS):
        started = time.perf_counter()
        batch = {k: v.to(place) for k, v in train.fetch(indices, rng.generator(step)).items()}
        task.loss(module, batch, torch.Generator().manual_seed(step)).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        optimizer.zero_grad()
        _wait(place)
        seconds.append(time.perf_counter() - started)
    rng.restore(state)
    return float(np.median(seconds[WARM_UP_STEPS:]))


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
