"""Tries each built-in device for real: allocate, multiply, compare with the CPU's answer."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

NO_TORCH = "PyTorch is not installed; `pip install 'kelly-core[train]'` brings it"


@dataclass(frozen=True, slots=True)
class DeviceReport:
    """What a probe found.

    Attributes:
        name: The device.
        available: Whether it computed correctly.
        reason: When it isn't available: why, and what to do.
        detail: What it is: processor, chip, driver.
        memory_bytes: Memory it can use, in bytes; 0 when unknown.
    """

    name: str
    available: bool
    reason: str = ""
    detail: str = ""
    memory_bytes: int = 0


def probe_cpu() -> DeviceReport:
    """The processor; fails only where PyTorch is missing or broken."""
    try:
        import torch
    except ModuleNotFoundError:
        return DeviceReport("cpu", available=False, reason=NO_TORCH)
    wrong = _computes(torch.device("cpu"))
    detail = f"{platform.processor() or platform.machine()}, {torch.get_num_threads()} threads"
    return DeviceReport("cpu", not wrong, wrong, detail, _main_memory())


def probe_mps() -> DeviceReport:
    """Apple's Metal."""
    try:
        import torch
    except ModuleNotFoundError:
        return DeviceReport("mps", available=False, reason=NO_TORCH)
    if platform.system() != "Darwin":
        return DeviceReport("mps", available=False, reason="Metal exists on macOS only; use cpu or cuda")
    detail = f"macOS {platform.mac_ver()[0]}, PyTorch {torch.__version__}"
    if not torch.backends.mps.is_built():
        reason = f"PyTorch {torch.__version__} was built without Metal; install the arm64 build for macOS"
        return DeviceReport("mps", available=False, reason=reason, detail=detail)
    if not torch.backends.mps.is_available():
        reason = (
            f"this PyTorch finds no usable Metal GPU on macOS {platform.mac_ver()[0]}; it needs Apple Silicon "
            "and a recent macOS: update macOS, or use --device cpu"
        )
        return DeviceReport("mps", available=False, reason=reason, detail=detail)
    wrong = _computes(torch.device("mps"))
    return DeviceReport("mps", not wrong, wrong, detail, torch.mps.recommended_max_memory())


def probe_cuda() -> DeviceReport:
    """NVIDIA's CUDA; the first visible GPU."""
    try:
        import torch
    except ModuleNotFoundError:
        return DeviceReport("cuda", available=False, reason=NO_TORCH)
    if torch.version.cuda is None:
        reason = f"PyTorch {torch.__version__} has no CUDA; install a CUDA build if there is an NVIDIA GPU"
        return DeviceReport("cuda", available=False, reason=reason)
    detail = f"CUDA {torch.version.cuda}, PyTorch {torch.__version__}"
    if not torch.cuda.is_available():
        reason = "no NVIDIA GPU or driver was found; check `nvidia-smi` and CUDA_VISIBLE_DEVICES"
        return DeviceReport("cuda", available=False, reason=reason, detail=detail)
    wrong = _computes(torch.device("cuda"))
    properties = torch.cuda.get_device_properties(0)
    return DeviceReport("cuda", not wrong, wrong, f"{properties.name}, {detail}", properties.total_memory)


def _computes(device: torch.device) -> str:
    """Why a small product on the device is not what it should be; empty when it is."""
    import torch

    matrix = torch.arange(64 * 64, dtype=torch.float32).reshape(64, 64) % 7
    try:
        got = (matrix.to(device) @ matrix.to(device)).cpu()
    except (RuntimeError, NotImplementedError) as error:
        first = str(error).strip().split("\n", 1)[0]
        return f"a small product failed: {first}; close other programs on it, or update its driver and PyTorch"
    # Whole numbers this small are exact in float32, and in TF32 as well.
    if not torch.equal(got, matrix @ matrix):
        return "a small product came out wrong; update the driver and PyTorch, and use --device cpu until then"
    return ""


def _main_memory() -> int:
    import psutil

    return int(psutil.virtual_memory().total)
