"""`kelly verify`: whether exported files still compute what the trained model computed, as a matrix."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kelly_core.cli import console

if TYPE_CHECKING:
    from kelly_core.plugins import PluginHost
    from kelly_core.verify import ParityReport
    from kelly_core.workspace import Workspace

COLOURS = {"pass": "green", "fail": "red", "not run here": "yellow", "-": "dim"}


def command(
    targets: Annotated[
        list[str], typer.Argument(metavar="FILE_OR_MODEL...", help="Exported files, or names of models.")
    ],
    *,
    data: Annotated[
        str | None,
        typer.Option(help="Items to compare on: a folder or demo (default: what the model was trained on)."),
    ] = None,
    details: Annotated[bool, typer.Option("--details", help="Show every case and output.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Re-check exported files: checksum, interface, golden vectors, and the checkpoint when it is there.

    \b
    A row for each file, a column for each way of calling it: largest absolute / relative difference from the
    trained model, and the share of decisions that agree. With the checkpoint at hand, on items of the test
    split and on extremes too. A file that this machine can't run is inspected and "not run here".
    Ends with 1 when anything differs.

    \b
    Examples:
      kelly verify emotion                           every file of the model
      kelly verify models/emotionrecognizer.onnx --details
      kelly verify models/*.onnx --json
    """  # noqa: D301 - \b is the character that keeps these lines apart
    from kelly_core.verify import matrix

    host, place = console.host(), console.workspace()
    reports = [report for target in targets for report in _verify(target, place, host, data)]
    failed = any(report.failed for report in reports)
    if json:
        rows = [report.as_dict() for report in reports]
        console.print_json({"passed": not failed, "matrix": matrix(reports), "reports": rows})
    else:
        _show(reports, place, details=details)
    if failed:
        raise typer.Exit(1)


def _verify(target: str, place: Workspace, host: PluginHost, data: str | None) -> list[ParityReport]:
    from kelly_core.pipeline.verify import TrainedEvidence
    from kelly_core.trained import require_home
    from kelly_core.verify import verify_artifact, verify_model

    path = Path(target)
    if path.exists() or path.suffix or path.name != target:
        return [verify_artifact(path, place, host, TrainedEvidence(place, host, data))]
    home = require_home(target, place, host, "kelly verify")
    with home.naming():
        return verify_model(home.workspace, host, home.model_id, TrainedEvidence(home.workspace, host, data))


def _show(reports: list[ParityReport], place: Workspace, *, details: bool) -> None:
    from kelly_core.verify import COLUMNS, cells_of

    if details:
        _show_cases(reports, place)
    names = [place.relative(Path(report.artifact)) for report in reports]
    rows = []
    for name, report in zip(names, reports, strict=True):
        cells = cells_of(report)
        rows.append((name, *(_painted(str(cells[column]), cells[column].verdict) for column in COLUMNS)))
    console.table(("largest abs / rel difference", *COLUMNS), rows)
    for name, report in zip(names, reports, strict=True):
        allowed = f"; lossy, {report.lossy:.0%} of an output's size allowed" if report.lossy else ""
        reason = f": {report.not_run}" if report.not_run else f" against {report.reference}{allowed}"
        console.say(f"{_painted(report.verdict, report.verdict)}: {name}{reason}")
        for line in (*report.facts, *report.failures()):
            console.say(f"  {line}")


def _show_cases(reports: list[ParityReport], place: Workspace) -> None:
    rows = [
        (
            place.relative(Path(report.artifact)),
            row.column,
            row.case,
            row.output,
            f"{row.max_abs:.1e}",
            "-" if row.top1 is None else f"{row.top1:.0%}",
            _painted("pass" if row.passed else "fail", "pass" if row.passed else "fail"),
        )
        for report in reports
        for row in report.rows
    ]
    if rows:
        headings = ("file", "column", "case", "output", "largest difference", "same top class", "verdict")
        console.table(headings, rows)


def _painted(text: str, verdict: str) -> str:
    return console.paint(text, COLOURS[verdict])
