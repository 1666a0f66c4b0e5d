"""One protocol, from request to report."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from kelly_core.config.resolve import dump
from kelly_core.data.discover import feature_cache_folder, open_dataset
from kelly_core.errors import UserError
from kelly_core.evaluate.folds import FoldJob, FoldResult, make_jobs, run_jobs
from kelly_core.evaluate.protocol import Protocol
from kelly_core.evaluate.protocol_report import ProtocolReport, make_report
from kelly_core.pipeline.prepare import Request, resolve_config
from kelly_core.plugins import PluginHost
from kelly_core.progress import Progress
from kelly_core.task import Context, Task
from kelly_core.workspace import Workspace


def run_protocol(
    protocol: Protocol,
    request: Request,
    workspace: Workspace,
    host: PluginHost,
    seeds: Sequence[int],
    processes: int | None,
    progress: Progress,
    arms: Sequence[str] = (),
) -> ProtocolReport:
    """Train and test every fold of every seed of every arm, several at once, each on one thread.

    Args:
        protocol: What is measured and how.
        request: Model, data and settings; what the protocol fixes wins over them.
        workspace: Where configuration and caches are found.
        host: Installed plugins.
        seeds: One training of every fold for each.
        processes: Folds at once; None for the number of CPUs.
        progress: Where folds report.
        arms: The protocol's arms to run; none named means all.

    Raises:
        UserError: The protocol has no such arm.
        ConfigError, DataError: The settings or the data don't fit.
    """
    spec = host.model(request.model)
    wanted = protocol.arm_settings()
    chosen = {name: wanted[name] for name in (arms or wanted) if _known(name, wanted, protocol)}
    processes = processes or os.cpu_count() or 1
    jobs: list[FoldJob] = []
    architectures: dict[str, str] = {}
    for name, settings in chosen.items():
        task, more = _arm_jobs(name, settings, protocol, request, workspace, host, seeds, processes, progress)
        architectures[name] = task.config.architecture_type
        jobs += more
    results: list[FoldResult] = []
    for result in progress.track(run_jobs(jobs, processes), f"{protocol.name}: folds", total=len(jobs)):
        score = task.metrics(result.test)[protocol.headline]
        place = f"{result.arm}: " if result.arm else ""
        progress.say(
            f"{place}seed {result.seed} fold {result.fold}: {protocol.headline} {score:.3f} "
            f"(epoch {result.best_epoch}, {result.seconds:.0f} s)"
        )
        results.append(result)
    return make_report(protocol, spec.name, architectures, results, task)


def _known(name: str, wanted: Mapping[str, Any], protocol: Protocol) -> bool:
    if name not in wanted:
        known = ", ".join(filter(None, wanted)) or "none"
        raise UserError(
            f"protocol {protocol.name!r} has no arm {name!r} (known: {known})",
            hint="leave --arm out for all",
            code="usage.protocol",
        )
    return True


def _arm_jobs(
    name: str,
    settings: Mapping[str, Any],
    protocol: Protocol,
    request: Request,
    workspace: Workspace,
    host: PluginHost,
    seeds: Sequence[int],
    processes: int,
    progress: Progress,
) -> tuple[Task[Any], list[FoldJob]]:
    """The task and the trainings of one arm."""
    spec = host.model(request.model)
    fixed = [f"{key}={json.dumps(value)}" for key, value in settings.items()]
    request = replace(request, sets=[*request.sets, *fixed])
    config = resolve_config(request, spec, workspace).config
    task: Task[Any] = spec.make_task(config)
    options = {**task.dataset_options(), **protocol.options}
    dataset = open_dataset(host, spec, request.data, protocol.dataset, workspace, config.data_root, options)
    cache = feature_cache_folder(workspace, config.data_root)
    jobs = make_jobs(protocol, spec, dump(config), dataset, seeds, cache, threads=1, arm=name)
    # Fill the cache once, with a progress bar, before the folds read it side by side.
    task.prepare(dataset, jobs[0].split, Context(cache, progress, processes))
    return task, jobs
