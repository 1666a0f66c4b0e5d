"""`kelly predict harmony`: what the command line asks for; the work is in `kelly_harmony.infer`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kelly_core.cli.predict_midi import AsJson, Inputs, Output, Runtime, Threads

if TYPE_CHECKING:
    from collections.abc import Callable

    from kelly_core.inference import Engine
    from kelly_harmony.infer import Wish

MODEL_ID = "harmonypredictor"
COLUMNS = {"key": "key", "from": "key_from", "beats": "beats", "chords": "chords"}


class How(StrEnum):
    """Ways from scores to chords."""

    greedy = "greedy"
    beam = "beam"
    viterbi = "viterbi"


class Symbols(StrEnum):
    """Where chord symbols are written."""

    both = "both"
    lyrics = "lyrics"
    markers = "markers"
    none = "none"


def predict_command(
    inputs: Inputs,
    *,
    output: Output = None,
    decode: Annotated[
        How, typer.Option(help="greedy: each beat by itself; viterbi, beam: with a prior of what follows.")
    ] = How.viterbi,
    prior: Annotated[float, typer.Option(min=0.0, max=10.0, help="How much that prior counts.")] = 0.3,
    variation: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="0 takes the likeliest chords, 1 draws them.")
    ] = 0.0,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the draw.")] = 0,
    key: Annotated[
        str | None, typer.Option(help="Key of the melody, as in 'G major', Am (default: found).")
    ] = None,
    track: Annotated[
        str | None, typer.Option(help="The melody's track, by name or number from 1 (default: found).")
    ] = None,
    symbols: Annotated[Symbols, typer.Option(help="How chord symbols are written.")] = Symbols.both,
    runtime: Runtime = None,
    threads: Threads = 1,
    json: AsJson = False,
) -> None:
    """Put chords under the melodies of MIDI files.

    All that a file holds stays; a track of voiced chords and their symbols comes in addition. The key is the
    file's, or estimated, which is said. Ends with 2 when a file can't be used; the others are still done.

    \b
    Examples:
      kelly predict harmony melody.mid -o lead.mid
      kelly predict harmony melody.mid -o lead.mid --decode greedy --key "A minor" --json
      kelly predict harmony tunes/ -o leads/ --variation 0.5 --seed 3
    """  # noqa: D301 - \b is the character that keeps these lines apart
    from kelly_core.cli.predict_midi import run_files
    from kelly_core.features.midi import parse_key
    from kelly_harmony.infer import Wish
    from kelly_harmony.keys import key_number

    told = key_number(parse_key(key)) if key is not None else None
    wish = Wish(decode.value, prior, variation, seed, track, told)
    run_files(
        MODEL_ID,
        inputs,
        lambda engine: _transform(engine, wish, symbols.value, beats=json),
        COLUMNS,
        word="harmonised",
        output=output,
        runtime=runtime,
        threads=threads,
        as_json=json,
    )


def _transform(
    engine: Engine, wish: Wish, symbols: str, *, beats: bool
) -> Callable[[Path, Path], dict[str, Any]]:
    """What is done with one file after the other."""
    from kelly_core import atomic
    from kelly_core.features.midi import read_midi
    from kelly_harmony.infer import harmonise, summary, written

    def transform(source: Path, target: Path) -> dict[str, Any]:
        midi = read_midi(source)
        made = harmonise(engine, midi, wish)
        atomic.write_bytes(target, written(midi, made, symbols))
        return {**summary(midi, made, beats=beats), "decode": wish.how, "seed": wish.seed}

    return transform
