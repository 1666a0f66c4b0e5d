"""Random number generators: seeded once, captured and restored whole, so that resuming is exact."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray


def seed_all(seed: int) -> None:
    """Seed Python, NumPy's global generator and torch on every device."""
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - libraries below us may draw from the global generator
    torch.manual_seed(seed)


def capture() -> dict[str, Any]:
    """State of every generator as tensors and plain values."""
    name, keys, position, has_gauss, cached = np.random.get_state(legacy=True)  # noqa: NPY002
    version, internal, gauss = random.getstate()
    state: dict[str, Any] = {
        "torch": torch.get_rng_state(),
        "numpy": [name, torch.from_numpy(np.asarray(keys).astype(np.int64)), position, has_gauss, cached],
        "python": [version, list(internal), gauss],
    }
    if torch.cuda.is_available():
        state["cuda"] = torch.cuda.get_rng_state_all()
    if torch.backends.mps.is_available():
        state["mps"] = torch.mps.get_rng_state()
    return state


def restore(state: dict[str, Any]) -> None:
    """Put every generator back to a captured state; a device that is gone is left alone."""
    torch.set_rng_state(state["torch"])
    name, keys, position, has_gauss, cached = state["numpy"]
    np.random.set_state((name, keys.numpy().astype(np.uint32), position, has_gauss, cached))  # noqa: NPY002
    version, internal, gauss = state["python"]
    random.setstate((version, tuple(internal), gauss))
    if "cuda" in state and len(state["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(state["cuda"])
    if "mps" in state and torch.backends.mps.is_available():
        torch.mps.set_rng_state(state["mps"])


def step_seeds(seed: int, epoch: int, rank: int, steps: int) -> NDArray[np.uint64]:
    """Two 63-bit seeds for every step of an epoch, independent of what ran before and of other processes.

    Returns:
        (steps, 2): for cropping and augmentation, and for what draws from torch's global generator (dropout).
    """
    words = np.random.SeedSequence([seed, epoch, rank]).generate_state(2 * steps, np.uint64)
    return (words >> np.uint64(1)).reshape(steps, 2)


def seed_step(seed: int, device: torch.device) -> None:
    """Seed torch's global generators for one step; torch.manual_seed is a hundred times slower."""
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.manual_seed(seed)
    elif device.type == "mps":
        torch.mps.manual_seed(seed)


def generator(seed: int) -> np.random.Generator:
    """NumPy generator of one step (PCG64 seeds in microseconds, unlike a torch generator on some devices)."""
    return np.random.Generator(np.random.PCG64(seed))
