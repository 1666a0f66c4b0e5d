"""Rules about exporting a model."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from kelly_core.testing.rules import BrokenRuleError, NotApplicableError, rule
from kelly_core.testing.subject import Subject

if TYPE_CHECKING:
    from kelly_core.errors import FormatError

CALLS = 20


@rule(
    "model",
    why="what is shipped must compute what was trained",
    mend="see the case and output that differ; leave out of export_formats what can't carry the network",
    cost="trains",
)
def exports_pass_parity(subject: Subject) -> str:
    """Every declared format that is installed here computes what the trained model computes."""
    from kelly_core.pipeline.export import export_model, supported_formats

    formats = supported_formats(subject.model, subject.host)
    if not formats:
        raise NotApplicableError("no exporter of its formats is installed: pip install kelly-export")
    source = subject.prepared.sources.get("test") or subject.prepared.sources["validation"]
    refused: list[FormatError] = []
    folder = subject.workspace.root / "exports"
    results = export_model(
        subject.trained, subject.workspace, subject.host, formats, source, folder, refused=refused
    )
    if not results:
        raise BrokenRuleError(f"no format carries it; the first says: {refused[0]}")
    return ", ".join(f"{one.format} {one.report.verdict}" for one in results)


@rule(
    "model",
    why="Kelly's models run in real time; a figure is shown, and how fast this machine is decides nothing",
    mend="shrink the network, or state an honest latency_budget_ms",
    cost="trains",
)
def latency_is_reported(subject: Subject) -> str:
    """The network answers one item; the time is shown beside the budget."""
    from kelly_core.pipeline.contract import make_contract
    from kelly_core.runtime import ModuleRunner
    from kelly_core.verify import from_reset

    contract = make_contract(subject.trained, subject.entry.version)
    runner = ModuleRunner.of(subject.trained.task.export_module(subject.trained.module).eval(), contract)
    inputs = from_reset(contract, subject.examples[0])
    times = []
    for _ in range(CALLS):
        started = time.perf_counter()
        runner.run(inputs)
        times.append(1000 * (time.perf_counter() - started))
    budget = subject.model.latency_budget_ms
    return (
        f"{sorted(times)[CALLS // 2]:.2f} ms in PyTorch; the budget is {budget:g} ms (`kelly bench` measures)"
    )
