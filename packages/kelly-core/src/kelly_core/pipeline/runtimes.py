"""`kelly evaluate --runtime`: the same metric on exported files, beside their size and speed."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kelly_core.contract import ArtifactInfo, Contract
from kelly_core.deployed import Deployed
from kelly_core.errors import ContractError, UserError
from kelly_core.evaluate.intervals import Interval, bootstrap, paired
from kelly_core.export import Arrays, Runner
from kelly_core.pipeline.measure import prepared_sources
from kelly_core.plugins import PluginHost
from kelly_core.progress import Progress
from kelly_core.runtime import ModuleRunner, runtime_for
from kelly_core.specs import ModelSpec
from kelly_core.task import Interface, Predictions, Task
from kelly_core.verify import from_reset
from kelly_core.workspace import Workspace

TRAINED = "torch"
"""Name of the trained network itself."""
CALLS = 200
"""Calls that are timed."""


@dataclass(frozen=True)
class RuntimeFigures:
    """What one runtime reached.

    Attributes:
        runtime: Name of the exporter, or `TRAINED`.
        not_run: Why it can't be measured on this machine; empty where it was.
        bytes: Size of the file; None for the trained network.
        ms: Median time of a call with the contract's example, one item, one thread.
        metrics: metric -> figure with its interval over groups.
        change: metric -> figure minus the trained network's, paired over the same groups.
    """

    runtime: str
    not_run: str = ""
    bytes: int | None = None
    ms: float | None = None
    metrics: Mapping[str, Interval] | None = None
    change: Mapping[str, Interval] | None = None

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        plain = {
            name: {metric: one.as_json() for metric, one in (figures or {}).items()}
            for name, figures in (("metrics", self.metrics), ("change", self.change))
        }
        return {"runtime": self.runtime, "not_run": self.not_run, "bytes": self.bytes, "ms": self.ms, **plain}


def measure_runtimes(
    spec: ModelSpec,
    workspace: Workspace,
    host: PluginHost,
    names: Sequence[str],
    data: str | None,
    dataset_name: str | None,
    progress: Progress,
) -> dict[str, Any]:
    """Metrics of exported files on the test side of the split, or on other data; the trained network first.

    Args:
        spec: The model.
        workspace: Where its files lie.
        host: Installed plugins.
        names: Runtimes; `"all"` for every file that the contract names.
        data: Other data, all of it test data; None for the test side that the model was trained with.
        dataset_name: Dataset plugin that reads `data`; None asks each.
        progress: Where the work reports.

    Raises:
        ContractError, UserError: A runtime has no file, or the files are of another checkpoint.
    """
    contract = Contract.load(workspace.contract(spec.model_id))
    chosen = list(contract.artifacts) if "all" in names else [name for name in names if name != TRAINED]
    absent = [name for name in chosen if name not in contract.artifacts]
    if absent:
        there = ", ".join(contract.artifacts) or "none"
        raise UserError(
            f"there is no {absent[0]!r} file of {spec.name!r} (there: {there})",
            where="--runtime",
            hint=f"write one: `kelly export {spec.name} --format {absent[0]}`",
            code="usage.no-export",
        )
    trained, dataset, sources = prepared_sources(
        spec, workspace, host, data, dataset_name, None, progress, sides=("test",)
    )
    if trained.sha256 != contract.checkpoint_sha256:
        raise ContractError(
            "the exported files are of an earlier checkpoint",
            where=str(workspace.contract(spec.model_id)),
            hint=f"export it again: `kelly export {spec.name} --all`",
            code="contract.changed",
        )
    side = "test" if "test" in sources else next(iter(sources))
    task, source = trained.task, sources[side]
    example = from_reset(contract, task.example_inputs(source, 1))
    module = task.export_module(trained.module).eval()
    said = task.predict(trained.module, source, 256)
    rows = [_figures(TRAINED, task, said, said, None, ModuleRunner.of(module, contract), example)]
    rows += [
        _row(name, contract, workspace, host, trained, source, said, example)
        for name in progress.track(chosen, "measuring exported files")
    ]
    return {
        "model": spec.name,
        "dataset": dataset.name,
        "synthetic": dataset.synthetic,
        "measured_on": side,
        "items": len(said.targets),
        "headline": task.monitor,
        "runtimes": [row.as_dict() for row in rows],
    }


def _row(
    name: str,
    contract: Contract,
    workspace: Workspace,
    host: PluginHost,
    trained: Any,
    source: Any,
    said: Predictions,
    example: Arrays,
) -> RuntimeFigures:
    runtime, info = runtime_for(name, host), contract.artifacts[name]
    missing, why_not = runtime.missing(), ""
    why_not = f"it needs {' and '.join(missing)}" if missing else runtime.why_not()
    task = trained.task
    view = task.other_interface(info.interface, trained.module) if info.interface else None
    if view is not None and view.module is not trained.module:
        why_not = "it doesn't take what the metric is computed from"
    if why_not:
        return RuntimeFigures(name, why_not, info.bytes)
    path: Path = workspace.models / info.file
    if not path.exists() or ArtifactInfo.of(path).sha256 != info.sha256:
        raise ContractError(
            "it isn't the file that was exported",
            where=str(path),
            hint="look with `kelly verify`",
            code="contract.changed",
        )
    runner = runtime.open(path, contract.of_artifact(name), 1)
    if view is not None:
        whole = Deployed(runner, Interface(inputs=list(view.inputs), outputs=list(view.outputs)))
        deployed, example = whole, view.example(source, 1)
    else:
        deployed = task.deployed(trained.module, runner)
    given = task.predict(deployed.eval(), source, 256)
    return _figures(name, task, given, said, info.bytes, runner, example)


def _figures(
    name: str,
    task: Task[Any],
    given: Predictions,
    said: Predictions,
    size: int | None,
    runner: Runner,
    example: Arrays,
) -> RuntimeFigures:
    return RuntimeFigures(
        name,
        bytes=size,
        ms=median_ms(runner, example),
        metrics=bootstrap(given, task.metrics, sums=task.sums),
        change=paired(given, said, task.metrics, sums=task.sums),
    )


def median_ms(runner: Runner, inputs: Arrays, calls: int = CALLS) -> float:
    """Median time of a call, ms; at most about a second is spent."""
    times: list[float] = []
    begun = time.perf_counter()
    while len(times) < calls and (len(times) < 5 or time.perf_counter() - begun < 1.0):
        started = time.perf_counter()
        runner.run(inputs)
        times.append((time.perf_counter() - started) * 1000.0)
    return round(float(np.median(times)), 4)
