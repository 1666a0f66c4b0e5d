"""`kelly predict chroma-key`: what the command line asks for; the work is in `kelly_chroma_key.infer`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from kelly_core.cli.predict_midi import AsJson, Inputs, Runtime, Threads

if TYPE_CHECKING:
    from kelly_core.inference import FilePrediction

MODEL_ID = "chromakey"


def predict_command(
    inputs: Inputs,
    *,
    bars: Annotated[bool, typer.Option("--bars/--no-bars", help="Also the key at the end of each bar.")] = True,
    top: Annotated[int, typer.Option(min=1, max=24, help="Keys to show, the likeliest first.")] = 1,
    runtime: Runtime = None,
    threads: Threads = 1,
    json: AsJson = False,
) -> None:
    """Name the key of MIDI files: of the whole, and bar by bar.

    What is said of a bar is known when it ends: nothing that comes later has a say. Ends with 2 when a file
    can't be used; the others are still done.

    \b
    Examples:
      kelly predict chroma-key tune.mid
      kelly predict chroma-key tunes/ --no-bars --top 3 --json
    """
    from kelly_core.cli.predict import find_inputs, predict_files
    from kelly_core.features.midi import SUFFIXES
    from kelly_core.inference import create_engine_by_name

    from kelly_chroma_key.infer import infer_file

    files = find_inputs(inputs, SUFFIXES)
    engine = create_engine_by_name(MODEL_ID, runtime=runtime, threads=threads).load()

    def key_of(file: Path) -> FilePrediction:
        found = infer_file(engine, file)
        return found if bars else replace(found, spans=())

    predict_files(files, key_of, top_k=top, as_json=json, engine=engine)
