"""`kelly predict dynamics`: what the command line asks for; the work is in `kelly_dynamics.humanise`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kelly_core.cli.predict_midi import Output, Runtime, Threads, Transform, run_files

if TYPE_CHECKING:
    from kelly_core.inference import Engine

MODEL_ID = "dynamicsengine"
COLUMNS = {"notes": "n_notes", "velocities": "velocities"}


def predict_command(
    inputs: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE_OR_FOLDER...",
            help="MIDI files or MusicXML scores (.musicxml, .mxl), or folders of them.",
        ),
    ],
    *,
    output: Output = None,
    amount: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="0 leaves the notes as they are, 1 takes all that is said.")
    ] = 1.0,
    variation: Annotated[
        float, typer.Option(min=0.0, max=4.0, help="How much one rendition differs from the next.")
    ] = 0.0,
    seed: Annotated[int, typer.Option(min=0, help="Which rendition, with --variation.")] = 0,
    runtime: Runtime = None,
    threads: Threads = 1,
    json: Annotated[bool, typer.Option("--json", help="Print notes and expression curve as JSON.")] = False,
) -> None:
    """Play flat MIDI files and scores: velocity, timing and length of every note; number and pitch stay.

    Writes NAME.played.mid beside each file unless -o says where. In MIDI files, drums and every other event
    stay as they are. Of a score, notes, tempo and metre go to a new MIDI file, each bar once; a model trained
    with input markings plays by its dynamics, hairpins and articulations. Ends with 2 when a file can't be
    used; the others are still done.

    \b
    Examples:
      kelly predict dynamics flat.mid -o played.mid
      kelly predict dynamics flat.mid -o played.mid --amount 0.6 --variation 1 --seed 3
      kelly predict dynamics score.musicxml -o played.mid
      kelly predict dynamics songs/ -o played/ --json
    """  # noqa: D301 - \b is the character that keeps these lines apart
    from kelly_core.features.midi import SUFFIXES

    def prepare(engine: Engine) -> Transform:
        return lambda source, target: play_file(
            engine, source, target, amount=amount, variation=variation, seed=seed
        )

    run_files(
        MODEL_ID,
        inputs,
        prepare,
        COLUMNS,
        word="played",
        output=output,
        runtime=runtime,
        threads=threads,
        as_json=json,
        suffixes=(*SUFFIXES, ".musicxml", ".mxl"),
    )


def play_file(
    engine: Engine, file: Path, place: Path, *, amount: float, variation: float, seed: int
) -> dict[str, Any]:
    """Read a MIDI file or a MusicXML score, play it, write it to `place` as MIDI.

    Returns:
        Plain values for JSON, see `humanise.as_json`.

    Raises:
        KellyError: The file can't be used, or not be written.
    """
    from kelly_core.features.midi import read_midi, write_back
    from kelly_dynamics.data.written import SUFFIXES, read_score
    from kelly_dynamics.humanise import as_json, humanise

    written = read_score(file) if file.suffix.lower() in SUFFIXES else None
    midi = read_midi(file) if written is None else written.midi
    played = humanise(midi, engine, written=written, amount=amount, variation=variation, seed=seed)
    write_back(
        midi,
        place,
        onset_tick=played.onset_tick if amount else None,
        duration_tick=played.duration_tick if amount else None,
        velocity=played.velocity,
    )
    span = f"{played.velocity.min()} to {played.velocity.max()}"
    return {**as_json(midi, played), "n_notes": str(len(midi.notes)), "velocities": span}
