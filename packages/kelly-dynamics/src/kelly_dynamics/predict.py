"""`kelly predict dynamics`: what the command line asks for; the work is in `kelly_dynamics.humanise`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from kelly_core.inference import Engine

MODEL_ID = "dynamicsengine"
COLUMNS = {"notes": "n_notes", "velocities": "velocities"}


def predict_command(
    inputs: Annotated[
        list[Path], typer.Argument(metavar="FILE_OR_FOLDER...", help="MIDI files, or folders of them.")
    ],
    *,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="MIDI file to write; a folder for several inputs.")
    ] = None,
    amount: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="0 leaves the notes as they are, 1 takes all that is said.")
    ] = 1.0,
    variation: Annotated[
        float, typer.Option(min=0.0, max=4.0, help="How much one rendition differs from the next.")
    ] = 0.0,
    seed: Annotated[int, typer.Option(min=0, help="Which rendition, with --variation.")] = 0,
    runtime: Annotated[
        str | None, typer.Option(help="onnx, torchscript or torch (default: the first that is there).")
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="Threads of one inference.")] = 1,
    json: Annotated[bool, typer.Option("--json", help="Print notes and expression curve as JSON.")] = False,
) -> None:
    """Play flat MIDI files: velocity, timing and length of every note; number and pitch of notes stay.

    Writes NAME.played.mid beside each file unless -o says where. Drums and every other event stay as they are.
    Ends with 2 when a file can't be used; the others are still done.

    \b
    Examples:
      kelly predict dynamics flat.mid -o played.mid
      kelly predict dynamics flat.mid -o played.mid --amount 0.6 --variation 1 --seed 3
      kelly predict dynamics songs/ -o played/ --json
    """  # noqa: D301 - \b is the character that keeps these lines apart
    from kelly_core.cli.predict import find_inputs
    from kelly_core.cli.predict_midi import find_targets, transform_files
    from kelly_core.features.midi import SUFFIXES
    from kelly_core.inference import create_engine_by_name

    files = find_inputs(inputs, SUFFIXES)
    targets = find_targets(files, output, "played")
    engine = create_engine_by_name(MODEL_ID, runtime=runtime, threads=threads).load()

    def transform(source: Path, target: Path) -> dict[str, Any]:
        return play_file(engine, source, target, amount=amount, variation=variation, seed=seed)

    transform_files(files, targets, transform, COLUMNS, as_json=json)


def play_file(
    engine: Engine, file: Path, place: Path, *, amount: float, variation: float, seed: int
) -> dict[str, Any]:
    """Read a MIDI file, play it, write it to `place`.

    Returns:
        Plain values for JSON, see `humanise.as_json`.

    Raises:
        KellyError: The file can't be used, or not be written.
    """
    from kelly_core.features.midi import read_midi, write_back
    from kelly_dynamics.humanise import as_json, humanise

    midi = read_midi(file)
    played = humanise(midi, engine, amount=amount, variation=variation, seed=seed)
    write_back(
        midi,
        place,
        onset_tick=played.onset_tick if amount else None,
        duration_tick=played.duration_tick if amount else None,
        velocity=played.velocity,
    )
    span = f"{played.velocity.min()} to {played.velocity.max()}"
    return {**as_json(midi, played), "n_notes": str(len(midi.notes)), "velocities": span}
