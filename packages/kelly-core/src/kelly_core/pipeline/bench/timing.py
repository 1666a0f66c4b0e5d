"""Timing calls block by block in turn, so that a change of load meets all alike; and the figures of it."""

from __future__ import annotations

import gc
import json
import platform
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kelly_core.contract import Contract, LatencyInfo
from kelly_core.errors import KellyError
from kelly_core.pipeline.bench.calls import Call, calls_of, open_runner, other_calls
from kelly_core.runtime import BUILTIN, runtime_for

if TYPE_CHECKING:
    from kelly_core.plugins import PluginHost
    from kelly_core.progress import Progress
    from kelly_core.workspace import Workspace

WARM_UP = 20
BLOCK = 20
"""Calls that follow each other. One before them isn't counted among them: caches hold other networks then."""
LONGEST_S = 20.0
"""A slow call gets fewer runs: all calls of a model together take about this long."""


@dataclass(frozen=True)
class Timed:
    """Times of one call.

    Attributes:
        runtime, what: As in `Call`.
        ms: (calls,) every time, in ms, sorted.
        after_others_ms: Median of those calls that came right after other networks'.
        cold: `load_ms`, `library_ms`, `first_ms`, `memory_mib`; empty for what isn't a runtime.
        counts: Whether the model's budget is for this call.
    """

    runtime: str
    what: str
    ms: NDArray[np.float64]
    after_others_ms: float
    cold: Mapping[str, float] = field(default_factory=dict)
    counts: bool = False

    def quantile(self, share: float) -> float:
        """The time that this share of the calls doesn't exceed, ms."""
        return float(np.quantile(self.ms, share))


@dataclass(frozen=True)
class ModelTimes:
    """Times of a model's runtimes.

    Attributes:
        name, model_id: The model.
        architecture_type: Its network.
        budget_ms: Of the model.
        rows: One for each call.
        not_run: Runtime -> why it wasn't timed.
        waited: Share of the time in which the processor was busy with something else.
    """

    name: str
    model_id: str
    architecture_type: str
    budget_ms: float
    rows: Sequence[Timed]
    not_run: Mapping[str, str]
    waited: float = 0.0

    def misses(self) -> list[str]:
        """Calls whose p99 exceeds the budget, in words; also that there was none to hold to it."""
        if not any(row.counts for row in self.rows):
            reasons = "; ".join(f"{runtime}: {reason}" for runtime, reason in self.not_run.items())
            reasons = reasons or f"no file is there, `kelly export {self.name}` writes one"
            return [f"{self.name}: nothing was timed that the budget is for ({reasons})"]
        return [
            f"{self.name}: {row.runtime}, {row.what}: p99 is {row.quantile(0.99):.3f} ms, "
            f"the budget is {self.budget_ms:g} ms"
            for row in self.rows
            if row.counts and row.quantile(0.99) > self.budget_ms
        ]


def time_model(
    workspace: Workspace,
    host: PluginHost,
    contract: Contract,
    name: str,
    wanted: Sequence[str],
    runs: int,
    progress: Progress,
) -> ModelTimes:
    """Time every runtime of a model that can be run here.

    Args:
        workspace: Where its files lie.
        host: Where runtimes are found.
        contract: Of the model.
        name: Its short name.
        wanted: Runtimes; empty for all.
        runs: Calls of each, after a warm-up.
        progress: Where the work reports.
    """
    calls: list[Call] = []
    not_run: dict[str, str] = {}
    cold: dict[str, Mapping[str, float]] = {}
    names = list(wanted or contract.artifacts)
    for runtime in progress.track(names, f"{name}: loading"):
        why_not = _why_not(host, runtime) if runtime in contract.artifacts else ""
        if why_not:
            not_run[runtime] = why_not
            continue
        runner = open_runner(workspace, host, contract, runtime)
        cold[runtime] = _cold(workspace, contract.model_id, runtime)
        calls += calls_of(contract, runtime, runner)
    counting = set(wanted) or _preferred(cold)
    times, waited = _in_turn([*other_calls(contract), *calls], runs, progress, name)
    live = _live_call(calls)
    rows = [
        Timed(
            call.runtime,
            call.what,
            ms,
            after_others,
            cold.get(call.runtime, {}),
            call.runtime in counting and call.what == live,
        )
        for call, ms, after_others in times
    ]
    about = name, contract.model_id, contract.architecture_type, contract.latency_budget_ms
    return ModelTimes(*about, rows, not_run, waited)


