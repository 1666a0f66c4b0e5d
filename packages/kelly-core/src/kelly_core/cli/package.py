"""`kelly package`: a trained, verified model as a wheel that others install."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kelly_core.cli import console
from kelly_core.cli.complete import complete_exporter, complete_model

if TYPE_CHECKING:
    from kelly_core.pipeline.package import Plan


def command(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="Name of a trained model.", autocompletion=complete_model)
    ],
    *,
    to: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder for the wheel (default: dist/ of the workspace).")
    ] = None,
    formats: Annotated[
        list[str] | None,
        typer.Option(
            "--format",
            "-f",
            help="A format; repeatable (default: onnx and rtneural, as far as they are exported).",
            autocompletion=complete_exporter,
        ),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Every exported format.")] = False,
    with_unrun: Annotated[
        bool, typer.Option("--with-unrun", help="Also pack files that can't be run on this machine.")
    ] = False,
    with_checkpoint: Annotated[
        bool, typer.Option("--with-checkpoint", help="Also pack the weights as training left them.")
    ] = False,
    name: Annotated[
        str | None, typer.Option(help="Name of the package (default: kelly-model-ID).", show_default=False)
    ] = None,
    version: Annotated[
        str | None,
        typer.Option(
            metavar="X", help="Version of the package (default: the model's, and when it was trained)."
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Pack a trained model as an installable wheel: files, contract, card, checksums, statement on its data.

    \b
    Every file is verified first, as by kelly verify; one that differs stops it. Where the wheel is installed,
    kelly list shows the model as trained, and kelly predict and create_engine_by_name use it unless the
    workspace has one of its own. Files in ONNX or RTNeural JSON need no torch there.

    \b
    Examples:
      kelly package emotion
      kelly package groove -f rtneural --to wheels      NumPy alone runs it
      kelly package emotion --all --with-checkpoint
      kelly package emotion --name my-emotions --version 1.0
      pip install dist/kelly_model_emotionrecognizer-*.whl
    """  # noqa: D301 - \b is the character that keeps these lines apart
    from kelly_core.pipeline.package import plan_package, write_wheel

    host, place = console.host(), console.workspace()
    plan = plan_package(
        place,
        host,
        model,
        [] if every else formats or None,
        unrun=with_unrun,
        checkpoint=with_checkpoint,
        name=name,
        version=version,
    )
    for format_name, reason in plan.left_out.items():
        console.note(f"left out: {format_name}, not run here: {reason} (--with-unrun packs it)")
    wheel = write_wheel(plan, to or place.root / "dist")
    if json:
        console.print_json(_as_dict(plan, wheel))
    else:
        _show(plan, wheel)


def _as_dict(plan: Plan, wheel: Path) -> dict[str, Any]:
    from kelly_core.contract import ArtifactInfo

    made = ArtifactInfo.of(wheel)
    return {
        "wheel": str(wheel),
        "bytes": made.bytes,
        "sha256": made.sha256,
        "distribution": plan.distribution,
        "version": plan.version,
        "model_id": plan.spec.model_id,
        "requires": list(plan.requires),
        "files": {
            name: {**info.model_dump(), "verdict": plan.reports[name].verdict}
            for name, info in plan.contract.artifacts.items()
        },
        "left_out": dict(plan.left_out),
        "checkpoint": plan.checkpoint is not None,
        "dataset": plan.card.data.name,
        "data_licence": plan.card.data.licence,
        "synthetic_data": plan.contract.synthetic_data,
    }


def _show(plan: Plan, wheel: Path) -> None:
    rows = [
        (name, info.file, f"{info.bytes / 1024:.0f} KiB", plan.reports[name].verdict)
        for name, info in plan.contract.artifacts.items()
    ]
    if plan.checkpoint is not None:
        rows.append(
            ("checkpoint", plan.checkpoint.name, f"{plan.checkpoint.stat().st_size / 1024:.0f} KiB", "-")
        )
    console.table(("format", "file", "size", "verified"), rows)
    data = plan.card.data
    made = "SYNTHETIC data" if plan.contract.synthetic_data else "data"
    console.say(f"\ntrained on {made} {data.name!r}; licence of the data: {data.licence or 'not stated'}")
    console.say(f"needs {', '.join(plan.requires)}")
    shown = wheel.relative_to(Path.cwd()) if wheel.is_relative_to(Path.cwd()) else wheel
    console.say(f"wrote {shown} ({wheel.stat().st_size / 1024:.0f} KiB)")
    console.note(f"install it with `pip install {shown}`; read the card in it before you give it to others")
