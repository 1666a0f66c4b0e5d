"""Golden vectors of a contract against an artefact: whole, step by step, after a reset."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kelly_core.contract import BATCH, Contract
from kelly_core.tensors import symbols
from kelly_core.verify.cases import LENGTH, RESET, WHOLE, Case, from_reset, ranked_outputs, stepwise
from kelly_core.verify.parity import ParityRow, compare

if TYPE_CHECKING:
    from kelly_core.export import Arrays, Runner


def golden_rows(contract: Contract, runner: Runner, lossy: float = 0.0) -> list[ParityRow]:
    """Compare what an artefact gives for the contract's golden inputs with what the trained model gave.

    Args:
        contract: With golden vectors.
        runner: The artefact.
        lossy: See `kelly_core.verify.parity.ParityReport`.
    """
    golden = contract.golden_arrays()
    ranked = ranked_outputs(contract)
    rows: list[ParityRow] = []
    for name, (inputs, outputs) in golden.items():
        first = from_reset(contract, inputs)
        others = [from_reset(contract, other) for key, (other, _) in golden.items() if key != name]
        cases = {name: (Case(WHOLE if _single(contract, inputs) else LENGTH, [first]), outputs)}
        if others:
            cases[f"{name}, after another call"] = (Case(RESET, [first], warm=others[0]), outputs)
        steps = _steps(contract, inputs, outputs)
        if steps is not None:
            cases[f"{name}, step by step"] = steps
        for title, (case, expected) in cases.items():
            given = _given(case, runner)
            part = {key: given[key] for key in expected if key in given}
            rows += compare(title, expected, part, ranked=ranked, lossy=lossy, column=case.column)
    return rows


def _steps(
    contract: Contract, inputs: Arrays, outputs: Mapping[str, NDArray[Any]]
) -> tuple[Case, dict[str, NDArray[Any]]] | None:
    """Single steps, and the beginning of the golden outputs that they have to give."""
    dims = [dim for dim in symbols(contract.inputs) if dim != BATCH]
    if not contract.state or not dims:
        return None
    case = stepwise(contract, inputs, inputs)
    expected = {name: np.take(outputs[name], range(len(case.calls)), axis) for name, axis in case.axes.items()}
    return (case, expected) if expected else None


def _given(case: Case, runner: Runner) -> Mapping[str, NDArray[Any]]:
    try:
        return case.run(runner)
    except Exception:  # noqa: BLE001 - any failure of a foreign runtime is a finding: every output is missing
        return {}


def _single(contract: Contract, inputs: Arrays) -> bool:
    return all(
        inputs[info.name].shape[info.shape.index(BATCH)] == 1 for info in contract.inputs if BATCH in info.shape
    )
