"""`kelly evaluate`: measure the trained model on data, or run a declared protocol."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kelly_core.cli import console
from kelly_core.cli.complete import complete_dataset, complete_exporter, complete_model

if TYPE_CHECKING:
    from kelly_core.evaluate.protocol_report import ProtocolReport, Row
    from kelly_core.specs import ModelSpec
    from kelly_core.workspace import Workspace


def command(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="Name of the model.", autocompletion=complete_model)
    ],
    *,
    protocol: Annotated[
        str | None, typer.Option(help="Train and test under a declared protocol; `--protocol list` shows them.")
    ] = None,
    data: Annotated[str | None, typer.Option("--data", metavar="PATH|demo", help="Data to measure on.")] = None,
    dataset: Annotated[
        str | None, typer.Option(help="Which dataset plugin reads it.", autocompletion=complete_dataset)
    ] = None,
    runtimes: Annotated[
        list[str] | None,
        typer.Option(
            "--runtime",
            help="Measure an exported file (onnx, onnx-int8, ...) or `all`; repeatable.",
            autocompletion=complete_exporter,
        ),
    ] = None,
    checkpoint: Annotated[Path | None, typer.Option(help="Weights to measure (default: best.pt).")] = None,
    config: Annotated[
        Path | None, typer.Option("--config", "-c", help="Protocol: a configuration file.")
    ] = None,
    sets: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Protocol: one setting; repeatable.")
    ] = None,
    seeds: Annotated[str, typer.Option(help="Protocol: seeds, separated by commas.")] = "0",
    arms: Annotated[
        list[str] | None, typer.Option("--arm", help="Protocol: only this arm of it; repeatable.")
    ] = None,
    jobs: Annotated[
        int | None, typer.Option(help="Protocol: folds at once (default: the number of CPUs).")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Also write the JSON report there.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Measure a model honestly: with intervals, beside baselines.

    \b
    Without --protocol, the trained model is measured on the split it was trained with, or on --data;
    with --runtime, exported files are measured on its test side, beside their size and speed. A model from
    an installed package needs the package to hold its checkpoint.
    With --protocol, models are trained from scratch on each fold; test data chooses nothing.

    \b
    Examples:
      kelly evaluate emotion
      kelly evaluate emotion --data ~/other-recordings
      kelly evaluate emotion --runtime onnx --runtime onnx-int8
      kelly evaluate emotion --protocol ravdess-5fold --data ~/ravdess --seeds 0,1,2
      kelly evaluate emotion --protocol ravdess-5fold --set architecture_type=streaming
      kelly evaluate groove --protocol groove --data ~/groove --arm live
    """  # noqa: D301 - \b is the character that keeps these lines apart
    spec = console.host().model(model)
    spec.require_trainable("kelly evaluate")
    console.require_training()
    if protocol == "list":
        _list_protocols(spec)
    elif protocol is not None:
        report = _run_protocol(spec, protocol, data, config, sets or [], _seeds(seeds), jobs, arms or [])
        _deliver(report.as_dict(), output, as_json=as_json)
        if not as_json:
            _show_protocol(report)
    elif runtimes:
        result = _measure_runtimes(spec, runtimes, data, dataset)
        _deliver(result, output, as_json=as_json)
        if not as_json:
            _show_runtimes(result)
    else:
        result = _measure(spec, data, dataset, checkpoint)
        _deliver(result, output, as_json=as_json)
        if not as_json:
            _show_measured(spec.name, result)


def _seeds(text: str) -> list[int]:
    from kelly_core.errors import UserError

    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise UserError(f"{text!r} is no list of seeds", where="--seeds", hint="write --seeds 0,1,2") from None


def _protocols(spec: ModelSpec) -> dict[str, Any]:
    protocols: dict[str, Any] = dict(spec.protocols.resolve()) if spec.protocols else {}
    return protocols


