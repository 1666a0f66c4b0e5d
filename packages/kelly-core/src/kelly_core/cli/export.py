"""`kelly export`: a trained model as files that other programs load."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kelly_core.cli import console
from kelly_core.cli.complete import complete_dataset, complete_exporter, complete_model

if TYPE_CHECKING:
    from kelly_core.errors import FormatError
    from kelly_core.pipeline.export import ExportResult
    from kelly_core.plugins import PluginHost
    from kelly_core.specs import ModelSpec
    from kelly_core.workspace import Workspace


def command(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="Name of a trained model.", autocompletion=complete_model)
    ],
    *,
    formats: Annotated[
        list[str] | None,
        typer.Option("--format", "-f", help="A format; repeatable.", autocompletion=complete_exporter),
    ] = None,
    every: Annotated[
        bool, typer.Option("--all", help="Every format that carries this model and is installed.")
    ] = False,
    code: Annotated[
        list[str] | None,
        typer.Option(
            metavar="LANGUAGE", help="Source code for programs that use the files, e.g. cpp; repeatable."
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="DIR", help="Folder (default: models/).")
    ] = None,
    checkpoint: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Weights (default: the model's best.pt).")
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(help="Clips to compare on: a folder or demo (default: what the model was trained on)."),
    ] = None,
    dataset: Annotated[
        str | None, typer.Option(help="Dataset plugin that reads --data.", autocompletion=complete_dataset)
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Write a trained model in deployable formats, each compared with the trained network first.

    A file that computes something else is deleted; an older good one stays.

    \b
    Examples:
      kelly export emotion                      as ONNX
      kelly export emotion --all                every format that carries it
      kelly export emotion -f onnx -f onnx-int8 -o plugin/Resources
      kelly export emotion -f cpp --code cpp    C++: the network; sizes, labels, front end
      kelly export emotion -f coreml --code swift
      kelly export harmony -f coreml-state --code swift    Core ML keeps the state
      kelly export emotion -f rtneural --checkpoint older.pt -o elsewhere

    \b
    Formats: onnx, onnx-fp16, onnx-int8, torchscript, coreml, coreml-fp16, coreml-state, mlmodel,
    rtneural, cpp.
    rtneural and cpp take plain layers only; where a network has others, the setting that fits is named.
    `kelly list` shows formats of other plugins, docs/how-to/plugin.md how each is used in an app or a plug-in.
    """  # noqa: D301 - \b is the character that keeps these lines apart
    from kelly_core.pipeline.code import write_code

    host, place = console.host(), console.workspace()
    spec = host.model(model)
    spec.require_trainable("kelly export")
    if not (formats or every or code):
        formats = [_usual(host, spec)]
        console.note(f"writing {formats[0]}, the usual format; -f names others, --all writes every one")
    if formats or every:
        wanted = None if every else formats
        results = _export(host, place, spec, wanted, checkpoint, (data, dataset), output)
        _show(results, place, as_json=json)
    written = write_code(host, spec, code or (), output or place.models)
    if json and not (formats or every):
        console.print_json({"code": [str(path) for path in written]})
    elif not json:
        for path in written:
            console.say(f"wrote {place.relative(path)}")


def _usual(host: PluginHost, spec: ModelSpec) -> str:
    """The first format that carries the model and can be written here."""
    from kelly_core.errors import MissingExtraError
    from kelly_core.pipeline.export import supported_formats

    found = supported_formats(spec, host)
    if not found:
        raise MissingExtraError(
            f"no installed format carries {spec.name!r}",
            where="--format",
            hint="pip install kelly-export",
            code="missing-extra.exporter",
        )
    return found[0]


def _export(
    host: PluginHost,
    place: Workspace,
    spec: ModelSpec,
    wanted: list[str] | None,
    checkpoint: Path | None,
    data: tuple[str | None, str | None],
    output: Path | None,
) -> list[ExportResult]:
    from kelly_core.runtime import require_torch

    require_torch("exporting")
    from kelly_core.checkpoint import load_trained
    from kelly_core.pipeline.export import example_source, export_model, supported_formats

    path = checkpoint or place.checkpoints(spec.model_id) / "best.pt"
    trained = load_trained(path, host, name=spec.name)
    source = example_source(trained, place, host, *data)
    if source is None:
        console.warn("the training data isn't there; comparing on random inputs (--data gives real ones)")
    # With --all a format that can't carry the network is left out; asked for by name it is an error.
    refused: list[FormatError] | None = [] if wanted is None else None
    chosen = supported_formats(spec, host) if wanted is None else wanted
    results = export_model(trained, place, host, chosen, source, output, host.notifier(), refused)
    for refusal in dict.fromkeys(map(str, refused or ())):  # formats of the same layers say the same
        console.warn(f"left out: {refusal}")
    if output is None:
        _record(place, spec.model_id, results)
    return results


def _record(place: Workspace, model_id: str, results: list[ExportResult]) -> None:
    """Enter the artefacts in the registry; a model that isn't in it (a copied checkpoint) stays out."""
    from kelly_core.errors import RegistryError
    from kelly_core.pipeline.export import record_exports

    try:
        record_exports(place, model_id, results)
    except RegistryError as error:
        console.warn(f"the registry was not updated: {error.message}")


def _show(results: list[ExportResult], place: Workspace, *, as_json: bool) -> None:
    if as_json:
        rows = [
            {
                "format": result.format,
                "file": str(result.path),
                **result.info.model_dump(exclude={"file"}),
                "real_inputs": result.real_inputs,
                "parity": result.report.as_dict(),
            }
            for result in results
        ]
        console.print_json({"exports": rows})
        return
    console.table(
        ("format", "file", "size", "parity", "largest difference", "cases"),
        [
            (
                result.format,
                place.relative(result.path),
                f"{result.info.bytes / 1024:.0f} KiB",
                result.report.verdict,
                "-" if result.report.not_run else f"{result.report.max_abs:.1e}",
                len({row.case for row in result.report.rows}),
            )
            for result in results
        ],
    )
