"""Exporting a trained model: bundle, contract, gate, one format after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kelly_core.chain import Chain, refusal
from kelly_core.contract import ArtifactInfo, Contract
from kelly_core.errors import FormatError, KellyError, MissingExtraError
from kelly_core.export import ExportBundle
from kelly_core.pipeline.contract import file_metadata, make_contract, with_golden
from kelly_core.pipeline.interfaces import bundle_with
from kelly_core.verify import Case, ParityReport, export_verified, parity_cases, random_inputs

if TYPE_CHECKING:
    from kelly_core.checkpoint import TrainedModel
    from kelly_core.observers import Observers
    from kelly_core.plugins import PluginHost
    from kelly_core.registry import ModelEntry, Registry
    from kelly_core.specs import ExporterSpec, ModelSpec
    from kelly_core.task import Source
    from kelly_core.workspace import Workspace

EXAMPLES = 3
"""Real items that parity needs."""


@dataclass(frozen=True)
class ExportResult:
    """One artefact that passed the gate.

    Attributes:
        format: Name of the exporter.
        path: The artefact.
        info: Its checksum and size, as in the contract.
        report: The comparison with the trained model.
        real_inputs: Whether it was compared on recordings, not on random inputs.
    """

    format: str
    path: Path
    info: ArtifactInfo
    report: ParityReport
    real_inputs: bool


def export_model(
    trained: TrainedModel,
    workspace: Workspace,
    host: PluginHost,
    formats: Sequence[str],
    source: Source | None = None,
    out_dir: Path | None = None,
    observers: Observers | None = None,
    refused: list[FormatError] | None = None,
) -> list[ExportResult]:
    """Write a model in every format asked for, each only if it computes what the trained model computes.

    The contract is written even if no format is asked for, and again after each format, so that it always
    tells the truth about what lies beside it. Artefacts of the same checkpoint in other formats stay in it;
    those of an earlier checkpoint leave it.

    Args:
        trained: The model.
        workspace: Where artefacts go unless `out_dir` says otherwise.
        host: Where exporters are found.
        formats: Names of exporters.
        source: Real items for parity and golden vectors; None takes seeded random ones.
        out_dir: Another folder; its artefacts and contract don't touch the workspace.
        observers: Told of each artefact.
        refused: Takes the reasons of formats that can't carry this network; without it they are raised.

    Raises:
        PluginError, MissingExtraError: An exporter isn't installed; nothing is written then.
        FormatError: A format can't carry this network; the others were still tried and are in place.
        ParityError: A format failed; the others were still tried and are in place.
    """
    exporters = [_installed(host, name) for name in dict.fromkeys(formats)]
    folder = out_dir or workspace.models
    place = folder / workspace.contract(trained.spec.model_id).name
    bundle, cases = _bundle(trained, _version(host, trained.spec), source)
    contract = bundle.contract.model_copy(update=_still_valid(place, bundle.contract))
    shipped = workspace.checkpoints(trained.spec.model_id) / "best.pt"
    if trained.path.resolve() == shipped or not place.exists():
        contract.save(place)  # it describes the weights that stand, exported or not
    results: list[ExportResult] = []
    failures: list[KellyError] = []
    for exporter in exporters:
        path = folder / f"{trained.spec.model_id}{exporter.suffix}"
        try:
            given = bundle, cases
            if exporter.interface:
                kept = replace(bundle, contract=contract)
                given = bundle_with(exporter.interface, trained.task, trained.module, kept, source, EXAMPLES)
                contract = contract.model_copy(update={"interfaces": given[0].contract.interfaces})
            info, report = export_verified(given[0], exporter, path, given[1])
        except KellyError as error:
            if refused is not None and isinstance(error, FormatError):
                refused.append(error)
            else:
                failures.append(error)
            continue
        contract = contract.model_copy(update={"artifacts": {**contract.artifacts, exporter.name: info}})
        contract.save(place)
        results.append(ExportResult(exporter.name, path, info, report, source is not None))
        if observers is not None:
            observers.call("kelly_export_verified", artifact=path, report=report)
    if failures:
        raise failures[0]
    return results


def supported_formats(spec: ModelSpec, host: PluginHost) -> list[str]:
    """The formats known to carry this model whose exporters are installed here and work, for `--all`."""
    declared = {entry.name for entry in host.entries if entry.kind == "exporter"}
    return [name for name in spec.export_formats if name in declared and not _missing(host.exporter(name))]


def example_source(
    trained: TrainedModel,
    workspace: Workspace,
    host: PluginHost,
    data: str | None = None,
    dataset: str | None = None,
) -> Source | None:
    """A few real items of the data the model was trained on, its test side first.

    Args:
        trained: The model.
        workspace: Where the data root and the feature cache lie.
        host: Where dataset plugins are found.
        data: Other data: a folder or `"demo"`; None takes what the run used.
        dataset: Dataset plugin that reads `data`; None asks each whether it knows the layout.

    Returns:
        The items, or None when the run's data is no longer there.

    Raises:
        DataError, PluginError: `data` was given and can't be read.
    """
    from kelly_core.data.discover import feature_cache_folder, open_dataset
    from kelly_core.data.splits import split_items
    from kelly_core.task import Context

    config = trained.task.config
    chosen = data if data is not None else trained.meta.get("data")
    name = dataset or (config.dataset if data is not None else trained.meta.get("dataset"))
    options = trained.task.dataset_options()
    try:
        opened = open_dataset(host, trained.spec, chosen, name, workspace, config.data_root, options)
        split = {side: _spread(part) for side, part in split_items(opened.items, config.split).items()}
        cache = feature_cache_folder(workspace, config.data_root)
        sources = trained.task.prepare(opened, split, Context(cache)).sources
    except KellyError:
        if data is not None:
            raise
        return None
    return sources.get("test") or sources.get("validation")


def record_exports(workspace: Workspace, model_id: str, results: Sequence[ExportResult]) -> None:
    """Enter new artefacts of an already registered model into the registry, under its lock.

    Artefacts that the contract no longer names leave the entry.

    Raises:
        RegistryError: The model isn't registered, or the registry is faulty.
    """
    from kelly_core.registry import find, update

    contract = Contract.load(workspace.contract(model_id))

    def change(registry: Registry) -> Registry:
        from kelly_core.registry.lookup import replaced

        return replaced(registry, entry_with_exports(workspace, find(registry, model_id), contract, results))

    update(workspace.registry, change)


def entry_with_exports(
    workspace: Workspace, entry: ModelEntry, contract: Contract, results: Sequence[ExportResult]
) -> ModelEntry:
    """A registry entry with the artefacts of a contract, those just verified marked so."""
    from kelly_core.registry import artifact, changed, file_ref, with_artifacts

    folder = workspace.models
    made = {
        result.format: artifact(
            folder,
            result.path,
            verified=result.report.passed,
            max_abs_diff=result.report.max_abs if result.report.passed else None,
        )
        for result in results
    }
    kept = {
        name: old
        for name, old in entry.artifacts.items()
        if name in contract.artifacts and contract.artifacts[name].sha256 == old.sha256
    }
    reference = file_ref(folder, workspace.contract(entry.id))
    return changed(with_artifacts(entry, {**kept, **made}), contract=reference)


def _bundle(trained: TrainedModel, version: str, source: Source | None) -> tuple[ExportBundle, dict[str, Case]]:
    module = trained.task.export_module(trained.module).eval()
    chain = _chain(trained)
    info = chain.info if isinstance(chain, Chain) else None
    bare = make_contract(trained, version).model_copy(update={"chain": info})
    if source is not None:
        single, triple = (trained.task.example_inputs(source, batch) for batch in (1, EXAMPLES))
    else:
        single, triple = (random_inputs(bare, batch) for batch in (1, EXAMPLES))
    contract = with_golden(bare, module, single, triple)
    cases = parity_cases(contract, single, triple, trained.task.extreme_inputs())
    return ExportBundle(module, contract, cases["batch 1"].inputs, file_metadata(contract), chain), cases


def _chain(trained: TrainedModel) -> Chain | FormatError:
    """The network as a chain of layers, or what to say where a format needs one."""
    setting = trained.task.chain_setting
    hint = "another format carries it, e.g. onnx"
    if setting:
        hint = f"train one that fits, `kelly train {trained.spec.name} --set {setting}`, or export onnx"
    try:
        chain = trained.task.chain(trained.module)
    except FormatError as error:
        return FormatError(error.message, where=error.where, hint=error.hint or hint, code=error.code)
    return chain or refusal(trained.task.export_module(trained.module), hint)


def _still_valid(place: Path, contract: Contract) -> dict[str, Any]:
    """Artefacts of an existing contract of the same checkpoint, as far as they still stand, and its figures."""
    try:
        old = Contract.load(place)
    except KellyError:
        return {}
    if old.checkpoint_sha256 != contract.checkpoint_sha256:
        return {}
    artifacts = {
        name: info
        for name, info in old.artifacts.items()
        if (place.parent / info.file).exists()
        and ArtifactInfo.of(place.parent / info.file).sha256 == info.sha256
    }
    used = {info.interface for info in artifacts.values()}
    interfaces = {name: one for name, one in old.interfaces.items() if name in used}
    return {"artifacts": artifacts, "latency": old.latency, "interfaces": interfaces}


def _installed(host: PluginHost, name: str) -> ExporterSpec:
    spec = host.exporter(name)
    missing = _missing(spec)
    if missing:
        raise MissingExtraError(
            f"exporting {name} needs {' and '.join(missing)}, which isn't installed",
            where=f"--format {name}",
            hint=spec.install_hint or "install it",
            code="missing-extra.exporter",
        )
    return spec


def _missing(spec: ExporterSpec) -> list[str]:
    return [module for module in spec.modules if find_spec(module) is None]


def _version(host: PluginHost, spec: ModelSpec) -> str:
    versions = [entry.version for entry in host.entries if entry.kind == "model" and entry.name == spec.name]
    return versions[0] if versions else "0"


def _spread(indices: NDArray[np.int64]) -> NDArray[np.int64]:
    """A few positions, spread over the whole: datasets are sorted, so that neighbours are alike."""
    chosen = np.linspace(0, len(indices) - 1, min(EXAMPLES, len(indices))).astype(np.int64)
    return np.asarray(indices[chosen])
