"""Verification: parity of two runners, the gate every export passes, checks of artefacts later."""

from kelly_core.verify.cases import from_reset, golden_inputs, parity_cases, random_inputs
from kelly_core.verify.gate import export_verified
from kelly_core.verify.models import check_golden, verify_artifact, verify_model
from kelly_core.verify.parity import ParityReport, ParityRow, check_parity

__all__ = [
    "ParityReport",
    "ParityRow",
    "check_golden",
    "check_parity",
    "export_verified",
    "from_reset",
    "golden_inputs",
    "parity_cases",
    "random_inputs",
    "verify_artifact",
    "verify_model",
]
