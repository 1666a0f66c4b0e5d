"""Checking artefacts later: checksum, golden vectors of the contract, and the checkpoint where it is there."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kelly_core.contract import ArtifactInfo, Contract
from kelly_core.errors import ContractError, KellyError
from kelly_core.export import Inspection
from kelly_core.runtime import BUILTIN, Runtime, runtime_for
from kelly_core.verify.cases import Case, parity_cases, random_inputs, ranked_outputs
from kelly_core.verify.golden import golden_rows
from kelly_core.verify.parity import ParityReport, check_parity

if TYPE_CHECKING:
    from torch import nn

    from kelly_core.export import Arrays, Runner
    from kelly_core.plugins import PluginHost
    from kelly_core.workspace import Workspace

CONTRACT_SUFFIX = ".contract.json"


@dataclass(frozen=True)
class Evidence:
    """The trained network of a contract, and what to run on it.

    Attributes:
        module: In evaluation mode; takes the contract's feeds, gives its fetches.
        reference: What files are compared with: the module, or what its other interface is made of.
        cases: What to run, by name.
        inputs: What kind of inputs these are, for people: `"random inputs"`.
    """

    module: nn.Module
    reference: Runner
    cases: Mapping[str, Case | Arrays]
    inputs: str


FindEvidence = Callable[[Contract], Evidence | None]
"""The evidence for a contract; None where its checkpoint isn't there."""


def verify_artifact(
    path: Path, workspace: Workspace, host: PluginHost, evidence: FindEvidence | None = None
) -> ParityReport:
    """Re-check an artefact: checksum, interface, golden vectors, and the checkpoint if it is at hand.

    Args:
        path: The artefact.
        workspace: Where checkpoints lie, and contracts when none lies beside the artefact.
        host: Where runtimes of foreign formats are found.
        evidence: Finds the trained network and inputs; by default the checkpoint, on random inputs.

    Returns:
        The report; a file that is damaged or doesn't open is a problem in it, not an exception, and one whose
        runtime isn't here is not run.

    Raises:
        ContractError: There is no such file, or no contract that names it.
    """
    if not path.exists():
        raise ContractError(
            "there is no such file", where=str(path), hint="check the name", code="contract.no-file"
        )
    contract, name = _contract_of(path, workspace)
    contract = contract.of_artifact(name)
    runtime = runtime_for(name, host)
    found = evidence(contract) if evidence is not None else random_evidence(workspace, contract)
    report = check_golden(path, contract, runtime, found.module if found is not None else None)
    if found is None or report.failed or report.not_run:
        return report
    more = check_parity(
        found.reference,
        runtime.open(path, contract),
        found.cases,
        lossy=report.lossy,
        ranked=ranked_outputs(contract),
    )
    reference = f"golden vectors and checkpoint ({found.inputs})"
    return replace(report, reference=reference, rows=[*report.rows, *more.rows])


def verify_model(
    workspace: Workspace,
    host: PluginHost,
    model_id: str,
    evidence: FindEvidence | None = None,
    only: Collection[str] | None = None,
) -> list[ParityReport]:
    """Re-check every artefact that the model's contract names, in its order, or `only` these formats.

    Raises:
        ContractError: There is no contract, or it names no artefact.
    """
    place = workspace.contract(model_id)
    contract = Contract.load(place)
    if not contract.artifacts:
        raise ContractError(
            f"the contract of {model_id!r} names no artefact",
            where=str(place),
            hint=f"write one: `kelly export {model_id} --all`",
            code="contract.missing",
        )
    reports = []
    for name, info in contract.artifacts.items():
        if only is not None and name not in only:
            continue
        path = workspace.models / info.file
        if path.exists():
            reports.append(verify_artifact(path, workspace, host, evidence))
        else:
            reports.append(ParityReport(str(path), "contract", (), ("the file is missing",)))
    return reports


def check_golden(
    path: Path, contract: Contract, runtime: Runtime, module: nn.Module | None = None
) -> ParityReport:
    """Compare an artefact with its contract: checksum, what inspection tells, tensor names, golden vectors.

    Args:
        path: The artefact.
        contract: What it promises.
        runtime: What opens it.
        module: The trained network, for inspection; None where it isn't at hand.
    """
    lossy = next((info.lossy for info in contract.artifacts.values() if info.file == path.name), 0.0)
    report = ParityReport(str(path), "golden vectors", (), _checksum_problems(path, contract), lossy=lossy)
    missing = runtime.missing()
    if missing:
        return replace(report, not_run=f"it needs {' and '.join(missing)}, which isn't installed")
    found = _inspection(path, contract, runtime, module)
    report = replace(report, problems=(*report.problems, *found.problems), facts=tuple(found.facts))
    why_not = runtime.why_not()
    if why_not:
        return replace(report, not_run=why_not)
    try:
        runner = runtime.open(path, contract)
    except ContractError as error:
        return replace(report, problems=(*report.problems, error.message))
    rows = golden_rows(contract, runner, lossy)
    if not rows:
        return replace(report, problems=(*report.problems, "the contract holds no golden vectors"))
    return replace(report, rows=rows)


def random_evidence(workspace: Workspace, contract: Contract) -> Evidence | None:
    """The checkpoint, if it is the one that the contract describes, and seeded random inputs.

    Of files with another interface there is none: what it is made of is the model package's affair.
    """
    checkpoint = workspace.checkpoints(contract.model_id) / "best.pt"
    if contract.interface or not checkpoint.is_file() or find_spec("torch") is None:
        return None
    try:
        reference: Any = BUILTIN["torch"].open(checkpoint, contract)
    except KellyError:
        return None  # trained on since, or the model's package isn't installed: the golden vectors decide
    cases = parity_cases(contract, random_inputs(contract, 1), random_inputs(contract, 3))
    named = {f"random, {name}": case for name, case in cases.items()}
    return Evidence(reference.module, reference, named, "random inputs")


def _inspection(path: Path, contract: Contract, runtime: Runtime, module: nn.Module | None) -> Inspection:
    try:
        return runtime.inspection(path, contract, module)
    except KellyError as error:
        return Inspection((error.message,))


def _checksum_problems(path: Path, contract: Contract) -> tuple[str, ...]:
    known = {info.file: info.sha256 for info in contract.artifacts.values()}
    actual = ArtifactInfo.of(path).sha256
    if actual in known.values():
        return ()
    if path.name not in known:
        return ("the contract doesn't name this file; it is of an earlier export",)
    return (f"its checksum {actual[:12]}… differs from the contract's {known[path.name][:12]}…",)


def _contract_of(path: Path, workspace: Workspace) -> tuple[Contract, str]:
    """The contract that names this file, or a file of the same content, and the name of its format."""
    beside = sorted(path.parent.glob(f"*{CONTRACT_SUFFIX}"))
    elsewhere = [p for p in sorted(workspace.models.glob(f"*{CONTRACT_SUFFIX}")) if p not in beside]
    contracts = [Contract.load(place) for place in beside]
    for contract in contracts:
        for name, info in contract.artifacts.items():
            if info.file == path.name:
                return contract, name
    actual = ArtifactInfo.of(path).sha256
    for contract in (*contracts, *map(Contract.load, elsewhere)):
        for name, info in contract.artifacts.items():
            if info.sha256 == actual:
                return contract, name
    raise ContractError(
        "no contract names this file",
        where=str(path),
        hint="keep an artefact beside its MODEL.contract.json, or export the model again",
        code="contract.missing",
    )
