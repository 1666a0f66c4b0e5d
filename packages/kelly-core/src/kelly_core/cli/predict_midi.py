"""What `kelly predict` has in common for models that turn files of notes into MIDI files: `run_files`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kelly_core.cli import console
from kelly_core.cli.predict import find_inputs, run_each, tell, tell_engine
from kelly_core.errors import UserError

if TYPE_CHECKING:
    from kelly_core.inference import Engine

Transform = Callable[[Path, Path], Mapping[str, Any]]
"""Reads the first file, writes the second, tells about it in plain values; raises `KellyError`."""

Inputs = Annotated[
    list[Path], typer.Argument(metavar="FILE_OR_FOLDER...", help="MIDI files, or folders of them.")
]
"""The argument `FILE_OR_FOLDER...`."""
Output = Annotated[
    Path | None, typer.Option("--output", "-o", help="MIDI file to write; a folder for several inputs.")
]
"""The option `--output`."""
Runtime = Annotated[
    str | None, typer.Option(help="onnx, torchscript or torch (default: the first that is there).")
]
"""The option `--runtime`."""
Threads = Annotated[int, typer.Option(min=1, help="Threads of one inference.")]
"""The option `--threads`."""
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
"""The option `--json`."""


def run_files(
    model_id: str,
    inputs: Sequence[Path],
    prepare: Callable[[Engine], Transform],
    columns: Mapping[str, str],
    *,
    word: str,
    output: Path | None,
    runtime: str | None,
    threads: int,
    as_json: bool,
    suffixes: Collection[str] | None = None,
) -> None:
    """All of a `predict` command but its music: files in, MIDI files and a table or JSON out.

    Names are checked before the model is opened, and the model before a file is read.

    Args:
        model_id: The model to open.
        inputs: `FILE_OR_FOLDER...` as typed.
        prepare: Given the loaded engine, gives what is done with each file.
        columns: Heading -> key of what the transform tells; input and output are shown anyway.
        word: What was done, for the names of results (`"grooved"`).
        output: `--output`.
        runtime: `--runtime`.
        threads: `--threads`.
        as_json: `--json`.
        suffixes: Of the files to take from folders; None for those of MIDI.

    Raises:
        KellyError: Inputs, output or model can't be used.
        typer.Exit: With 2 when any file failed; the others are done.
    """
    from kelly_core.features.midi import SUFFIXES
    from kelly_core.inference import create_engine_by_name

    files = find_inputs(inputs, suffixes or SUFFIXES)
    targets = find_targets(files, output, word)
    engine = create_engine_by_name(model_id, runtime=runtime, threads=threads).load()
    transform_files(files, targets, prepare(engine), columns, as_json=as_json, engine=engine)


def find_targets(files: Sequence[Path], output: Path | None, word: str) -> list[Path]:
    """Where each result goes.

    Args:
        files: Inputs.
        output: `--output`: a file for one input, else a folder; None for NAME.WORD.mid beside each input.
        word: What was done, for the names (`"grooved"`).

    Raises:
        UserError: Two results would have one name, one would replace an input, or isn't named as MIDI.
    """
    from kelly_core.features.midi import SUFFIXES

    if output is None:
        targets = [file.with_name(f"{file.stem}.{word}.mid") for file in files]
    elif len(files) == 1 and output.suffix and not output.is_dir():
        if output.suffix.lower() not in SUFFIXES:
            raise UserError(
                "the result is a MIDI file",
                where=str(output),
                hint=f"call it {output.with_suffix('.mid').name}, or give a folder that exists",
                code="usage.output",
            )
        targets = [output]
    elif output.is_file():
        raise UserError(
            f"{len(files)} files can't be written into one",
            where=str(output),
            hint="give a folder: -o FOLDER",
            code="usage.output",
        )
    else:
        targets = [output / f"{file.stem}.mid" for file in files]
    inputs = {file.resolve() for file in files}
    for target in targets:
        if target.resolve() in inputs:
            raise UserError(
                "the result would replace an input",
                where=str(target),
                hint="give another --output",
                code="usage.output",
            )
        if targets.count(target) > 1:
            raise UserError(
                "two inputs would be written there",
                where=str(target),
                hint="do them one folder at a time",
                code="usage.output",
            )
    return targets


def transform_files(
    files: Sequence[Path],
    targets: Sequence[Path],
    transform: Transform,
    columns: Mapping[str, str],
    *,
    as_json: bool,
    engine: Engine | None = None,
) -> None:
    """Turn one file after the other into another and print what was done; a bad file stops no other.

    Args:
        files: Inputs.
        targets: Where each goes (`find_targets`).
        transform: What is done with each.
        columns: Heading -> key of what `transform` tells; input and output are shown anyway.
        as_json: Print JSON instead of a table.
        engine: What transforms; said beside the results.

    Raises:
        typer.Exit: With 2 when any file failed.
    """
    about = tell_engine(engine, as_json=as_json) if engine is not None else None
    target_of = dict(zip(files, targets, strict=True))

    def work(file: Path) -> dict[str, Any]:
        target = target_of[file]
        target.parent.mkdir(parents=True, exist_ok=True)
        return {"file": str(file), **transform(file, target), "output": str(target)}

    def show() -> None:
        rows = [(one["file"], *(one[key] for key in columns.values()), one["output"]) for one in done]
        console.table(("file", *columns, "written"), rows)

    done, failed = run_each(files, work)
    tell(done, failed, show, as_json=as_json, about=about)
