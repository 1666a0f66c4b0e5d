"""Core ML itself, on macOS."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kelly_core.runtime import check_names, opening
from kelly_export.coreml.mil import run_items
from kelly_export.coreml.names import LABEL, PROBABILITIES
from kelly_export.coreml.tools import quiet

if TYPE_CHECKING:
    from kelly_core.contract import Contract
    from kelly_core.export import Arrays


class CoreMlRunner:
    """A loaded model. Batches item by item: the file takes one.

    State that Core ML keeps is written before a call and read after it, so that it goes in and comes out like
    that of any other runner.
    """

    def __init__(self, path: Path, contract: Contract) -> None:
        self.contract = contract
        with opening(path, "Core ML"), quiet() as ct:
            # The CPU computes in fp32; GPU and Neural Engine would round fp32 programs to fp16.
            self.model = ct.models.MLModel(str(path), compute_units=ct.ComputeUnit.CPU_ONLY)
        description = self.model.get_spec().description
        taken, given, self.kept = (
            [feature.name for feature in side]
            for side in (description.input, description.output, description.state)
        )
        given = [name for name in given if name not in {LABEL, PROBABILITIES}]
        following = [info.next_name for info in contract.state if info.name in self.kept]
        check_names(path, contract, [*taken, *self.kept], [*given, *following])

    def run(self, inputs: Arrays) -> dict[str, NDArray[Any]]:
        """Outputs by name."""
        return run_items(self._one, inputs, self.contract)

    def _one(self, inputs: Arrays) -> dict[str, NDArray[Any]]:
        kinds = {name: np.int32 if array.dtype.kind in "iu" else np.float32 for name, array in inputs.items()}
        cast = {name: array.astype(kinds[name]) for name, array in inputs.items()}
        kept = {name: cast.pop(name) for name in self.kept}
        state = self.model.make_state() if kept else None
        for name, value in kept.items():
            state.write_state(name, value)
        given = dict(self.model.predict(cast, state))
        for info in self.contract.state:
            if info.name in kept:
                given[info.next_name] = state.read_state(info.name)
        return {info.name: np.asarray(given[info.name], info.dtype) for info in self.contract.fetches}


def open_runner(path: Path, contract: Contract, threads: int) -> CoreMlRunner:  # noqa: ARG001 - Core ML decides
    """Open a Core ML file on macOS.

    Raises:
        ContractError: It is damaged, no Core ML file, or has other tensor names than the contract.
    """
    return CoreMlRunner(path, contract)