def _list_protocols(spec: ModelSpec) -> None:
    rows = [(name, p.dataset, p.headline, p.summary) for name, p in _protocols(spec).items()]
    console.table(("protocol", "dataset", "metric", "what"), rows)


def _run_protocol(
    spec: ModelSpec,
    name: str,
    data: str | None,
    config: Path | None,
    sets: list[str],
    seeds: list[int],
    jobs: int | None,
    arms: list[str],
) -> ProtocolReport:
    from kelly_core.errors import UserError
    from kelly_core.pipeline.prepare import Request
    from kelly_core.pipeline.protocol import run_protocol

    protocols = _protocols(spec)
    if name not in protocols:
        known = ", ".join(protocols) or "none"
        raise UserError(
            f"{spec.name!r} has no protocol {name!r} (known: {known})",
            hint="`--protocol list` shows them",
            code="usage.protocol",
        )
    request = Request(spec.name, data, protocols[name].dataset, config, sets)
    with console.progress() as progress:
        return run_protocol(
            protocols[name], request, console.workspace(), console.host(), seeds, jobs, progress, arms
        )


def _measure(spec: ModelSpec, data: str | None, dataset: str | None, checkpoint: Path | None) -> dict[str, Any]:
    from kelly_core.pipeline.measure import measure_trained

    place = console.workspace() if checkpoint is not None else _trained_workspace(spec)
    with console.progress() as progress:
        return measure_trained(spec, place, console.host(), data, dataset, checkpoint, progress)


def _measure_runtimes(
    spec: ModelSpec, runtimes: list[str], data: str | None, dataset: str | None
) -> dict[str, Any]:
    from kelly_core.pipeline.runtimes import measure_runtimes

    place = _trained_workspace(spec)
    with console.progress() as progress:
        return measure_runtimes(spec, place, console.host(), runtimes, data, dataset, progress)


def _trained_workspace(spec: ModelSpec) -> Workspace:
    """Where the trained model lies: the user's workspace, or an installed package that has the checkpoint."""
    from kelly_core.trained import find_home

    home = find_home(spec.model_id, console.workspace())
    if home is None:
        return console.workspace()
    home.require_checkpoint("evaluation")
    return home.workspace


def _deliver(report: dict[str, Any], output: Path | None, *, as_json: bool) -> None:
    if output is not None:
        from kelly_core import atomic

        atomic.write_json(output, report)
        console.note(f"wrote {output}")
    if as_json:
        console.print_json(report)


def _say_data(name: str, result: dict[str, Any]) -> None:
    kind = "SYNTHETIC data" if result["synthetic"] else "data"
    console.say(
        f"{name} on {result['measured_on']} of {kind} {result['dataset']!r} ({result['items']} items)\n"
    )


def _show_measured(name: str, result: dict[str, Any]) -> None:
    _say_data(name, result)
    rows = [
        (name, metric, _interval(value)) for metric, value in result["metrics"][result["measured_on"]].items()
    ]
    for kind_of_row in ("baselines", "variants"):
        for row, figures in result[kind_of_row].items():
            rows += [(row, metric, _interval(value)) for metric, value in figures.items()]
    console.table(("predictor", "metric", "figure [95 %]"), rows)
    for what, figure in result["breakdown"].items():
        console.say(f"{what}: {figure:.3f}")


def _show_runtimes(result: dict[str, Any]) -> None:
    _say_data(result["model"], result)
    first, *rest = result["runtimes"][0]["metrics"]
    metrics = [result["headline"]] if result["headline"] in (first, *rest) else [first]
    metrics += [metric for metric in (first, *rest) if metric not in metrics]
    rows = []
    for row in result["runtimes"]:
        size = "-" if row["bytes"] is None else f"{row['bytes'] / 1024:.0f} KiB"
        if row["not_run"]:
            rows.append(
                (row["runtime"], size, f"not run here: {row['not_run']}", "-", *[""] * len(metrics[1:]))
            )
            continue
        headline = f"{_interval(row['metrics'][metrics[0]])}, {_signed(row['change'][metrics[0]])}"
        others = [f"{row['metrics'][m]['value']:.4f} ({_plus(row['change'][m]['value'])})" for m in metrics[1:]]
        rows.append((row["runtime"], size, headline, f"{row['ms']:.3f}", *others))
    headings = ("runtime", "size", f"{metrics[0]} [95 %], change [95 %]", "ms per call", *metrics[1:])
    console.table(headings, rows)


