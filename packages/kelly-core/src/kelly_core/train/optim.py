"""From configuration to optimiser and learning-rate schedule."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import nn
from torch.optim import Optimizer

from kelly_core.config import OptimizerConfig, ScheduleConfig, TrainConfig

START_FACTOR, END_FACTOR = 1 / 25, 1e-4
"""Where one-cycle starts and ends, relative to the peak (torch's OneCycleLR defaults to 1/25 and 1e-4/25)."""


def build_optimizer(module: nn.Module, config: TrainConfig) -> Optimizer:
    """The optimiser, without weight decay on biases and normalisation (tensors of rank 0 and 1)."""
    settings = config.optimizer
    trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
    groups = [
        {"params": [p for p in trained if p.ndim >= 2], "weight_decay": settings.weight_decay},
        {"params": [p for p in trained if p.ndim < 2], "weight_decay": 0.0},
    ]
    return _create(settings, [group for group in groups if group["params"]], config)


def _create(settings: OptimizerConfig, groups: list[dict[str, object]], config: TrainConfig) -> Optimizer:
    lr = config.learning_rate
    # A fused step unscales by itself, which Fabric's clipping under 16-mixed can't work with.
    fused = config.precision != "16-mixed"
    if settings.name == "sgd":
        return torch.optim.SGD(groups, lr=lr, momentum=settings.momentum, fused=fused)
    kind = torch.optim.AdamW if settings.name == "adamw" else torch.optim.Adam
    return kind(groups, lr=lr, fused=fused)


def rate_factor(config: ScheduleConfig, total_steps: int, steps_per_epoch: int) -> Callable[[int], float]:
    """Learning rate at a step (from 0) relative to its peak. `plateau` changes by epoch elsewhere: 1 here.

    >>> factor = rate_factor(ScheduleConfig(name="cosine", warmup=0.0), 100, 10)
    >>> factor(0), round(factor(50), 3)
    (1.0, 0.5)
    """
    warmup = round(config.warmup * total_steps)
    if config.name == "one_cycle":
        return lambda step: _one_cycle(step, total_steps, max(1, warmup))
    if config.name == "cosine":
        return lambda step: _warm(step, warmup) * _cosine_down(step, warmup, total_steps)
    if config.name == "step":
        return lambda step: config.factor ** (step // (steps_per_epoch * config.step_every))
    return _constant


def _constant(_step: int) -> float:
    return 1.0


def _one_cycle(step: int, total: int, peak: int) -> float:
    """Smith and Topin (2018), with cosine flanks."""
    if step < peak:
        return _between(START_FACTOR, 1.0, step / peak)
    return _between(1.0, END_FACTOR, (step - peak) / max(1, total - 1 - peak))


def _between(start: float, end: float, share: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * min(1.0, share))) / 2


def _warm(step: int, warmup: int) -> float:
    return min(1.0, (step + 1) / warmup) if warmup else 1.0


def _cosine_down(step: int, warmup: int, total: int) -> float:
    return _between(1.0, 0.0, max(0, step - warmup) / max(1, total - warmup))


class Plateau:
    """Lowers the rate when the validation metric has stopped getting better.

    Args:
        config: `factor` and `patience`.
    """

    def __init__(self, config: ScheduleConfig) -> None:
        self.config = config
        self.factor = 1.0
        self.waited = 0

    def update(self, improved: bool) -> float:
        """Count an epoch and return the factor for the next one."""
        self.waited = 0 if improved else self.waited + 1
        if self.waited > self.config.patience:
            self.factor *= self.config.factor
            self.waited = 0
        return self.factor

    def state_dict(self) -> dict[str, float]:
        """What a resume needs."""
        return {"factor": self.factor, "waited": self.waited}

    def load_state_dict(self, state: dict[str, float]) -> None:
        """Continue from a captured state."""
        self.factor, self.waited = float(state["factor"]), int(state["waited"])
