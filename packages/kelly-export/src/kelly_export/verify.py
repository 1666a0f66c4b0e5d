"""`verify_onnx_model`: one call that says whether an ONNX file is sound."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from kelly_core.contract import Contract
from kelly_core.errors import ContractError

if TYPE_CHECKING:
    from kelly_core.verify import ParityReport


def verify_onnx_model(path: str | Path) -> ParityReport:
    """Check an ONNX file: valid, weights inside, and equal to the golden vectors of the contract beside it.

    Args:
        path: `models/<model_id>.onnx`, with `<model_id>.contract.json` beside it.

    Returns:
        The report of a file that passed.

    Raises:
        ContractError: The file or its contract is missing.
        ParityError: The file is damaged, invalid or computes something else; names case, output, difference.
    """
    from kelly_core.runtime import BUILTIN
    from kelly_core.verify import check_golden
    from kelly_export.onnx import check

    path = Path(path)
    if not path.is_file():
        raise ContractError(
            "there is no such file", where=str(path), hint="check the name", code="contract.no-file"
        )
    check(path)
    contract = Contract.load(path.with_suffix(".contract.json"))
    return check_golden(path, contract, BUILTIN["onnx"]).require()
