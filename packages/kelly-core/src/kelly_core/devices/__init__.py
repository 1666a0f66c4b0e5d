"""The built-in devices as a plugin: cpu, mps, cuda. Light; probing lives in `probe`."""

from __future__ import annotations

from collections.abc import Sequence

from kelly_core.hookspecs import hookimpl
from kelly_core.specs import DeviceSpec, LazyRef

KELLY_API = 1


@hookimpl
def kelly_devices() -> list[DeviceSpec]:
    """CPU, Apple's Metal and NVIDIA's CUDA, with the guidelines' recommended settings."""
    return [
        DeviceSpec(
            "cpu",
            "any processor",
            probe=LazyRef("kelly_core.devices.probe:probe_cpu"),
            batch_size=(8, 16),
        ),
        DeviceSpec(
            "mps",
            "Apple Silicon GPU (Metal Performance Shaders)",
            probe=LazyRef("kelly_core.devices.probe:probe_mps"),
            batch_size=(16, 32),
            priority=10,
        ),
        DeviceSpec(
            "cuda",
            "NVIDIA GPU",
            probe=LazyRef("kelly_core.devices.probe:probe_cuda"),
            batch_size=(32, 64),
            num_workers=2,
            pin_memory=True,
            priority=20,
        ),
    ]


@hookimpl(trylast=True)
def kelly_select_device(requested: str, available: Sequence[str]) -> str | None:
    """Obey a name; leave `auto` to the measurement unless there is nothing to choose."""
    if requested != "auto":
        return requested
    return available[0] if len(available) == 1 else None
