"""`kelly predict groove`: what the command line asks for; the work is in `kelly_groove.infer`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

MODEL_ID = "groovepredictor"


def predict_command(
    inputs: Annotated[
        list[Path], typer.Argument(metavar="FILE_OR_FOLDER...", help="MIDI files, or folders of them.")
    ],
    *,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="The file to write; a folder where there are several inputs."),
    ] = None,
    style: Annotated[
        str | None, typer.Option(help="A style (rock, jazz/swing) or family (swing, laid_back, latin).")
    ] = None,
    amount: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="0 changes nothing, 1 takes the whole groove.")
    ] = 1.0,
    variation: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="0 plays every bar alike, 1 varies as drummers do.")
    ] = 0.3,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the variation.")] = 0,
    like: Annotated[
        Path | None, typer.Option(help="Play like the drummer of this file (models with input live).")
    ] = None,
    channel: Annotated[int, typer.Option(min=1, max=16, help="MIDI channel of the drums.")] = 10,
    runtime: Annotated[
        str | None, typer.Option(help="onnx, torchscript or torch (default: the first that is there).")
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="Threads of one inference.")] = 1,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Give the drums of MIDI files the timing and dynamics of a drummer.

    Onsets and velocities of drum notes change, nothing else; notes keep their number and order. Ends with 2
    when a file can't be used; the others are still done.

    \b
    Examples:
      kelly predict groove beat.mid --style funk -o grooved.mid
      kelly predict groove beat.mid --style laid_back --amount 0.8 --seed 3
      kelly predict groove beats/ -o grooved/ --json
    """  # noqa: D301 - \b is the character that keeps these lines apart
    from kelly_core.cli import console
    from kelly_core.cli.predict import find_inputs
    from kelly_core.features.midi import SUFFIXES, read_midi
    from kelly_core.inference import create_engine_by_name
    from kelly_groove.data.read import drum_notes, on_grid
    from kelly_groove.humanise import Feel
    from kelly_groove.infer import remember
    from kelly_groove.styles import controls

    told = controls(style)
    files = find_inputs(inputs, SUFFIXES)
    targets = _targets(files, output)
    engine = create_engine_by_name(MODEL_ID, runtime=runtime, threads=threads).load()
    memory = None
    if like is not None:
        heard = read_midi(like)
        memory = remember(engine, on_grid(heard, drum_notes(heard, channel - 1)), told)
    feel = Feel(amount, variation, seed)

    def one(source: Path, target: Path) -> dict[str, Any]:
        from kelly_core.features.midi import write_back
        from kelly_groove.infer import groove_file, summary

        midi = read_midi(source)
        part, made = groove_file(engine, midi, told, feel, memory, channel - 1)
        write_back(midi, target, onset_tick=made.onset_tick, velocity=made.velocity)
        return {**summary(source, midi, part, made), "output": str(target)}

    done, failed = [], []
    with console.progress() as bar:
        for source, target in bar.track(list(zip(files, targets, strict=True)), "grooving", len(files)):
            _attempt(one, source, target, done, failed)
    _show(done, failed, as_json=json)


def _attempt(one: Any, source: Path, target: Path, done: list[Any], failed: list[Any]) -> None:
    from kelly_core.errors import KellyError

    try:
        done.append(one(source, target))
    except KellyError as error:
        failed.append((source, error))


def _targets(files: Sequence[Path], output: Path | None) -> list[Path]:
    """Where each file goes: beside it as NAME.grooved.mid, or where `-o` says; never onto itself."""
    from kelly_core.errors import UserError

    named = [file.with_name(f"{file.stem}.grooved.mid") for file in files]
    if output is not None and len(files) == 1 and not output.is_dir() and output.suffix:
        named = [output]
    elif output is not None:
        output.mkdir(parents=True, exist_ok=True)
        named = [output / f"{file.stem}.mid" for file in files]
    if len(set(named)) < len(named):
        raise UserError("two inputs have one name", where="--output", hint="groove them one folder at a time")
    for file, target in zip(files, named, strict=True):
        if target.resolve() == file.resolve():
            raise UserError("would replace its own input", where=str(file), hint="give another --output")
    return named


def _show(done: Sequence[dict[str, Any]], failed: Sequence[tuple[Path, Any]], *, as_json: bool) -> None:
    from kelly_core.cli import console

    if as_json:
        errors = [{"file": str(path), "error": e.message, "hint": e.hint} for path, e in failed]
        console.print_json({"predictions": list(done), "errors": errors})
    elif done:
        rows = [
            (one["file"], str(one["drum_notes"]), f"{one['mean_shift_ms']:.1f} ms", one["output"])
            for one in done
        ]
        console.table(("file", "drum notes", "moved by, on average", "written"), rows)
    if not as_json:
        for _, error in failed:
            console.show_error(error)
    if failed:
        raise typer.Exit(2)
