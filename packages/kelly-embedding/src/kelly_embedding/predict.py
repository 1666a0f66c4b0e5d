"""`kelly predict audio-autoencoder`: what the command line asks for; the work is in `kelly_embedding.infer`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

MODEL_ID = "audioautoencoder"


def predict_command(
    inputs: Annotated[
        list[Path], typer.Argument(metavar="FILE_OR_FOLDER...", help="Sound files, or folders of them.")
    ],
    *,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="OUT.csv", help="Write the embeddings there (.csv, .json, .npz or .npy)."
        ),
    ] = None,
    windows: Annotated[
        bool, typer.Option("--windows", help="Each window's embedding too: rows of their own in a CSV.")
    ] = False,
    like: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Show the files nearest to this one first.")
    ] = None,
    runtime: Annotated[
        str | None, typer.Option(help="onnx, torchscript or torch (default: the first that is there).")
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="Threads of one inference.")] = 1,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Turn sound files into vectors: alike sounds get alike ones.

    Each window of a quarter of a second becomes 32 numbers; a file is their means, then their deviations.
    Tables name files as metadata.csv does, relative to themselves, so that both can be joined.

    Ends with 2 when a file can't be used; the others are still done.

    \b
    Examples:
      kelly predict audio-autoencoder samples/ -o samples/embeddings.csv
      kelly predict audio-autoencoder samples/ --like kick.wav
      kelly predict audio-autoencoder song.wav -o song.csv --windows
      kelly predict audio-autoencoder samples/ -o vectors.npz --json
    """  # noqa: D301 - \b is the character that keeps these lines apart
    from kelly_core.cli.predict import find_inputs, run_each, tell
    from kelly_core.cli.predict_embeddings import records, show_nearest, show_sizes, write
    from kelly_core.data.audio_files import READABLE
    from kelly_core.infer.embedding import check_table
    from kelly_core.inference import create_engine_by_name
    from kelly_embedding.infer import embed_file

    if output is not None:
        check_table(output)
    files = find_inputs(inputs, READABLE)
    if like is not None:
        find_inputs([like], READABLE)
    engine = create_engine_by_name(MODEL_ID, runtime=runtime, threads=threads).load()
    target = None if like is None else embed_file(engine, like)
    done, failed = run_each(files, lambda path: embed_file(engine, path))
    about: dict[str, Any] = {"model": MODEL_ID, "run_id": engine.contract.run_id}
    if output is not None:
        write(output, files, done, windows=windows)
        about["output"] = str(output)

    def show() -> None:
        if target is not None:
            show_nearest(done, target)
        elif output is None:
            show_sizes(done)

    tell(records(done, target, windows=windows), failed, show, as_json=json, about=about)
