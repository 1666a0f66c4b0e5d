"""`kelly predict emotion`: what the command line asks for; the work is in `kelly_emotion.infer`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from kelly_core.inference import Engine, FilePrediction

MODEL_ID = "emotionrecognizer"


def infer_file(engine: Engine, path: Path) -> FilePrediction:
    """Recognise the emotion of an audio file; see `kelly_emotion.infer.infer_file`."""
    from kelly_emotion.infer import infer_file as infer

    return infer(engine, path)


def predict_command(
    inputs: Annotated[
        list[Path], typer.Argument(metavar="FILE_OR_FOLDER...", help="Sound files, or folders of them.")
    ],
    *,
    top_k: Annotated[int, typer.Option("--top-k", "-k", min=1, max=7, help="Emotions to show.")] = 3,
    runtime: Annotated[
        str | None, typer.Option(help="onnx, torchscript or torch (default: the first that is there).")
    ] = None,
    hop: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", help="Also answer over time, this often (files over 10 s: every 2 s)."),
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="Threads of one inference.")] = 1,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Recognise the emotion in sound files: happy, sad, angry, fear, surprise, disgust or neutral.

    Ends with 2 when a file can't be used; the others are still shown.

    \b
    Examples:
      kelly predict emotion clip.wav other.flac
      kelly predict emotion recordings/ --json
      kelly predict emotion interview.mp3 --hop 0.5 --top-k 1
    """  # noqa: D301 - \b is the character that keeps these lines apart
    from kelly_core.cli.predict import find_inputs, predict_files
    from kelly_core.data.audio_files import READABLE
    from kelly_core.inference import create_engine_by_name
    from kelly_emotion.infer import infer_file as infer

    files = find_inputs(inputs, READABLE)
    engine = create_engine_by_name(MODEL_ID, runtime=runtime, threads=threads).load()
    predict_files(files, lambda path: infer(engine, path, hop), top_k=top_k, as_json=json, engine=engine)
