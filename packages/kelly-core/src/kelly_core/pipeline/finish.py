"""After training: contract, exports through the gate, registry entry, model card."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kelly_core.cards import CardData, Figure, data_summary, save_card_data, write_card
from kelly_core.config.resolve import dump
from kelly_core.contract import Contract
from kelly_core.errors import KellyError
from kelly_core.observers import Observers
from kelly_core.pipeline.export import ExportResult, entry_with_exports, export_model
from kelly_core.pipeline.prepare import Job, missing_exporters
from kelly_core.pipeline.results import Results
from kelly_core.pipeline.train import Outcome
from kelly_core.progress import Progress
from kelly_core.registry import (
    ModelEntry,
    Training,
    abandon_training,
    begin_training,
    file_ref,
    intervals,
    register,
    relative_to,
    update,
)


@dataclass(frozen=True)
class Finished:
    """A trained, measured, exported, registered and described model.

    Attributes:
        name: Short name of the model.
        headline: The metric that chose the epoch.
        results: Figures of every split.
        exports: Artefacts that passed the gate.
        places: What lies where, for people.
        run_id: The run.
    """

    name: str
    headline: str
    results: Results
    exports: Sequence[ExportResult]
    places: Sequence[tuple[str, str]]
    run_id: str

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "model": self.name,
            "run_id": self.run_id,
            "headline": self.headline,
            **self.results.as_dict(),
            "exports": [
                {"format": made.format, "path": str(made.path), **made.info.model_dump()}
                for made in self.exports
            ],
            "places": dict(self.places),
        }


@contextmanager
def registered_as_training(job: Job) -> Iterator[None]:
    """The registry says `training` meanwhile, and goes back to what it said if the run doesn't end well."""
    registry, spec = job.workspace.registry, job.spec
    update(registry, lambda old: begin_training(old, spec.model_id, name=spec.name, task=spec.task))
    try:
        yield
    except BaseException:
        update(registry, lambda old: abandon_training(old, spec.model_id))
        raise


def finish(job: Job, outcome: Outcome, progress: Progress, observers: Observers) -> Finished:
    """Export what was asked for, register the model, write its card.

    The model is registered and described even if an export fails the gate; the failure is raised last.
    """
    workspace, trained = job.workspace, outcome.trained
    sources = outcome.prepared.sources
    absent = missing_exporters(job.resolved, job.host)
    formats = [name for name in job.config.requested_exports() if name not in absent]
    for name in absent:
        progress.say(f"not exported: {name}; no installed package writes it")
    if formats:
        progress.say(f"exporting {', '.join(formats)}, each compared with the trained model on real items")
    failure: KellyError | None = None
    exports: list[ExportResult] = []
    try:
        exports = export_model(
            trained,
            workspace,
            job.host,
            formats,
            sources.get("test") or sources["validation"],
            observers=observers,
        )
    except KellyError as error:
        failure = error
    contract = Contract.load(workspace.contract(job.spec.model_id))
    entry = entry_with_exports(workspace, _entry(job, outcome, contract), contract, exports)
    outcome.run.write(
        "run.json", {**outcome.run.read("run.json"), "registry_entry": entry.model_dump(mode="json")}
    )
    register(workspace, entry)
    card_data = _card_data(job, outcome, entry, contract)
    save_card_data(outcome.run.folder, card_data)
    card = write_card(workspace, card_data)
    if failure is not None:
        raise failure
    return Finished(
        name=job.spec.name,
        headline=trained.task.monitor,
        results=outcome.results,
        exports=exports,
        places=_places(job, outcome, exports, card),
        run_id=outcome.run.id,
    )


def _entry(job: Job, outcome: Outcome, contract: Contract) -> ModelEntry:
    workspace, trained, results = job.workspace, outcome.trained, outcome.results
    meta, facts = trained.meta, outcome.run.read("run.json")
    folder = workspace.models
    return ModelEntry(
        id=job.spec.model_id,
        name=job.spec.name,
        file=None,
        format=None,
        task=job.spec.task,
        status="trained",
        training=Training(
            epochs=outcome.fitted.epochs,
            train_loss=_finite(meta["metrics"].get("train_loss")),
            val_loss=_finite(meta["val_loss"]),
            git_commit=facts["environment"]["git_commit"],
            training_date=datetime.now(UTC).isoformat(timespec="seconds"),
            seconds=round(outcome.seconds, 1),
        ),
        model_version=contract.model_version,
        architecture_type=str(meta["architecture_type"]),
        parameters=sum(parameter.numel() for parameter in trained.module.parameters()),
        synthetic_data=job.dataset.synthetic,
        dataset=job.dataset.name,
        data_hash=outcome.prepared.content_hash,
        run_id=outcome.run.id,
        config=relative_to(folder, outcome.run.folder / "run.json"),
        metrics={side: intervals(figures) for side, figures in results.metrics.items()},
        baselines={
            name: {results.measured_on: intervals(figures)} for name, figures in results.baselines.items()
        },
        checkpoint=file_ref(folder, trained.path),
        card=relative_to(folder, workspace.cards / f"{job.spec.model_id}.md"),
    )


def _card_data(job: Job, outcome: Outcome, entry: ModelEntry, contract: Contract) -> CardData:
    results, facts = outcome.results, outcome.run.read("run.json")
    environment = facts["environment"]
    figures = sorted((outcome.run.folder / "figures").glob("*.png"))
    return CardData(
        entry=entry,
        data=data_summary(facts["data"]),
        summary=job.spec.summary,
        contract=contract,
        measured_on=results.measured_on,
        variants={name: intervals(values) for name, values in results.variants.items()},
        breakdown=dict(results.breakdown),
        figures=tuple(
            Figure(
                _below(path, job.workspace.root),
                f"{path.stem.replace('_', ' ').capitalize()}, {results.measured_on}",
            )
            for path in figures
        ),
        limits=tuple(outcome.trained.task.limits()),
        config=dump(job.config),
        environment={
            "hardware": f"{environment['processor']}, {environment['cpu_count']} CPUs",
            "device": f"{facts['device']['name']} ({facts['device']['reason']})",
            "platform": environment["platform"],
            **environment["packages"],
        },
        command=environment["command"],
    )


def _places(job: Job, outcome: Outcome, exports: Sequence[ExportResult], card: Path) -> list[tuple[str, str]]:
    workspace = job.workspace
    places = [("checkpoint", outcome.trained.path)]
    places += [(made.format, made.path) for made in exports]
    places += [
        ("contract", workspace.contract(job.spec.model_id)),
        ("registry", workspace.registry),
        ("card", card),
        ("run", outcome.run.folder),
    ]
    return [(what, os.path.relpath(path)) for what, path in places]


def _below(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()


def _finite(value: float | None) -> float | None:
    return float(value) if value is not None and math.isfinite(value) else None
