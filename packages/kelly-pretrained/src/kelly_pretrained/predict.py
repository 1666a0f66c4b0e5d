"""`kelly predict whisper-tiny` and `kelly predict clap`: what the command line asks for, and what is shown."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kelly_core.errors import UserError

if TYPE_CHECKING:
    from kelly_core.inference import FileEmbedding, FilePrediction
    from kelly_pretrained.origins import Origin
    from kelly_pretrained.whisper import Transcript

Inputs = Annotated[
    list[Path], typer.Argument(metavar="FILE_OR_FOLDER...", help="Sound files, or folders of them.")
]
Weights = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        help="Folder of weights (default: below KELLY_PRETRAINED or DATA/pretrained, else the hub's cache).",
    ),
]
Download = Annotated[
    bool, typer.Option("--download", help="Fetch the weights into the hub's cache if they are nowhere.")
]
Threads = Annotated[int | None, typer.Option(min=1, help="Threads (default: one for each core).")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def whisper_command(
    inputs: Inputs,
    *,
    language: Annotated[
        str | None, typer.Option(help="en, German, ... (default: detected in each file's first 30 s).")
    ] = None,
    weights: Weights = None,
    download: Download = False,
    threads: Threads = None,
    json: AsJson = False,
) -> None:
    """Write down what is said in sound files, with times.

    Made for speech: sung words are often misheard, and music may be taken for words.

    Ends with 2 when a file can't be used; the others are still shown.

    \b
    Examples:
      kelly predict whisper-tiny talk.wav
      kelly predict whisper-tiny talk.wav --download    when the weights aren't here
      kelly predict whisper-tiny recordings/ --language en --json
      kelly predict whisper-tiny talk.wav --weights ~/models/whisper-small
    """  # noqa: D301 - \b is the character that keeps these lines apart
    from kelly_core.cli.predict import find_inputs, run_each, tell
    from kelly_core.data.audio_files import READABLE
    from kelly_pretrained.origins import WHISPER_TINY
    from kelly_pretrained.whisper import open_weights

    files = find_inputs(inputs, READABLE)
    folder = _folder(WHISPER_TINY, weights, download=download, threads=threads)
    model = open_weights(folder)
    code = None if language is None else model.language(language)
    done, failed = run_each(files, lambda path: model.transcribe(path, code))
    records = [one.as_dict() for one in done]
    about = {"model": WHISPER_TINY.about(folder)}
    tell(records, failed, lambda: _show_transcripts(done), as_json=json, about=about)


def clap_command(
    inputs: Inputs,
    *,
    labels: Annotated[
        str | None, typer.Option(metavar="A,B,...", help="Descriptions to choose from, between commas.")
    ] = None,
    like: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Say how near each file is to the sound of this one.")
    ] = None,
    embedding: Annotated[
        Path | None,
        typer.Option(metavar="OUT.npy", help="Write the embeddings there (.npy, .npz, .csv or .json)."),
    ] = None,
    weights: Weights = None,
    download: Download = False,
    threads: Threads = None,
    json: AsJson = False,
) -> None:
    """Compare sound with words, or with other sound.

    A sound and a text become vectors of length 1; what belongs together lies near.

    Ends with 2 when a file can't be used; the others are still shown.

    \b
    Examples:
      kelly predict clap song.wav --labels "happy music,sad music"
      kelly predict clap samples/ --like kick.wav       nearest first, by cosine
      kelly predict clap samples/ --embedding samples.npy
      kelly predict clap samples/ --json                the vectors too
      kelly predict clap song.wav --json --download     when the weights aren't here
    """  # noqa: D301 - \b is the character that keeps these lines apart
    from kelly_core.cli.predict import find_inputs, run_each, tell
    from kelly_core.cli.predict_embeddings import write
    from kelly_core.data.audio_files import READABLE
    from kelly_core.infer.embedding import check_table
    from kelly_pretrained.clap import open_weights
    from kelly_pretrained.origins import CLAP

    if not (labels is not None or like or embedding or json):
        raise UserError(
            "nothing was asked about the files",
            where="kelly predict clap",
            hint='add --labels "happy music,sad music", --like FILE, --embedding OUT.npy or --json',
        )
    names = [] if labels is None else parse_labels(labels)
    if embedding is not None:
        check_table(embedding)
    files = find_inputs(inputs, READABLE)
    if like is not None:
        find_inputs([like], READABLE)
    folder = _folder(CLAP, weights, download=download, threads=threads)
    model = open_weights(folder)
    texts = model.embed_texts(names) if names else None
    target = None if like is None else model.embed_file(like)
    done, failed = run_each(files, model.embed_file)
    labelled = None if texts is None else [model.classify(sound, names, texts) for sound in done]
    about: dict[str, Any] = {"model": CLAP.about(folder)}
    if embedding is not None:
        write(embedding, files, done)
        about["embedding"] = {"file": str(embedding), "rows": [str(path) for path in files]}
    tell(
        _records(done, labelled, target),
        failed,
        lambda: _show_sounds(done, labelled, target),
        as_json=json,
        about=about,
    )


def parse_labels(text: str) -> list[str]:
    """Labels between commas.

    Raises:
        UserError: There are fewer than two, or one stands twice: the probabilities would say nothing.

    >>> parse_labels("happy music, sad music")
    ['happy music', 'sad music']
    """
    labels = [part.strip() for part in text.split(",") if part.strip()]
    doubled = sorted({label for label in labels if labels.count(label) > 1})
    if doubled:
        raise UserError(f"the label {doubled[0]!r} stands twice", where="--labels", hint="give each once")
    if len(labels) < 2:
        raise UserError(
            "one label beside none has always probability 1",
            where="--labels",
            hint='give two or more, between commas: --labels "happy music,sad music"',
        )
    return labels


def _folder(origin: Origin, weights: Path | None, *, download: bool, threads: int | None) -> Path:
    """The weights to use, once it is sure that they can be run here."""
    from kelly_core.cli import console
    from kelly_pretrained.origins import require_libraries
    from kelly_pretrained.weights import find_weights

    require_libraries(origin)
    folder = find_weights(origin, console.workspace(), weights, download=download)
    if threads is not None:
        import torch

        torch.set_num_threads(threads)
    return folder


def _show_transcripts(transcripts: Sequence[Transcript]) -> None:
    from kelly_core.cli import console
    from kelly_core.cli.predict import clock

    rows: list[tuple[str, str, str]] = []
    for one in transcripts:
        said = [(clock(part.start, part.end), part.text) for part in one.segments] or [("", "(no words)")]
        rows.append((str(one.path), f"{one.seconds:.1f} s", f"({one.language})"))
        rows += [("", when, text) for when, text in said]
    console.table(("file", "time", "words"), rows)


def _records(
    sounds: Sequence[FileEmbedding], labelled: Sequence[FilePrediction] | None, target: FileEmbedding | None
) -> list[dict[str, Any]]:
    """What was asked for, in plain values: labels, cosines, and embeddings where no labels were given."""
    from kelly_core.cli.predict_embeddings import records

    found = records(sounds, target)
    if labelled is not None:
        for record, said in zip(found, labelled, strict=True):
            del record["embedding"]
            record.update(said.as_dict(len(said.labels)))
    return found


def _show_sounds(
    sounds: Sequence[FileEmbedding], labelled: Sequence[FilePrediction] | None, target: FileEmbedding | None
) -> None:
    from kelly_core.cli.predict import show_labels
    from kelly_core.cli.predict_embeddings import show_nearest

    if labelled is not None:
        show_labels(labelled, len(labelled[0].labels))
    if target is not None:
        show_nearest(sounds, target)
