"""`kelly verify`: whether exported files still compute what the trained model computed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kelly_core.cli import console

if TYPE_CHECKING:
    from kelly_core.plugins import PluginHost
    from kelly_core.verify import ParityReport
    from kelly_core.workspace import Workspace


def command(
    targets: Annotated[
        list[str], typer.Argument(metavar="FILE_OR_MODEL...", help="Exported files, or names of models.")
    ],
    *,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Re-check exported files: checksum, interface, golden vectors, and the checkpoint when it is there.

    Ends with 1 when anything differs.

    \b
    Examples:
      kelly verify emotion                           every file of the model
      kelly verify models/emotionrecognizer.onnx
      kelly verify models/*.onnx --json
    """  # noqa: D301 - \b is the character that keeps these lines apart
    host, place = console.host(), console.workspace()
    reports = [report for target in targets for report in _verify(target, place, host)]
    if json:
        passed = all(report.passed for report in reports)
        console.print_json({"passed": passed, "reports": [report.as_dict() for report in reports]})
    else:
        _show(reports, place)
    if not all(report.passed for report in reports):
        raise typer.Exit(1)


def _verify(target: str, place: Workspace, host: PluginHost) -> list[ParityReport]:
    from kelly_core.verify import verify_artifact, verify_model

    path = Path(target)
    if path.exists() or path.suffix or path.name != target:
        return [verify_artifact(path, place, host)]
    known = place.contract(target).is_file()
    return verify_model(place, host, target if known else host.model(target).model_id)


def _show(reports: list[ParityReport], place: Workspace) -> None:
    rows = []
    for report in reports:
        name = place.relative(Path(report.artifact))
        rows += [
            (
                name,
                row.case,
                row.output,
                f"{row.max_abs:.1e}",
                {True: "yes", False: "no", None: "-"}[row.same_top],
                _verdict(passed=row.passed),
            )
            for row in report.rows
        ]
    if rows:
        console.table(("file", "case", "output", "largest difference", "same top class", "verdict"), rows)
    for report in reports:
        name = place.relative(Path(report.artifact))
        console.say(f"{_verdict(passed=report.passed)}: {name} against {report.reference}")
        for line in report.failures():
            console.say(f"  {line}")


def _verdict(*, passed: bool) -> str:
    return console.paint("passed", "green") if passed else console.paint("FAILED", "red")
