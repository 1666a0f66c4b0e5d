"""`kelly train`: one run from request to registered model."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from rich.console import Console

from kelly_core import __version__
from kelly_core.checkpoint import TrainedModel, load_trained
from kelly_core.config.resolve import dump
from kelly_core.data import Problem
from kelly_core.errors import DataError
from kelly_core.observers import Observers
from kelly_core.pipeline.prepare import Job
from kelly_core.pipeline.results import Results, draw_figures, measure
from kelly_core.progress import Progress
from kelly_core.task import Prepared
from kelly_core.train.device import DeviceChoice, choose_device, time_steps
from kelly_core.train.failures import InterruptedRunError
from kelly_core.train.loop import Fitted, Plan, fit
from kelly_core.train.order import BatchOrder
from kelly_core.train.run_folder import Run, environment, new_run
from kelly_core.train.view import NoView, View, make_view

SHOWN_PROBLEMS = 10
ACCELERATORS = {"cpu": "cpu", "mps": "mps", "cuda": "cuda"}


@dataclass(frozen=True)
class Outcome:
    """What a finished run gave.

    Attributes:
        run: Its folder.
        trained: The best weights, from `best.pt`.
        results: Figures of every split.
        prepared: The data, for whatever follows (parity on real clips).
        fitted: Best epoch and counters.
        seconds: Training time of this process.
        device: What it ran on.
    """

    run: Run
    trained: TrainedModel
    results: Results
    prepared: Prepared
    fitted: Fitted
    seconds: float
    device: DeviceChoice


def train(job: Job, console: Console, progress: Progress, observers: Observers) -> Outcome | None:
    """Prepare data, train, evaluate. Writes the run folder and checkpoints, nothing else.

    Returns:
        The outcome, or None in processes other than the first of several.

    Raises:
        KellyError: Anything that stopped it; the run folder says `failed` or `interrupted`.
    """
    prepared = job.prepare(progress, workers=os.cpu_count() or 1)
    _name_problems([*job.dataset.problems, *prepared.problems], progress)
    _check_same_data(job, prepared)
    device = _choose(job, prepared)
    batch_size = job.config.batch_size or device.batch_size
    progress.say(f"device {device.spec.name}: {device.reason}")
    if job.dataset.synthetic:
        progress.say("NOTE: the data is SYNTHETIC; figures say nothing about real recordings")
    fabric = Fabric(
        accelerator=ACCELERATORS.get(device.spec.name, device.spec.name),
        devices=job.config.devices,
        strategy="ddp" if job.config.devices > 1 and job.config.strategy == "auto" else job.config.strategy,
        precision=job.config.precision,
    )
    fabric.launch()
    run = _open_run(job, prepared, device, batch_size, first=fabric.is_global_zero)
    notify = _notifier(observers, run) if fabric.is_global_zero else _silent
    notify("kelly_run_started", config=dump(job.config))
    started = time.monotonic()
    try:
        fitted = _fit(job, prepared, run, fabric, batch_size, console, notify)
    except BaseException as error:
        status = "interrupted" if isinstance(error, (InterruptedRunError, KeyboardInterrupt)) else "failed"
        if fabric.is_global_zero:
            with suppress(OSError):  # a full disk must not hide what went wrong
                _close_run(run, status, error)
        notify("kelly_run_finished", status=status)
        raise
    if not fabric.is_global_zero:
        return None
    seconds = time.monotonic() - started
    trained = load_trained(
        job.workspace.checkpoints(job.spec.model_id) / "best.pt", job.host, name=job.spec.name
    )
    progress.say("evaluating")
    with torch.no_grad():
        results = measure(trained.task, trained.module, prepared.sources, job.config.seed)
    draw_figures(trained.task, results, run.folder / "figures")
    run.write("results.json", results.as_dict())
    _close_run(
        run, "finished", None, best_epoch=fitted.best_epoch, epochs=fitted.epochs, seconds=round(seconds, 1)
    )
    notify("kelly_run_finished", status="finished")
    return Outcome(run, trained, results, prepared, fitted, seconds, device)


def describe(job: Job, prepared: Prepared) -> dict[str, Any]:
    """What a dry run shows beside the configuration: parameters, steps, memory."""
    device = _choose(job, prepared)
    module = job.task.build(prepared.sources["train"])
    parameters = sum(parameter.numel() for parameter in module.parameters())
    batch_size = job.config.batch_size or device.batch_size
    train_source = prepared.sources["train"]
    batch = train_source.fetch(np.arange(min(batch_size, len(train_source))), None)
    batch_bytes = sum(tensor.numel() * tensor.element_size() for tensor in batch.values())
    return {
        "parameters": parameters,
        "device": {"name": device.spec.name, "reason": device.reason},
        "batch_size": batch_size,
        "steps_per_epoch": BatchOrder(len(train_source), batch_size, job.config.seed).steps,
        # Weights, gradients, two Adam moments, the average; activations of a small convolutional net take
        # some tens of times its input.
        "estimated_memory_bytes": parameters * 4 * 5 + batch_bytes * 40,
        "summary": dict(prepared.summary),
        "problems": [str(problem) for problem in prepared.problems],
    }


def _fit(
    job: Job,
    prepared: Prepared,
    run: Run,
    fabric: Fabric,
    batch_size: int,
    console: Console,
    notify: Callable[..., None],
) -> Fitted:
    train_source, validation = prepared.sources["train"], prepared.sources["validation"]
    resume = job.checkpoint
    steps = BatchOrder(len(train_source), batch_size, job.config.seed).steps
    view: View = make_view(job.config.epochs, steps, console, resume["epoch"] if resume else 0)
    plan = Plan(
        checkpoints=job.workspace.checkpoints(job.spec.model_id),
        folder=run.folder,
        batch_size=batch_size,
        identity=_identity(job, prepared, run, batch_size),
        notify=notify,
        view=view if fabric.is_global_zero else NoView(),
    )
    if resume is None and fabric.is_global_zero and plan.checkpoints is not None:
        for old in plan.checkpoints.glob("*.pt"):
            old.unlink()
    return fit(job.task, train_source, validation, plan, fabric, resume)


def _identity(job: Job, prepared: Prepared, run: Run, batch_size: int) -> dict[str, Any]:
    """What every checkpoint of the run says about itself."""
    return {
        "name": job.spec.name,
        "model_id": job.spec.model_id,
        "architecture_type": job.config.architecture_type,
        "config": {**dump(job.config), "batch_size": batch_size},
        "data": job.data,
        "dataset": job.dataset.name,
        "synthetic_data": job.dataset.synthetic,
        "data_hash": prepared.content_hash,
        "run_id": run.id,
        "kelly_version": __version__,
    }


def _open_run(job: Job, prepared: Prepared, device: DeviceChoice, batch_size: int, *, first: bool) -> Run:
    runs = job.workspace.runs
    if job.checkpoint is not None:
        run_id = job.checkpoint["run_id"]
        run = Run(run_id, runs / run_id, job.spec.model_id)
        run.folder.mkdir(parents=True, exist_ok=True)
    elif first:
        run = new_run(runs, job.spec.name, job.spec.model_id)
    else:
        return Run("", runs, job.spec.model_id)
    if first:
        owners = [e.distribution for e in job.host.entries if (e.kind, e.name) == ("model", job.spec.name)]
        facts = {
            "run_id": run.id,
            "status": "training",
            "model": job.spec.name,
            "started_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "resumed_at_epoch": job.checkpoint["epoch"] if job.checkpoint else None,
            "config": dump(job.config),
            "config_origins": {k: v for k, v in job.resolved.origins.items() if v != "package default"},
            "batch_size": batch_size,
            "device": {"name": device.spec.name, "reason": device.reason},
            "data": _data_facts(job, prepared),
            "environment": environment(owners),
        }
        run.write("run.json", facts)
        run.write("split.json", _split_paths(job))
    return run


def _close_run(run: Run, status: str, error: BaseException | None, **facts: Any) -> None:
    content = run.read("run.json")
    ended = datetime.now(UTC).isoformat(timespec="seconds")
    content |= {"status": status, "ended_at": ended, **facts}
    if error is not None:
        content["error"] = str(error) or type(error).__name__
    run.write("run.json", content)


def _data_facts(job: Job, prepared: Prepared) -> dict[str, Any]:
    return {
        "dataset": job.dataset.name,
        "root": str(job.dataset.root),
        "synthetic": job.dataset.synthetic,
        "licence": job.dataset.licence,
        "citation": job.dataset.citation,
        "group_kind": job.dataset.group_kind,
        "notes": list(job.dataset.notes),
        "content_hash": prepared.content_hash,
        "problems": [str(problem) for problem in [*job.dataset.problems, *prepared.problems]],
        **prepared.summary,
    }


def _split_paths(job: Job) -> dict[str, list[str]]:
    root = job.dataset.root
    return {
        side: [_below(job.dataset.items[int(i)].place, root) for i in indices]
        for side, indices in job.split.items()
    }


def _below(path: str, root: Path) -> str:
    return str(Path(path).relative_to(root)) if Path(path).is_relative_to(root) else path


def _name_problems(problems: Sequence[Problem], progress: Progress) -> None:
    for problem in problems[:SHOWN_PROBLEMS]:
        progress.say(f"left out: {problem}")
    if len(problems) > SHOWN_PROBLEMS:
        progress.say(f"left out: {len(problems) - SHOWN_PROBLEMS} more; `kelly data validate` names them all")


def _check_same_data(job: Job, prepared: Prepared) -> None:
    if job.checkpoint is not None and job.checkpoint["data_hash"] != prepared.content_hash:
        raise DataError(
            "the data is not what the run began with",
            where=str(job.dataset.root),
            hint="bring the old files back, or start a new run without --resume",
            code="data.changed",
        )


def _choose(job: Job, prepared: Prepared) -> DeviceChoice:
    batch_size = job.config.batch_size or 16
    key = f"{job.spec.model_id} {job.config.architecture_type} batch {batch_size}"

    def measured(device: str) -> float:
        return time_steps(job.task, prepared.sources["train"], batch_size, device)

    return choose_device(job.config.device, job.host, measured, key)


def _notifier(observers: Observers, run: Run) -> Callable[..., None]:
    def notify(hook: str, **arguments: Any) -> None:
        observers.call(hook, run=run, **arguments)

    return notify


def _silent(hook: str, **arguments: Any) -> None:
    """Processes other than the first tell nobody."""
