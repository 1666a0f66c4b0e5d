"""A training checkpoint, run with torch and the model's own package."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch

from kelly_core.checkpoint import load_trained
from kelly_core.errors import ContractError
from kelly_core.plugins import PluginHost
from kelly_core.runtime import ModuleRunner

if TYPE_CHECKING:
    from kelly_core.contract import Contract


def open_runner(path: Path, contract: Contract, threads: int) -> ModuleRunner:
    """Open a checkpoint.

    Args:
        path: A file that `kelly train` wrote.
        contract: Names of inputs and outputs, in order.
        threads: torch has one thread pool per process: a number sets it for the whole process, 0 leaves it.

    Raises:
        CheckpointError: It is missing, damaged or doesn't fit the installed model.
        ContractError: It is not the checkpoint that the contract describes.
    """
    if threads:
        torch.set_num_threads(threads)
    trained = load_trained(path, PluginHost())
    if trained.sha256 != contract.checkpoint_sha256:
        raise ContractError(
            "it isn't the checkpoint that the contract describes; the model was trained again since",
            where=str(path),
            hint=f"export it: `kelly export {trained.spec.name} --all`",
            code="contract.changed",
        )
    return ModuleRunner.of(trained.task.export_module(trained.module).eval(), contract)