def _signed(value: dict[str, Any]) -> str:
    ends = f" [{_plus(value['low'])}, {_plus(value['high'])}]" if value["low"] is not None else ""
    return f"{_plus(value['value'])}{ends}"


def _plus(change: float) -> str:
    """Four decimals with a sign; nothing is +0.0000 from either side."""
    return f"{round(change, 4) + 0.0:+.4f}"


def _interval(value: dict[str, Any]) -> str:
    from kelly_core.evaluate.intervals import decimals

    places = decimals(value["value"])
    ends = f" [{value['low']:.{places}f}, {value['high']:.{places}f}]" if value["low"] is not None else ""
    return f"{value['value']:.{places}f}{ends}"


def _show_protocol(report: ProtocolReport) -> None:
    console.say(f"{report.protocol.summary}")
    for name, arm in report.arms.items():
        title = f"{name}: " if name else ""
        seeds = ", ".join(map(str, report.seeds))
        console.say(f"{title}{arm.architecture}, {arm.parameters:,} parameters, seeds {seeds}\n")
        _show_arm(report, name)
        for what, figure in arm.breakdown.items():
            console.say(f"{what}: {figure:.3f}")
        console.say("")
    spent = ", ".join(f"{seconds:.0f} s" for seconds in report.seconds.values())
    console.say(f"training time per seed, summed over folds: {spent}\n")
    if report.protocol.published:
        published = [(p.name, p.value, p.protocol, p.source) for p in report.protocol.published]
        console.table(("published", "figure", "measured under", "source"), published)


def _show_arm(report: ProtocolReport, arm: str) -> None:
    """One arm's rows, and how the model differs from each baseline."""
    headline = report.protocol.headline
    mine = [row for row in report.rows if row.arm == arm]
    others = [metric for metric in mine[0].folds if metric != headline]
    single = math.isnan(mine[0].folds[headline].low)
    rows = []
    for row in mine:
        figures = [_mean(row, metric) for metric in others]
        rows.append((row.name, _headline(row, headline, single=single), *figures))
    kind = "[95 % over groups]" if single else "± 95 % (t over folds)"
    console.table(("predictor", f"{headline} {kind}", *others), rows)
    model = mine[0]
    per_seed = ", ".join(f"{values[headline]:.3f}" for values in model.per_seed.values())
    console.say(f"\n{headline} per seed: {per_seed}")
    comparable = all(headline in of for of in model.against.values())
    for baseline, of in model.against.items():
        for metric in (headline,) if comparable else of:
            console.say(f"{metric} minus that of {baseline}, paired over groups [95 %]: {of[metric]}")


def _headline(row: Row, metric: str, *, single: bool) -> str:
    """The figure with its interval; a baseline that can't be asked for it has none."""
    if metric not in row.folds:
        return "-"
    found = row.figure(metric)
    spread = f"[{found.low:.3f}, {found.high:.3f}]" if single else f"± {(found.high - found.low) / 2:.3f}"
    return f"{found.value:.3f} {spread}"


def _mean(row: Row, metric: str) -> str:
    if metric not in row.folds:
        return "-"
    value = row.folds[metric].value
    return f"{value:.{_places(value)}f}"


def _places(value: float) -> int:
    """Decimals that show three digits or more of a small figure."""
    return 3 if abs(value) >= 0.1 or value == 0 else 4
