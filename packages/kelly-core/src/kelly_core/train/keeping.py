"""Writing a run's checkpoints: `best.pt`, `epoch_N.pt`, `last.pt`, in the order that a kill can't spoil."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch.optim import Optimizer

from kelly_core.checkpoint import CHECKPOINT_FORMAT, save_checkpoint
from kelly_core.config import CheckpointConfig
from kelly_core.train.plan import Plan


def payload(
    plan: Plan, weights: Mapping[str, Any], optimizer: Optimizer, epoch: int, metrics: Mapping[str, float]
) -> dict[str, Any]:
    """What every checkpoint holds.

    Args:
        plan: Its identity goes in.
        weights: Those that were validated.
        optimizer: The one that trains.
        epoch: Finished epochs.
        metrics: Of the last of them.
    """
    return {
        **plan.identity,
        "format": CHECKPOINT_FORMAT,
        "epoch": epoch,
        "val_loss": metrics.get("val_loss", float("nan")),
        "metrics": dict(metrics),
        "model_state_dict": {name: tensor.detach().cpu() for name, tensor in weights.items()},
        "optimizer_state_dict": optimizer.state_dict(),
    }


def keep_epoch(
    plan: Plan, settings: CheckpointConfig, content: Mapping[str, Any], resume: Mapping[str, Any], *, best: bool
) -> None:
    """Write what is due after an epoch.

    `last.pt` comes last: whatever a kill leaves unwritten before it, the resumed run writes again.

    Args:
        plan: Where to.
        settings: How often, and how many are kept.
        content: The epoch's `payload`.
        resume: What only `last.pt` holds.
        best: Whether the epoch is the best so far.
    """
    folder, epoch = plan.checkpoints, content["epoch"]
    if folder is None:
        return
    if best:
        write(plan, "best.pt", content)
    if settings.every and epoch % settings.every == 0:
        write(plan, f"epoch_{epoch}.pt", content)
        _drop_old(folder, settings.keep)
    write(plan, "last.pt", {**content, "resume": resume})


def write(plan: Plan, name: str, content: Mapping[str, Any]) -> None:
    """Write one checkpoint and tell the observers; nothing when the plan keeps none."""
    if plan.checkpoints is not None:
        path = plan.checkpoints / name
        save_checkpoint(path, content)
        plan.notify("kelly_checkpoint_saved", path=path)


def _drop_old(folder: Path, keep: int) -> None:
    epochs = sorted(folder.glob("epoch_*.pt"), key=lambda path: int(path.stem.partition("_")[2]))
    for path in epochs[:-keep] if keep else []:
        path.unlink()
