"""`kelly predict groove`: what the command line asks for; the work is in `kelly_groove.infer`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kelly_core.cli.predict_midi import AsJson, Inputs, Output, Runtime, Threads, Transform, run_files

if TYPE_CHECKING:
    from kelly_core.inference import Engine
    from kelly_groove.humanise import Feel

MODEL_ID = "groovepredictor"
COLUMNS = {"drum notes": "drum_notes", "moved by, ms": "mean_shift_ms", "at most, ms": "largest_shift_ms"}


def predict_command(
    inputs: Inputs,
    *,
    output: Output = None,
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
    runtime: Runtime = None,
    threads: Threads = 1,
    json: AsJson = False,
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
    from kelly_groove.humanise import Feel
    from kelly_groove.styles import controls

    told, feel = controls(style), Feel(amount, variation, seed)
    run_files(
        MODEL_ID,
        inputs,
        lambda engine: _transform(engine, told, feel, like, channel - 1),
        COLUMNS,
        word="grooved",
        output=output,
        runtime=runtime,
        threads=threads,
        as_json=json,
    )


def _transform(engine: Engine, told: tuple[int, int], feel: Feel, like: Path | None, channel: int) -> Transform:
    """What is done with one file after the other."""
    from kelly_core.features.midi import read_midi, write_back
    from kelly_groove.data.read import drum_notes, on_grid
    from kelly_groove.infer import groove_file, remember, summary

    memory = None
    if like is not None:
        heard = read_midi(like)
        memory = remember(engine, on_grid(heard, drum_notes(heard, channel)), told)

    def transform(source: Path, target: Path) -> dict[str, Any]:
        midi = read_midi(source)
        part, made = groove_file(engine, midi, told, feel, memory, channel)
        write_back(midi, target, onset_tick=made.onset_tick, velocity=made.velocity)
        return summary(midi, part, made)

    return transform
