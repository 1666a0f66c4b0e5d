"""Rules about training: the loss falls, and a killed run goes on as if nothing had happened."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kelly_core.testing.rules import BrokenRuleError, rule
from kelly_core.testing.subject import Subject

LEARNING_STEPS = 40
FALL = 0.97
"""The loss on one batch has to come below this share of what it was."""


@rule(
    "model",
    why="a loss that doesn't fall on a batch seen over and over can't fall on anything",
    mend="check that the loss depends on the network's output, and the peak learning_rate",
    cost="trains",
)
def loss_falls_on_demo_data(subject: Subject) -> str:
    """Forty steps on one batch of demo data bring the loss down."""
    import numpy as np
    import torch

    from kelly_core.testing.shorttrain import batch_size
    from kelly_core.train.optim import build_optimizer

    task, source = subject.job.task, subject.prepared.sources["train"]
    torch.manual_seed(0)
    model = task.build(source).train()
    optimizer = build_optimizer(model, task.config)
    batch = source.fetch(np.arange(min(batch_size(subject), len(source))), None)
    losses = []
    for step in range(LEARNING_STEPS):
        loss = task.loss(model, batch, torch.Generator().manual_seed(step))
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(float(loss.detach()))
    before, after = sum(losses[:5]) / 5, sum(losses[-5:]) / 5
    if not math.isfinite(after) or after > before - (1 - FALL) * abs(before):
        raise BrokenRuleError(f"it went from {before:.4g} to {after:.4g}")
    return f"{before:.3g} -> {after:.3g}"


@rule(
    "model",
    why="long runs are interrupted; one that goes on differently can't be repeated or trusted",
    mend="keep no state in the task; take randomness from the rng and generator that Kelly passes",
    cost="trains",
)
def killed_and_resumed_is_exact(subject: Subject) -> str:
    """A run killed in its second epoch and resumed ends with the same weights, to the bit."""
    from kelly_core.checkpoint import read_checkpoint
    from kelly_core.testing.shorttrain import STEPS, KilledError, batch_size, train

    size, examples = batch_size(subject), len(subject.prepared.sources["train"])
    steps = min(STEPS, max(1, examples // size))
    whole, cut = subject.trained.path.parent, subject.workspace.root / "cut"
    try:
        train(subject, cut, kill_at=steps + 1 + steps // 2)
    except KilledError:
        pass
    else:
        raise BrokenRuleError("the run took fewer steps than it has examples for")
    train(subject, cut, resume=True)
    for name in ("best.pt", "last.pt"):
        mine, other = (_plain(read_checkpoint(Path(folder) / name)) for folder in (whole, cut))
        differing = [key for key in mine if key not in other or not _same(mine[key], other[key])]
        if differing:
            raise BrokenRuleError(f"{name} differs in {len(differing)} values, the first: {differing[0]}")
    return f"killed after {steps + steps // 2} of {2 * steps} steps"


def _plain(value: Any) -> dict[str, Any]:
    return {place: leaf for place, leaf in _leaves(value) if not place.endswith("/seconds")}


def _leaves(value: Any, at: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(inner, f"{at}/{key}")
    elif isinstance(value, (list, tuple)):
        for index, inner in enumerate(value):
            yield from _leaves(inner, f"{at}/{index}")
    else:
        yield at, value


def _same(one: Any, other: Any) -> bool:
    import torch

    if isinstance(one, torch.Tensor):
        return isinstance(other, torch.Tensor) and torch.equal(one, other)
    both_nan = isinstance(one, float) and isinstance(other, float) and math.isnan(one) and math.isnan(other)
    return both_nan or bool(one == other)
