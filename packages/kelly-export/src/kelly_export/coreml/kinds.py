"""The kinds of Core ML file: what each holds, and which tensors stand at its interface. Light."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kelly_export.plugin import FP16, STATE16

if TYPE_CHECKING:
    from kelly_core.contract import Contract, TensorInfo


@dataclass(frozen=True, slots=True)
class Kind:
    """One way of writing a network for Core ML.

    Attributes:
        target: Oldest system, by its name in Core ML Tools.
        program: An ML program; else a neural network.
        half: Weights and arithmetic are fp16.
        keeps_state: State tensors are states of Core ML, in fp16; else they go in and come out.
        lossy: See `kelly_core.specs.ExporterSpec`.
    """

    target: str
    program: bool = True
    half: bool = False
    keeps_state: bool = False
    lossy: float = 0.0

    def takes(self, contract: Contract) -> Sequence[TensorInfo]:
        """Inputs of the file."""
        return contract.inputs if self.keeps_state else contract.feeds

    def gives(self, contract: Contract) -> Sequence[TensorInfo]:
        """Outputs of the file, apart from those of a classifier."""
        return contract.outputs if self.keeps_state else contract.fetches


PROGRAM = Kind("macOS13")
PROGRAM_FP16 = Kind("macOS12", half=True, lossy=FP16)
"""For macOS 13 the converter would make the interface fp16 too."""
PROGRAM_STATE = Kind("macOS15", keeps_state=True, lossy=STATE16)
NETWORK = Kind("macOS11", program=False)
