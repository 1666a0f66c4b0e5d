"""TorchScript on the CPU."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from kelly_core.errors import ContractError
from kelly_core.runtime import ModuleRunner, opening

if TYPE_CHECKING:
    from kelly_core.contract import Contract


def open_runner(path: Path, contract: Contract, threads: int) -> ModuleRunner:
    """Open a TorchScript file. Tensors have positions there, no names; their number is checked.

    Args:
        path: The file.
        contract: Names of inputs and outputs, in order.
        threads: torch has one thread pool per process: a number sets it for the whole process, 0 leaves it.

    Raises:
        ContractError: It is damaged, no TorchScript file, or takes another number of inputs.
    """
    if threads:
        torch.set_num_threads(threads)
    with opening(path, "TorchScript"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch advises against torch.jit at every call
        module = torch.jit.load(str(path), map_location="cpu").eval()  # type: ignore[no-untyped-call]
    taken = len(list(module.graph.inputs())) - 1  # the first is the module itself
    if taken != len(contract.feeds):
        raise ContractError(
            f"it takes {taken} tensors, but the contract of {contract.model_id!r} names {len(contract.feeds)}",
            where=str(path),
            hint="the file belongs to another model or version; export the model again",
            code="contract.unusable",
        )
    return ModuleRunner.of(module, contract)
