"""`kelly predict`: a group whose sub-commands are the installed models; and what these have in common."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import typer
from typer.core import TyperCommand, TyperGroup

from kelly_core.cli import console
from kelly_core.errors import KellyError, UserError

if TYPE_CHECKING:
    from kelly_core.infer.result import TopK
    from kelly_core.inference import Engine, FilePrediction

T = TypeVar("T")
Failed = list[tuple[Path, KellyError]]
"""Files that couldn't be used, and why."""
BAR = 24
"""Characters of a bar at probability 1."""


class ModelGroup(TyperGroup):
    """One sub-command per installed model, named from package metadata and imported when invoked."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Names of the installed models."""
        from kelly_core.catalog import read_catalog

        return sorted({entry.name for entry in read_catalog(("model",))})

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """A stub with name and help line; no plugin code runs."""
        from kelly_core.catalog import read_catalog

        found = [entry for entry in read_catalog(("model",)) if entry.name == cmd_name]
        return TyperCommand(cmd_name, callback=None, help=found[0].summary) if found else None

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The model's own command; any of the model's names will do."""
        if args[0].startswith("-"):
            return super().resolve_command(ctx, args)
        spec = console.host().model(_choose_package(ctx, args[0]))
        if spec.predict is None:
            raise UserError(
                f"the model {spec.name!r} brings no `kelly predict` command",
                where="kelly predict",
                hint="use it from Python: kelly_core.inference.create_engine_by_name",
            )
        single = typer.Typer(add_completion=False)
        single.command(spec.name)(spec.predict.resolve())
        return spec.name, typer.main.get_command(single), args[1:]


app = typer.Typer(cls=ModelGroup, no_args_is_help=True, add_completion=False)


@app.callback()
def _group() -> None:
    """Run a model on files or folders.

    \b
    Examples:
      kelly predict emotion clip.wav
      kelly predict emotion recordings/ --json
      kelly predict kelly-model-mine:emotion clip.wav    from that installed package
      kelly predict emotion --help
    """  # noqa: D301 - \b is the character that keeps these lines apart


def _choose_package(ctx: Any, name: str) -> str:
    """The model's name, once `package:name` has made the installed package come before the workspace."""
    from kelly_core.trained import CHOICE, find_home

    home = find_home(name, console.workspace()) if ":" in name else None
    if home is None or home.entry is None:
        return name
    console.set_for_command(ctx, CHOICE, home.entry.distribution)  # the model's own command opens it by its id
    return home.model_id


def find_inputs(paths: Sequence[Path], suffixes: Collection[str]) -> list[Path]:
    """The files given, and for each folder the files below it with one of these suffixes, sorted.

    Raises:
        UserError: A path doesn't exist, or a folder holds no such file.
    """
    from kelly_core.data.listing import find_files

    found: list[Path] = []
    for path in paths:
        if not path.exists():
            raise UserError(
                "there is no such file or folder", where=str(path), hint="check the name", code="usage.no-file"
            )
        below = sorted(map(Path, find_files(path, suffixes))) if path.is_dir() else [path]
        if not below:
            wanted = ", ".join(sorted(suffixes))
            raise UserError(
                f"the folder holds no {wanted} file",
                where=str(path),
                hint="give another folder",
                code="usage.no-file",
            )
        found += below
    return list(dict.fromkeys(found))


def run_each(files: Sequence[Path], work: Callable[[Path], T]) -> tuple[list[T], Failed]:
    """Do the work with one file after the other, showing progress; a bad file stops no other.

    Args:
        files: Which; each once.
        work: Done with each; raises `KellyError` over a bad file.

    Returns:
        What came out, in order, and the files that couldn't be used with the errors.
    """
    done: list[T] = []
    failed: Failed = []
    with console.progress() as bar:
        for path in bar.track(files, "predicting", len(files)) if len(files) > 1 else files:
            try:
                done.append(work(path))
            except KellyError as error:
                failed.append((path, error))
    return done, failed


def tell(
    records: Sequence[Mapping[str, Any]],
    failed: Failed,
    show: Callable[[], None],
    *,
    as_json: bool,
    about: Mapping[str, Any] | None = None,
) -> None:
    """Print what `run_each` gave: as JSON, or with `show` and an error message for each bad file.

    Args:
        records: One for each file that was done, in plain values.
        failed: The others.
        show: Prints the results for people; called when there are any.
        as_json: Print JSON instead.
        about: What the JSON says beside predictions and errors.

    Raises:
        typer.Exit: With 2 when any file failed.
    """
    if as_json:
        errors = [{"file": str(path), "code": e.code, "error": e.message, "hint": e.hint} for path, e in failed]
        console.print_json({**(about or {}), "predictions": list(records), "errors": errors})
    else:
        if records:
            show()
        for _, why in failed:
            console.show_error(why)
    if failed:
        raise typer.Exit(2)


def predict_files(
    files: Sequence[Path],
    predict: Callable[[Path], FilePrediction],
    *,
    top_k: int,
    as_json: bool,
    engine: Engine | None = None,
) -> None:
    """Classify files one after the other and print what came out.

    A file that can't be used is reported and the others go on.

    Args:
        files: What to classify.
        predict: Classifies one; raises `KellyError` over a bad file.
        top_k: Labels to show.
        as_json: Print JSON instead of a table.
        engine: What classifies; said beside the results.

    Raises:
        typer.Exit: With 2 when any file failed.
    """
    about = tell_engine(engine, as_json=as_json) if engine is not None else None
    done, failed = run_each(files, predict)
    records = [one.as_dict(top_k) for one in done]
    tell(records, failed, lambda: show_labels(done, top_k), as_json=as_json, about=about)


def tell_engine(engine: Engine, *, as_json: bool) -> dict[str, Any]:
    """Say which model is used: a line for people; for JSON what `tell` takes as `about`."""
    about = engine.about()
    if not as_json:
        path, package = Path(about["file"]), engine.package
        console.note(f"model: {f'{path.name} of {package}' if package else console.workspace().relative(path)}")
    return {"model": about}


def show_labels(predictions: Sequence[FilePrediction], k: int) -> None:
    """Print a table of the `k` best labels of each file and of its parts over time."""
    rows = [row for one in predictions for row in _rows(one, k)]
    console.table(("file", "time", "label", "probability", ""), rows)


def clock(start: float, end: float) -> str:
    """A part of a file for people: `"0:03.0 - 1:12.5"`, from seconds."""
    return " - ".join(f"{int(at // 60)}:{at % 60:04.1f}" for at in (start, end))


def _rows(prediction: FilePrediction, k: int) -> list[tuple[str, ...]]:
    from kelly_core.infer.result import top_k

    name = str(prediction.path)
    rows = _block(name, f"{prediction.seconds:.1f} s", prediction.get_top_k(k))
    for span in prediction.spans:
        best = top_k(span.probabilities, prediction.labels, 1)
        rows += _block("", clock(span.start, span.end), best)
    return rows


def _block(name: str, when: str, best: Sequence[TopK]) -> list[tuple[str, ...]]:
    return [
        (
            name if at == 0 else "",
            when if at == 0 else "",
            one.label,
            f"{one.score:.1%}",
            "█" * max(1, round(BAR * one.score)),
        )
        for at, one in enumerate(best)
    ]
