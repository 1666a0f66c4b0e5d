"""Verification: parity of two runners, the gate every export passes, checks of artefacts later."""

from kelly_core.verify.cases import (
    COLUMNS,
    Case,
    from_reset,
    golden_inputs,
    parity_cases,
    random_inputs,
    stepwise,
)
from kelly_core.verify.gate import export_verified
from kelly_core.verify.golden import golden_rows
from kelly_core.verify.matrix import Cell, cells_of, matrix
from kelly_core.verify.models import (
    Evidence,
    FindEvidence,
    check_golden,
    random_evidence,
    verify_artifact,
    verify_model,
)
from kelly_core.verify.parity import ParityReport, ParityRow, check_parity

__all__ = [
    "COLUMNS",
    "Case",
    "Cell",
    "Evidence",
    "FindEvidence",
    "ParityReport",
    "ParityRow",
    "cells_of",
    "check_golden",
    "check_parity",
    "export_verified",
    "from_reset",
    "golden_inputs",
    "golden_rows",
    "matrix",
    "parity_cases",
    "random_evidence",
    "random_inputs",
    "stepwise",
    "verify_artifact",
    "verify_model",
]
