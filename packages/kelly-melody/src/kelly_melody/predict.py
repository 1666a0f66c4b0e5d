"""`kelly predict melody`: what the command line asks for; the work is in `kelly_melody.infer`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kelly_core.cli.predict_midi import AsJson, Output, Runtime, Threads

if TYPE_CHECKING:
    from collections.abc import Callable

    from kelly_core.features.midi import Key
    from kelly_core.inference import Engine
    from kelly_melody.infer import Order
    from kelly_melody.tokens import Metre

MODEL_ID = "melodytransformer"
COLUMNS = {"key": "key", "metre": "metre", "heard": "heard", "notes": "notes", "bars": "bars"}
NOTHING = "(nothing)"


def predict_command(
    inputs: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[FILE_OR_FOLDER]...", help="MIDI files to continue; none: begin a melody."),
    ] = None,
    *,
    output: Output = None,
    bars: Annotated[
        int, typer.Option(min=0, max=1024, help="Bars to write; 0: until the model ends the melody.")
    ] = 8,
    key: Annotated[
        str | None, typer.Option(help="Key, as in G or 'F# minor' (default: the file's, else estimated; C).")
    ] = None,
    metre: Annotated[str, typer.Option(help="Metre of a melody begun from nothing.")] = "4/4",
    tempo: Annotated[
        float, typer.Option(min=4.0, max=1000.0, help="Quarter notes a minute, from nothing.")
    ] = 120.0,
    temperature: Annotated[
        float, typer.Option(min=0.0, max=100.0, help="Above 1 is more daring; 0 takes the likeliest.")
    ] = 1.0,
    top_k: Annotated[int, typer.Option(min=0, help="Draw among this many likeliest; 0: among all.")] = 0,
    top_p: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Draw among the likeliest that have this probability.")
    ] = 0.95,
    seed: Annotated[int, typer.Option(min=0, max=2**64 - 1, help="The same seed, the same phrase.")] = 0,
    only_new: Annotated[bool, typer.Option("--only-new", help="Leave out what was there.")] = False,
    runtime: Runtime = None,
    threads: Threads = 1,
    json: AsJson = False,
) -> None:
    """Continue the melodies of MIDI files in their key and metre, or begin one.

    An unfinished bar is filled up first. All that a file held stays in it. Ends with 2 when a file can't be
    used; the others are still done.

    \b
    Examples:
      kelly predict melody seed.mid --bars 8 -o out.mid
      kelly predict melody --key "E minor" --metre 6/8 --tempo 90 --bars 16 -o jig.mid
      kelly predict melody seeds/ -o continued/ --temperature 0.8 --seed 3 --json
    """  # noqa: D301 - \b is the character that keeps these lines apart
    from kelly_core.cli.predict_midi import run_files, transform_files
    from kelly_core.features.midi import Key, parse_key
    from kelly_core.inference import create_engine_by_name
    from kelly_melody.infer import Order
    from kelly_melody.sampling import Taste
    from kelly_melody.tokens import parse_metre

    told = parse_key(key) if key else None
    order = Order(bars or None, Taste(temperature, top_k, top_p), seed)
    if inputs:
        run_files(
            MODEL_ID,
            inputs,
            lambda engine: _continue(engine, told, order, only_new=only_new),
            COLUMNS,
            word="continued",
            output=output,
            runtime=runtime,
            threads=threads,
            as_json=json,
        )
        return
    wanted = parse_metre(metre)
    engine = create_engine_by_name(MODEL_ID, runtime=runtime, threads=threads).load()
    begin = _begin(engine, told or Key(source="assumed"), wanted, tempo, order)
    targets = [output or Path("melody.mid")]
    transform_files([Path(NOTHING)], targets, begin, COLUMNS, as_json=json, engine=engine)


def _continue(
    engine: Engine, key: Key | None, order: Order, *, only_new: bool
) -> Callable[[Path, Path], dict[str, Any]]:
    """What is done with one file after the other."""
    from kelly_core import atomic
    from kelly_core.features.midi import read_midi
    from kelly_melody.data.read import to_melody
    from kelly_melody.infer import compose, continued

    def transform(source: Path, target: Path) -> dict[str, Any]:
        midi = read_midi(source)
        melody = to_melody(midi, key)
        written = compose(engine, melody, melody.key, melody.metres[0][1], order)
        atomic.write_bytes(target, continued(midi, melody, written, only_new=only_new))
        return {**written.summary(), "seed": order.seed, "problems": list(midi.problems)}

    return transform


def _begin(
    engine: Engine, key: Key, metre: Metre, bpm: float, order: Order
) -> Callable[[Path, Path], dict[str, Any]]:
    from kelly_core import atomic
    from kelly_melody.infer import compose, from_nothing

    def transform(_: Path, target: Path) -> dict[str, Any]:
        written = compose(engine, None, key, metre, order)
        atomic.write_bytes(target, from_nothing(written, bpm))
        return {**written.summary(), "seed": order.seed, "tempo": bpm}

    return transform
