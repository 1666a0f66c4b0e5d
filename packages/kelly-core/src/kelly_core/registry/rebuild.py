"""The registry made anew from what lies on disk: run folders, contracts, artefacts."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from kelly_core.contract import Contract
from kelly_core.errors import ContractError, RegistryError
from kelly_core.registry.entries import FORMAT_OF_EXPORTER, Artifact, ModelEntry, Registry, Status
from kelly_core.registry.files import artifact, changed, file_ref, now, relative_to, with_artifacts
from kelly_core.registry.store import load_or_empty
from kelly_core.workspace import Workspace

log = logging.getLogger(__name__)
_WHOLE_ENTRY = "registry_entry"
"""Key of `run.json` under which training leaves the entry it registered."""


def rebuild(workspace: Workspace) -> Registry:
    """The registry that the workspace's files support; nothing is written.

    An entry starts from its newest run (the contract's own run where there is a contract), else from the old
    registry, else from the contract. Artefacts, contract, checkpoint and card are those on disk, with fresh
    checksums; `verified` survives only where the checksum did. Statuses of a readable old registry stay
    while their evidence does.
    """
    try:
        old = {entry.id: entry for entry in load_or_empty(workspace.registry).models}
    except RegistryError as error:
        log.warning("the old registry is left aside: %s", error.message)
        old = {}
    runs = _entries_of_runs(workspace.runs)
    contracts = _contracts(workspace.models)
    ids = dict.fromkeys([*old, *sorted({model_id for model_id, _ in runs}), *sorted(contracts)])
    models = [_entry(workspace, model_id, old.get(model_id), runs, contracts.get(model_id)) for model_id in ids]
    return Registry(models=models)


def _entry(
    workspace: Workspace,
    model_id: str,
    old: ModelEntry | None,
    runs: dict[tuple[str, str], ModelEntry],
    contract: Contract | None,
) -> ModelEntry:
    newest = [runs[key] for key in sorted(runs) if key[0] == model_id]
    own = runs.get((model_id, contract.run_id)) if contract else None
    base = own or (newest[-1] if newest else None) or old
    if base is None:
        assert contract is not None  # an id comes from one of the three
        base = _from_contract(contract)
    known = [made for entry in (old, base) if entry for made in entry.artifacts.values()]
    made = _artifacts(workspace, base, contract, known)
    entry = with_artifacts(base, made)
    entry = _with_files(workspace, entry)
    status = _status(entry, old)
    created = (old.created_at if old else None) or base.created_at or now()
    return changed(entry, status=status, created_at=created, updated_at=now())


def _with_files(workspace: Workspace, entry: ModelEntry) -> ModelEntry:
    """The entry with the contract, checkpoint, card and configuration that exist."""
    folder = workspace.models
    contract = workspace.contract(entry.id)
    checkpoint = workspace.checkpoints(entry.id) / "best.pt"
    card = workspace.cards / f"{entry.id}.md"
    return changed(
        entry,
        contract=file_ref(folder, contract) if contract.exists() else None,
        checkpoint=file_ref(folder, checkpoint) if checkpoint.exists() else None,
        card=relative_to(folder, card) if card.exists() else None,
        config=entry.config if entry.config and (folder / entry.config).exists() else None,
    )


def _artifacts(
    workspace: Workspace, base: ModelEntry, contract: Contract | None, known: list[Artifact]
) -> dict[str, Artifact]:
    """Artefacts on disk by exporter name; earlier verification counts while the checksum is the same."""
    exporter_of = {theirs: ours for ours, theirs in FORMAT_OF_EXPORTER.items()}
    files = {key.removesuffix("_path"): file for key, file in base.exports.items() if file}
    if base.file and base.format:
        files[exporter_of.get(base.format, base.format)] = base.file
    files |= {name: made.file for name, made in base.artifacts.items()}
    files |= {name: made.file for name, made in (contract.artifacts if contract else {}).items()}
    result = {}
    for name, file in files.items():
        path = workspace.models / file
        if path.exists():
            fresh = artifact(workspace.models, path)
            same = (made for made in known if made.sha256 == fresh.sha256 and made.file == fresh.file)
            result[name] = next(same, fresh)
    return result


def _status(entry: ModelEntry, old: ModelEntry | None) -> Status:
    result = bool(entry.file or entry.checkpoint)
    if old is None:
        return "trained" if result else "stub"
    if old.status in ("trained", "production") and not result:
        return "stub"
    if old.status == "stub" and result:
        return "trained"
    if old.status == "production":
        same = entry.artifacts.keys() == old.artifacts.keys()
        proven = same and all(made.verified for made in entry.artifacts.values())
        return "production" if proven else "trained"
    return old.status


def _from_contract(contract: Contract) -> ModelEntry:
    return ModelEntry(
        id=contract.model_id,
        file=None,
        format=None,
        task=contract.task,
        status="stub",
        model_version=contract.model_version,
        architecture_type=contract.architecture_type,
        parameters=contract.parameters,
        synthetic_data=contract.synthetic_data,
        run_id=contract.run_id,
    )


def _contracts(models: Path) -> dict[str, Contract]:
    result = {}
    for path in sorted(models.glob("*.contract.json")):
        try:
            contract = Contract.load(path)
        except ContractError as error:
            log.warning("%s", error)
            continue
        result[contract.model_id] = contract
    return result


def _entries_of_runs(runs: Path) -> dict[tuple[str, str], ModelEntry]:
    """Entries that finished runs left, by model id and run id; run ids sort by time."""
    result = {}
    for path in sorted(runs.glob("*/run.json")):
        try:
            summary: Any = json.loads(path.read_text(encoding="utf-8"))
            raw = summary.get(_WHOLE_ENTRY) if isinstance(summary, dict) else None
            if raw is not None:
                entry = ModelEntry.model_validate(raw)
                result[entry.id, path.parent.name] = entry
        except (OSError, ValueError, ValidationError) as error:
            log.warning("%s is left out: %s", path, str(error).splitlines()[0])
    return result
