"""Checking artefacts later: checksum, golden vectors of the contract, and the checkpoint where it is there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from kelly_core.contract import ArtifactInfo, Contract
from kelly_core.errors import ContractError, KellyError
from kelly_core.runtime import BUILTIN, Runtime, runtime_for
from kelly_core.verify.cases import from_reset, parity_cases, random_inputs, ranked_outputs
from kelly_core.verify.parity import ParityReport, check_parity, compare

if TYPE_CHECKING:
    from kelly_core.export import Arrays, Runner
    from kelly_core.plugins import PluginHost
    from kelly_core.workspace import Workspace

CONTRACT_SUFFIX = ".contract.json"


def verify_artifact(path: Path, workspace: Workspace, host: PluginHost) -> ParityReport:
    """Re-check an artefact: checksum, interface, golden vectors, and the checkpoint if it is at hand.

    Args:
        path: The artefact.
        workspace: Where checkpoints lie, and contracts when none lies beside the artefact.
        host: Where runtimes of foreign formats are found.

    Returns:
        The report; a file that is damaged or doesn't open is a problem in it, not an exception.

    Raises:
        ContractError: There is no such file, or no contract that names it.
        MissingExtraError: The format's runtime isn't installed.
    """
    if not path.exists():
        raise ContractError("there is no such file", where=str(path), hint="check the name")
    contract, name = _contract_of(path, workspace)
    report = check_golden(path, contract, runtime_for(name, host))
    checkpoint = workspace.checkpoints(contract.model_id) / "best.pt"
    if report.passed and checkpoint.is_file() and find_spec("torch") is not None:
        report = _with_checkpoint(report, path, contract, runtime_for(name, host), checkpoint)
    return report


def verify_model(workspace: Workspace, host: PluginHost, model_id: str) -> list[ParityReport]:
    """Re-check every artefact that the model's contract names.

    Raises:
        ContractError: There is no contract, or it names no artefact.
        MissingExtraError: A format's runtime isn't installed.
    """
    place = workspace.contract(model_id)
    contract = Contract.load(place)
    if not contract.artifacts:
        raise ContractError(
            f"the contract of {model_id!r} names no artefact",
            where=str(place),
            hint=f"write one: `kelly export {model_id} --all`",
        )
    reports = []
    for info in contract.artifacts.values():
        path = workspace.models / info.file
        if path.exists():
            reports.append(verify_artifact(path, workspace, host))
        else:
            reports.append(ParityReport(str(path), "contract", (), ("the file is missing",)))
    return reports


def check_golden(path: Path, contract: Contract, runtime: Runtime) -> ParityReport:
    """Compare an artefact with its contract: checksum, tensor names, golden vectors.

    Raises:
        MissingExtraError: The runtime isn't installed.
    """
    report = ParityReport(str(path), "golden vectors", (), _checksum_problems(path, contract))
    try:
        runner = runtime.open(path, contract)
    except ContractError as error:
        return replace(report, problems=(*report.problems, error.message))
    golden = contract.golden_arrays()
    if not golden:
        return replace(report, problems=(*report.problems, "the contract holds no golden vectors"))
    ranked = ranked_outputs(contract)
    rows = []
    for case, (inputs, outputs) in golden.items():
        given = _outputs(runner, from_reset(contract, inputs))
        rows += compare(case, outputs, {name: given[name] for name in outputs if name in given}, ranked=ranked)
    return replace(report, rows=rows)


def _outputs(runner: Runner, inputs: Arrays) -> Mapping[str, NDArray[Any]]:
    try:
        return runner.run(inputs)
    except Exception:  # noqa: BLE001 - any failure of a foreign runtime is a finding: every output is missing
        return {}


def _checksum_problems(path: Path, contract: Contract) -> tuple[str, ...]:
    known = {info.file: info.sha256 for info in contract.artifacts.values()}
    actual = ArtifactInfo.of(path).sha256
    if actual in known.values():
        return ()
    if path.name not in known:
        return ("the contract doesn't name this file; it is of an earlier export",)
    return (f"its checksum {actual[:12]}… differs from the contract's {known[path.name][:12]}…",)


def _with_checkpoint(
    report: ParityReport, path: Path, contract: Contract, runtime: Runtime, checkpoint: Path
) -> ParityReport:
    """Add rows on fresh random inputs against the checkpoint, if it is the one the contract describes."""
    try:
        reference = BUILTIN["torch"].open(checkpoint, contract)
    except KellyError:
        return report  # trained on since, or the model's package isn't installed: the golden vectors decide
    cases = parity_cases(contract, random_inputs(contract, 1), random_inputs(contract, 3))
    cases = {f"random, {name}": inputs for name, inputs in cases.items()}
    more = check_parity(reference, runtime.open(path, contract), cases, ranked=ranked_outputs(contract))
    return replace(report, reference="golden vectors and checkpoint", rows=[*report.rows, *more.rows])


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
    )
