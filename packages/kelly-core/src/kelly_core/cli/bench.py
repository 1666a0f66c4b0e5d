"""`kelly bench`: latency of exported files, as a table, a picture, JSON, and a gate."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kelly_core.cli import console
from kelly_core.cli.complete import complete_exporter, complete_model

if TYPE_CHECKING:
    from kelly_core.pipeline.bench.timing import ModelTimes
    from kelly_core.plugins import PluginHost
    from kelly_core.trained import Home
    from kelly_core.workspace import Workspace

BUSY = 0.1
"""Share of the time spent waiting for the processor from which the figures are about the machine."""


def command(
    models: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[MODEL]...",
            help="Names of models (default: every exported or installed one).",
            autocompletion=complete_model,
        ),
    ] = None,
    *,
    runtimes: Annotated[
        list[str] | None,
        typer.Option(
            "--runtime",
            help="Only this runtime, held to the budget; repeatable.",
            autocompletion=complete_exporter,
        ),
    ] = None,
    runs: Annotated[int, typer.Option(min=20, help="Calls of each; fewer of slow ones.")] = 2000,
    gate: Annotated[bool, typer.Option("--gate", help="End with 1 when p99 misses the budget.")] = False,
    picture: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw the distributions there (PNG, SVG).")
    ] = None,
    against: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Compare with the JSON of an earlier run.")
    ] = None,
    record: Annotated[
        bool, typer.Option("--record/--no-record", help="Keep the figures in contract and model card.")
    ] = True,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Time exported files: one thread, batch 1, from Python, warm, all in turn.

    \b
    Whole sequences and single steps with state, with and without the front end, beside an empty graph that
    shows what the call itself costs. The budget is for the call that a host makes while it plays, in the
    runtime that `kelly predict` takes and in compiled code; with --runtime, in those named. Nothing is
    recorded of models from installed packages.

    \b
    Examples:
      kelly bench
      kelly bench emotion --runtime onnx --gate
      kelly bench --json > today.json; kelly bench --against yesterday.json
      kelly bench --picture latency.png
    """  # noqa: D301 - \b is the character that keeps these lines apart
    from kelly_core.pipeline.bench.report import as_dict, compared, draw
    from kelly_core.pipeline.bench.timing import machine

    host, found = console.host(), machine()
    homes = _homes(host, console.workspace(), models or [])
    measured = _measure(host, homes, runtimes or [], runs)
    report = as_dict(measured, found, runs)
    if record:
        _record(homes, measured, str(found["processor"]))
    if picture is not None:
        draw(measured, picture, found)
        console.note(f"wrote {picture}")
    rows = [] if against is None else compared(report, against)
    if json:
        console.print_json(report)
    else:
        _show(measured, found)
        if against is not None:
            console.say()
            console.table(("model", "runtime", "call", "p50 ms", "p99 ms"), rows)
    for times in measured:
        if times.waited > BUSY:
            console.warn(
                f"{times.name}: other programs took {times.waited:.0%} of the time; the tails are theirs"
            )
    misses = [line for times in measured for line in times.misses()]
    for line in misses:
        if gate:
            console.fail(line, "failure.budget")
        else:
            console.warn(line)
    if gate and misses:
        raise typer.Exit(1)


def _homes(host: PluginHost, place: Workspace, names: list[str]) -> dict[Home, str]:
    """Where the files of each model lie, and its name as it was given; without names those of every model."""
    from kelly_core.errors import UserError
    from kelly_core.trained import all_homes, require_home

    if names:
        return {require_home(name, place, host, "kelly bench"): name for name in names}
    found = all_homes(place)
    if not found:
        raise UserError(
            "there is no exported model",
            where=str(place.models),
            hint="train and export one: `kelly train emotion --data demo --export-onnx`",
            code="usage.no-export",
        )
    return {home: _short(host, home.model_id) for home in found}


def _measure(host: PluginHost, homes: dict[Home, str], runtimes: list[str], runs: int) -> list[ModelTimes]:
    from kelly_core.pipeline.bench.timing import time_model

    measured = []
    with console.progress() as progress:
        for home, name in homes.items():
            contract = home.contract()
            measured.append(time_model(home.workspace, host, contract, name, runtimes, runs, progress))
    return measured


def _short(host: PluginHost, model_id: str) -> str:
    from kelly_core.errors import PluginError

    try:
        return host.model(model_id).name
    except PluginError:
        return model_id


def _record(homes: dict[Home, str], measured: list[ModelTimes], hardware: str) -> None:
    """Figures into contracts, never of packages; a card is written again where its run left the data for it."""
    from kelly_core.errors import KellyError
    from kelly_core.pipeline.bench.record import record_latency

    for home, times in zip(homes, measured, strict=True):
        if home.entry is not None:
            continue
        try:
            record_latency(home.workspace, home.contract(), times, hardware)
        except KellyError as error:  # what took minutes to measure is shown all the same
            console.warn(f"{times.name}: not everything is recorded: {error}")


def _show(measured: list[ModelTimes], found: dict[str, Any]) -> None:
    from kelly_core.pipeline.bench.report import headings, table_rows

    versions = ", ".join(f"{name} {found[name]}" for name in ("onnxruntime", "torch") if name in found)
    console.say(f"{found['processor']}; {found['platform']}; Python {found['python']}, {versions}")
    for times in measured:
        console.say(f"\n{times.name}, {times.architecture_type}")
        console.table(headings(times.budget_ms), table_rows(times))
        for runtime, reason in times.not_run.items():
            console.say(f"{runtime}: not run here: {reason}")
