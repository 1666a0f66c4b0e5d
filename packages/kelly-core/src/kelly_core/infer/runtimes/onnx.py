"""ONNX Runtime on the CPU."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import onnxruntime
from numpy.typing import NDArray

from kelly_core.runtime import check_names, opening

if TYPE_CHECKING:
    from kelly_core.contract import Contract
    from kelly_core.export import Arrays

onnxruntime.set_default_logger_severity(3)  # warnings about our graphs are for us, not for a user's terminal


class OnnxRunner:
    """An ONNX session. Thread-safe: ONNX Runtime allows concurrent runs of one session."""

    def __init__(self, path: Path, contract: Contract, threads: int) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        with opening(path, "ONNX"):
            # From bytes: the session then never depends on the file again, so it can be replaced meanwhile.
            self.session = onnxruntime.InferenceSession(
                path.read_bytes(), options, providers=["CPUExecutionProvider"]
            )
        takes = [tensor.name for tensor in self.session.get_inputs()]
        gives = [tensor.name for tensor in self.session.get_outputs()]
        check_names(path, contract, takes, gives)
        self.fetches = [info.name for info in contract.fetches]

    def run(self, inputs: Arrays) -> dict[str, NDArray[Any]]:
        """Outputs by name."""
        outputs = self.session.run(self.fetches, dict(inputs))
        return dict(zip(self.fetches, outputs, strict=True))


def open_runner(path: Path, contract: Contract, threads: int) -> OnnxRunner:
    """Open an ONNX file.

    Raises:
        ContractError: It is damaged, no ONNX file, or has other tensor names than the contract.
    """
    return OnnxRunner(path, contract, threads)
