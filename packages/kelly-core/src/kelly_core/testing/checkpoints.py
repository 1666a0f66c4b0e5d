"""Checkpoints of fresh weights, for tests of what comes after training."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn

    from kelly_core.checkpoint import TrainedModel
    from kelly_core.config import TrainConfig
    from kelly_core.workspace import Workspace


def untrained(
    workspace: Workspace,
    name: str,
    config: TrainConfig | None = None,
    *,
    seed: int = 0,
    change: Callable[[nn.Module], Any] | None = None,
    data: str = "nowhere",
) -> TrainedModel:
    """Write a model's `best.pt` without training it, and load it as everything does that follows training.

    Args:
        workspace: Where it goes.
        name: Short name of an installed model.
        config: Its configuration; None takes the defaults.
        seed: Of the weights; the run is called `run-SEED`.
        change: Changes the fresh network, e.g. weights that begin at zero.
        data: What it was trained on, as the checkpoint says: `"demo"`, or a folder.
    """
    import torch

    from kelly_core.checkpoint import CHECKPOINT_FORMAT, load_trained, save_checkpoint
    from kelly_core.config.resolve import dump
    from kelly_core.plugins import PluginHost

    host = PluginHost()
    spec = host.model(name)
    config = config if config is not None else spec.config_class()()
    torch.manual_seed(seed)
    module = spec.make_task(config).build(None)
    if change is not None:
        with torch.no_grad():
            change(module)
    path = workspace.checkpoints(spec.model_id) / "best.pt"
    payload = {
        "format": CHECKPOINT_FORMAT,
        "name": spec.name,
        "model_id": spec.model_id,
        "architecture_type": str(getattr(config, "architecture_type", "")),
        "epoch": 1,
        "config": dump(config),
        "model_state_dict": module.state_dict(),
        "val_loss": 1.0,
        "run_id": f"run-{seed}",
        "data": data,
        "dataset": None,
        "synthetic_data": True,
    }
    save_checkpoint(path, payload)
    return load_trained(path, host)