def figures(times: ModelTimes, hardware: str) -> list[LatencyInfo]:
    """What the contract keeps."""
    return [
        LatencyInfo(
            runtime=row.runtime,
            what=row.what,
            p50_ms=_rounded(row.quantile(0.5)),
            p99_ms=_rounded(row.quantile(0.99)),
            p999_ms=_rounded(row.quantile(0.999)),
            max_ms=_rounded(float(row.ms[-1])),
            calls=len(row.ms),
            after_others_ms=_rounded(row.after_others_ms),
            load_ms=row.cold.get("load_ms"),
            first_ms=row.cold.get("first_ms"),
            memory_mib=row.cold.get("memory_mib"),
            hardware=hardware,
        )
        for row in times.rows
    ]


def machine() -> dict[str, Any]:
    """What the figures were taken on."""
    from kelly_core.train.run_folder import processor

    versions = {}
    for name in ("numpy", "onnxruntime", "torch"):
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return {
        "processor": processor(),
        "platform": platform.platform(terse=True),
        "python": platform.python_version(),
        **versions,
    }


def _in_turn(
    calls: Sequence[Call], runs: int, progress: Progress, name: str
) -> tuple[list[tuple[Call, NDArray[np.float64], float]], float]:
    """Sorted ms of each call, `runs` of each, fewer of slow ones; with `after_others_ms`; and `waited`."""
    planned = []
    for call in calls:
        started = time.perf_counter()
        for _ in range(WARM_UP):
            call.run()
        usual = (time.perf_counter() - started) / WARM_UP
        planned.append(max(20, min(runs, round(LONGEST_S / len(calls) / max(usual, 1e-6)))))
    times: list[list[float]] = [[] for _ in calls]
    firsts: list[list[float]] = [[] for _ in calls]
    begun, computed = time.perf_counter(), time.process_time()
    gc.collect()
    gc.disable()  # a collection would be counted as the runtime's
    try:
        progress.say(f"{name}: timing {len(calls)} calls in turn")
        for done in range(0, max(planned, default=0), BLOCK):
            for at, call in enumerate(calls):
                if done < planned[at]:
                    firsts[at].append(_milliseconds(call))
                    times[at] += [_milliseconds(call) for _ in range(min(BLOCK, planned[at] - done))]
    finally:
        gc.enable()
    elapsed = time.perf_counter() - begun
    waited = max(0.0, 1.0 - (time.process_time() - computed) / elapsed)
    figures = zip(calls, map(np.sort, map(np.array, times)), map(float, map(np.median, firsts)), strict=True)
    return list(figures), waited


def _milliseconds(call: Call) -> float:
    started = time.perf_counter()
    call.run()
    return (time.perf_counter() - started) * 1000.0


def _cold(workspace: Workspace, model_id: str, runtime: str) -> dict[str, float]:
    arguments = [sys.executable, "-m", "kelly_core.pipeline.bench.cold"]
    arguments += [str(workspace.root), model_id, runtime]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["it says nothing"])[-1]
        raise KellyError(
            f"{runtime} can't be loaded in a process of its own: {last}",
            where=model_id,
            hint="look with `kelly verify`",
            code="failure.process",
        )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def _why_not(host: PluginHost, name: str) -> str:
    runtime = runtime_for(name, host)
    missing = runtime.missing()
    return f"it needs {' and '.join(missing)}" if missing else runtime.why_not()


def _preferred(names: Iterable[str]) -> set[str]:
    """What `kelly predict` takes, and compiled code; others are timed without being held to the budget."""
    there = list(names)
    first = next((name for name in BUILTIN if name in there), None)
    return {name for name in there if name in {first, "cpp"}}


def _live_call(calls: Sequence[Call]) -> str:
    """What a host calls while it plays: a step where there is one, else a window with its front end."""
    kinds = {call.what for call in calls}
    return next((what for what in ("step", "whole with front end", "whole") if what in kinds), "whole")


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")
