"""What goes into a package: files that verify now, and an entry, a contract and a card of them alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from kelly_core.cards import CardData, load_card_data
from kelly_core.contract import ArtifactInfo, Contract
from kelly_core.errors import ContractError, UserError
from kelly_core.pipeline.package.names import checked_name, checked_version, default_version, requirements
from kelly_core.pipeline.verify import TrainedEvidence
from kelly_core.registry import Artifact, ModelEntry, changed, find, load, with_artifacts
from kelly_core.verify import verify_model

if TYPE_CHECKING:
    from kelly_core.plugins import PluginHost
    from kelly_core.specs import ModelSpec
    from kelly_core.verify import ParityReport
    from kelly_core.workspace import Workspace

WITHOUT_TORCH = ("onnx", "rtneural")
"""Formats that go in unless others are asked for: what core itself runs where there is no torch."""
PACKED = ("trained", "production")


@dataclass(frozen=True)
class Plan:
    """A package before it is written.

    Attributes:
        spec: The model.
        workspace: Where its files are taken from.
        distribution, version: Of the package.
        requires: What it depends on, as `pip` reads it.
        files: Format -> artefact.
        reports: Format -> what verifying it just now gave.
        left_out: Format -> why it isn't packed although nothing says it is bad.
        contract: Of the packed files.
        card: What the card says; its entry is the package's.
        checkpoint: The weights as training left them, if they go in.
    """

    spec: ModelSpec
    workspace: Workspace
    distribution: str
    version: str
    requires: tuple[str, ...]
    files: Mapping[str, Path]
    reports: Mapping[str, ParityReport]
    left_out: Mapping[str, str]
    contract: Contract
    card: CardData
    checkpoint: Path | None

    @property
    def module(self) -> str:
        """The folder that is installed."""
        return self.distribution.replace("-", "_")


def plan_package(
    workspace: Workspace,
    host: PluginHost,
    model: str,
    formats: Sequence[str] | None = None,
    *,
    unrun: bool = False,
    checkpoint: bool = False,
    name: str | None = None,
    version: str | None = None,
) -> Plan:
    """Choose and verify what goes into a package; nothing is written.

    Args:
        workspace: Where the model lies.
        host: Where its plugin, runtimes and data are found.
        model: Any of its names.
        formats: Formats to pack; empty for every one; None for those of `WITHOUT_TORCH`, and for every one
            where none of them is there.
        unrun: Whether to pack files, too, that can't be run on this machine.
        checkpoint: Whether the weights as training left them go in.
        name: Of the package; None for `kelly-model-ID`.
        version: Of the package; None for one made from the model's version and the time of its training.

    Raises:
        UserError: The model isn't trained, or a name, version or format can't be used.
        ContractError: A file doesn't verify, or contract, registry and files disagree.
        RegistryError: The model isn't registered, or its run left no data for a card.
    """
    spec = host.model(model)
    spec.require_trainable("kelly package")
    entry = _trained_entry(workspace, spec)
    contract = _registered_contract(workspace, entry)
    chosen = _chosen(spec, contract, formats)
    evidence = TrainedEvidence(workspace, host)
    found = verify_model(workspace, host, spec.model_id, evidence, only=chosen)
    reports = dict(zip((name for name in contract.artifacts if name in chosen), found, strict=True))
    _refuse_failed(workspace, spec, reports)
    left_out = {} if unrun else {name: one.not_run for name, one in reports.items() if one.not_run}
    if left_out and formats:
        first, reason = next(iter(left_out.items()))
        raise UserError(
            f"the {first} file of {spec.name!r} wasn't run here: {reason}",
            where="--format",
            hint="verify it where it runs and pack it there, or pack it all the same with --with-unrun",
            code="usage.unrun",
        )
    packed = [name for name in reports if name not in left_out]
    if not packed:
        raise UserError(
            f"no file of {spec.name!r} can be run on this machine, so none is verified",
            where=str(workspace.models),
            hint=f"`kelly export {spec.name} --format onnx` writes one that can, or give --with-unrun",
            code="usage.unrun",
        )
    contract = _contract_of(contract, packed)
    entry = _entry_of(entry, contract, reports, checkpoint=checkpoint)
    card = load_card_data(workspace.runs / contract.run_id)
    distribution = checked_name(name or f"kelly-model-{spec.model_id}", host)
    return Plan(
        spec=spec,
        workspace=workspace,
        distribution=distribution,
        version=checked_version(version) if version else default_version(entry),
        requires=requirements(spec, host, contract.artifacts),
        files={name: workspace.models / info.file for name, info in contract.artifacts.items()},
        reports={name: reports[name] for name in packed},
        left_out=left_out,
        contract=contract,
        card=replace(card, entry=entry, contract=contract),
        checkpoint=_checkpoint(workspace, contract) if checkpoint else None,
    )


def _trained_entry(workspace: Workspace, spec: ModelSpec) -> ModelEntry:
    entry = find(load(workspace.registry), spec.model_id)
    if entry.status not in PACKED:
        again = f"`kelly registry set-status {spec.name} trained`"
        advice = again if entry.status == "deprecated" else f"`kelly train {spec.name}`"
        raise UserError(
            f"model {spec.name!r} is {entry.status!r}; only one that is {' or '.join(PACKED)} can be packed",
            where=str(workspace.registry),
            hint=f"{advice} first",
            code="usage.untrained",
        )
    return entry


def _registered_contract(workspace: Workspace, entry: ModelEntry) -> Contract:
    """The contract, if it is the one that the registry knows."""
    path = workspace.contract(entry.id)
    contract = Contract.load(path)
    if entry.contract is None or entry.contract.sha256 != ArtifactInfo.of(path).sha256:
        raise ContractError(
            "the registry knows another contract than this one",
            where=str(path),
            hint="`kelly registry rebuild`",
            code="contract.changed",
        )
    if not contract.artifacts:
        raise ContractError(
            f"{entry.id!r} has no exported file",
            where=str(path),
            hint=f"write one: `kelly export {entry.name or entry.id} --all`",
            code="contract.no-file",
        )
    return contract


def _chosen(spec: ModelSpec, contract: Contract, formats: Sequence[str] | None) -> Sequence[str]:
    for name in formats or ():
        if name not in contract.artifacts:
            raise UserError(
                f"there is no {name!r} file of {spec.name!r} (there: {', '.join(contract.artifacts)})",
                where="--format",
                hint=f"write one: `kelly export {spec.name} --format {name}`",
                code="usage.no-export",
            )
    usual = [name for name in WITHOUT_TORCH if name in contract.artifacts] if formats is None else formats
    return usual or list(contract.artifacts)


def _refuse_failed(workspace: Workspace, spec: ModelSpec, reports: Mapping[str, ParityReport]) -> None:
    failed = [
        f"{workspace.relative(Path(one.artifact))}: {'; '.join(one.failures())}"
        for one in reports.values()
        if one.failed
    ]
    if failed:
        raise ContractError(
            f"model {spec.name!r} isn't packed: not every file verifies:\n  " + "\n  ".join(failed),
            where=str(workspace.models),
            hint=f"`kelly verify {spec.name}` says more; `kelly export {spec.name} --all` writes them again",
            code="contract.unverified",
        )


def _contract_of(contract: Contract, packed: Sequence[str]) -> Contract:
    artifacts = {name: info for name, info in contract.artifacts.items() if name in packed}
    used = {info.interface for info in artifacts.values()}
    interfaces = {name: one for name, one in contract.interfaces.items() if name in used}
    return contract.model_copy(update={"artifacts": artifacts, "interfaces": interfaces})


def _entry_of(
    entry: ModelEntry, contract: Contract, reports: Mapping[str, ParityReport], *, checkpoint: bool
) -> ModelEntry:
    """The registry entry of the package; reference to the contract excepted, which isn't written yet."""
    made = {}
    for name, info in contract.artifacts.items():
        known = entry.artifacts.get(name)
        fresh = Artifact(**info.model_dump(include={"file", "sha256", "bytes"}))
        # When and how well it was verified stays what it was: packing a model twice gives the same bytes.
        same = known if known is not None and known.sha256 == info.sha256 else fresh
        made[name] = same.model_copy(update={"verified": reports[name].passed})
    kept = entry.checkpoint if checkpoint else None
    return changed(with_artifacts(entry, made), config=None, contract=None, checkpoint=kept)


def _checkpoint(workspace: Workspace, contract: Contract) -> Path:
    path = workspace.checkpoints(contract.model_id) / "best.pt"
    if not path.is_file() or ArtifactInfo.of(path).sha256 != contract.checkpoint_sha256:
        raise ContractError(
            "it isn't the checkpoint that the contract describes",
            where=str(path),
            hint=f"export it: `kelly export {contract.model_id} --all`, or leave out --with-checkpoint",
            code="contract.changed",
        )
    return path
