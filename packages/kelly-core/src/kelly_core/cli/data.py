"""`kelly data`: make the data root, get, import, check, describe and precompute training data."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kelly_core.cli import console
from kelly_core.cli.complete import complete_dataset, complete_model
from kelly_core.cli.data_get import get
from kelly_core.cli.data_source import about, data_root_for, model_config, open_data, print_about, print_some

if TYPE_CHECKING:
    from kelly_core.data.stats import ClassStats

app = typer.Typer(no_args_is_help=True, help="Get, import, check, describe and precompute training data.")

app.command("get")(get)

DataPath = Annotated[
    str | None, typer.Argument(metavar="PATH", help="A folder, or `demo`; default: the model's data root.")
]
Model = Annotated[
    str, typer.Option("--model", "-m", help="The model that the data is for.", autocompletion=complete_model)
]
DatasetName = Annotated[
    str | None, typer.Option("--dataset", help="Dataset plugin that reads it.", autocompletion=complete_dataset)
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Workers = Annotated[int, typer.Option(min=1, max=256, help="Files worked on at once.")]


@app.command("init")
def init(
    root: Annotated[
        Path | None, typer.Argument(metavar="ROOT", help="The data root; default: KELLY_DATA_ROOT or data/.")
    ] = None,
    link: Annotated[bool, typer.Option("--link", help="Link the workspace's data/ to it.")] = False,
    as_json: Json = False,
) -> None:
    """Make the data root's folders; what is there stays.

    \b
    Examples:
      kelly data init
      kelly data init /Volumes/SSD/kelly-audio-data --link
    """  # noqa: D301 - \b is the character that keeps these lines apart
    from kelly_core.data.folders import link_data_root, make_data_root
    from kelly_core.errors import UserError

    place = console.workspace()
    target = root.expanduser().resolve() if root else place.data_root()
    if link and target == place.root / "data":
        raise UserError("there is nothing to link: the data root is the workspace's data/", hint="name a ROOT")
    made = make_data_root(target)
    linked = link and link_data_root(place.root / "data", target)
    if as_json:
        console.print_json({"root": str(target), "made": [str(path) for path in made], "linked": linked})
        return
    console.say(f"data root: {target} ({len(made)} folders made)")
    if link:
        console.say(f"link: {place.root / 'data'} -> {target}")
    elif root and place.data_root() != target:
        console.note(f"to use it, set KELLY_DATA_ROOT={target}, or run this again with --link")


@app.command("import")
def import_(
    source: Annotated[Path, typer.Argument(metavar="SRC", help="Folder of sound files; only read.")],
    to: Annotated[str, typer.Option(help="Folder below the data root's raw/, or any path.")] = "emotions",
    duration: Annotated[
        float | None, typer.Option(help="Make every clip this long, in s; sets --min and --max.")
    ] = None,
    shortest: Annotated[
        float, typer.Option("--min", help="Pad shorter clips with silence to this, in s.")
    ] = 1.0,
    longest: Annotated[float, typer.Option("--max", help="Cut longer clips to this, in s.")] = 10.0,
    workers: Workers = 2,
    as_json: Json = False,
) -> None:
    """Convert sound files to 16 kHz mono WAV, keeping their sub-folders.

    Run again, it converts only what is new or changed; stopped, it goes on where it was.

    \b
    Examples:
      kelly data import ~/Downloads/clips --to emotions
      kelly data import ~/Downloads/clips --to emotions --duration 3
    """  # noqa: D301 - \b is the character that keeps these lines apart
    from kelly_core.data.importing import ImportSettings, import_folder
    from kelly_core.workspace import RAW_FOLDERS

    low, high = (duration, duration) if duration is not None else (shortest, longest)
    settings = ImportSettings(shortest=low, longest=high)
    target = data_root_for(to) / "raw" / to if to in RAW_FOLDERS else Path(to)
    with console.progress() as bar:
        try:
            report = import_folder(source, target, settings, bar, workers)
        except KeyboardInterrupt:
            console.note("stopped; run the same command again to go on")
            raise
    if as_json:
        from dataclasses import asdict

        console.print_json({"source": str(source), "target": str(target), **asdict(report)})
        return
    print_some("unusable", report.problems)
    console.say(
        f"{report.converted} converted ({report.padded} padded, {report.truncated} cut), "
        f"{report.unchanged} unchanged, {len(report.problems)} left out -> {target}"
    )


@app.command("validate")
def validate(
    path: DataPath = None,
    model: Model = "emotion",
    dataset: DatasetName = None,
    workers: Workers = 1,
    as_json: Json = False,
) -> None:
    """Decode every file and look for leaks between train, validation and test.

    Leaks are: one speaker, the same audio, or nearly the same audio (other level, format, rate or a small
    trim) on two sides; of MIDI files the same notes, or one tune in another key or tempo. Exits with 1 when
    there are leaks or unusable files.

    \b
    Examples:
      kelly data validate
      kelly data validate ~/clips --model emotion
      kelly data validate ~/ravdess --dataset ravdess --json
    """  # noqa: D301 - \b is the character that keeps these lines apart
    from kelly_core.data.discover import feature_cache_folder
    from kelly_core.data.leaks import build_fingerprints, find_leaks
    from kelly_core.data.splits import describe_split, split_items

    opened, config = open_data(path, model, dataset)
    split = split_items(opened.items, config.split)
    cache = feature_cache_folder(console.workspace(), config.data_root)
    with console.progress() as bar:
        prints = build_fingerprints(opened.items, cache, bar, workers)
    leaks = find_leaks(opened.items, split, prints)
    problems = [*opened.problems, *prints.problems]
    sides = describe_split(opened.items, split)
    if as_json:
        from dataclasses import asdict

        console.print_json(
            {
                **about(opened),
                "content_hash": prints.content_hash,
                "split": sides,
                "problems": [asdict(problem) for problem in problems],
                "leaks": [asdict(leak) for leak in leaks],
            }
        )
    else:
        print_about(opened)
        columns = ("side", "items", f"{opened.group_kind}s", "labels")
        labels = {side: ", ".join(f"{k} {v}" for k, v in of["labels"].items()) for side, of in sides.items()}
        console.table(columns, [(side, of["items"], of["groups"], labels[side]) for side, of in sides.items()])
        print_some("unusable", problems)
        print_some("leak", leaks)
        verdict = "no leaks" if not leaks else f"{len(leaks)} leaks"
        console.say(f"{len(opened.items)} items, {len(problems)} unusable files, {verdict}")
    if leaks or problems:
        raise typer.Exit(1)


@app.command("stats")
def stats(
    path: DataPath = None, model: Model = "emotion", dataset: DatasetName = None, as_json: Json = False
) -> None:
    """Show classes, durations, speakers, formats and size; only headers are read.

    \b
    Examples:
      kelly data stats
      kelly data stats ~/clips --json
    """  # noqa: D301 - \b is the character that keeps these lines apart
    from kelly_core.data.stats import ADVISED_BYTES, dataset_stats

    opened, _ = open_data(path, model, dataset)
    with console.progress() as bar:
        found = dataset_stats(opened, bar)
    if as_json:
        console.print_json({**about(opened), **found.as_json()})
        return
    print_about(opened)
    rows = [*found.classes.items(), ("all", found.overall)]
    console.table(
        ("class", "items", f"{opened.group_kind}s", "minutes", "shortest s", "mean s", "longest s"),
        [
            (label, of.items, of.groups, f"{of.total_s / 60:.1f}", *map("{:.2f}".format, _lengths(of)))
            for label, of in rows
        ],
    )
    for kind, count in found.formats.items():
        console.say(f"{count} files: {kind}")
    advice = "within the advised 2 GB" if found.bytes <= ADVISED_BYTES else "more than the advised 2 GB"
    console.say(f"size: {found.bytes / 1e6:.1f} MB, {advice}")
    print_some("unusable", found.problems)


@app.command("precompute")
def precompute(
    path: DataPath = None,
    model: Model = "emotion",
    dataset: DatasetName = None,
    workers: Workers = 1,
    as_json: Json = False,
) -> None:
    """Compute the features that training needs, so that it starts at once.

    \b
    Examples:
      kelly data precompute --model emotion
      kelly data precompute ~/clips --workers 4
    """  # noqa: D301 - \b is the character that keeps these lines apart
    from kelly_core.pipeline.prepare import Request, find_job

    request = Request(model, data=path, dataset=dataset)
    job = find_job(request, console.workspace(), console.host())
    with console.progress() as bar:
        prepared = job.prepare(bar, workers)
    sides = {side: len(source) for side, source in prepared.sources.items()}
    if as_json:
        from dataclasses import asdict

        problems = [asdict(problem) for problem in prepared.problems]
        summary = {"cache": str(job.cache), "content_hash": prepared.content_hash, "examples": sides}
        console.print_json({**about(job.dataset), **summary, "problems": problems})
        return
    print_about(job.dataset)
    print_some("unusable", prepared.problems)
    counts = ", ".join(f"{side} {count}" for side, count in sides.items())
    console.say(f"features ready: {counts} -> {job.cache}")


@app.command("cache")
def cache(
    clear: Annotated[bool, typer.Option("--clear", help="Delete it; it is rebuilt when needed.")] = False,
    model: Model = "emotion",
    as_json: Json = False,
) -> None:
    """Show the size of the feature cache, or clear it.

    \b
    Examples:
      kelly data cache
      kelly data cache --clear
    """  # noqa: D301 - \b is the character that keeps these lines apart
    from kelly_core.data.discover import feature_cache_folder
    from kelly_core.features.cache import cache_size, clear_cache

    place = console.workspace()
    folder = feature_cache_folder(place, model_config(console.host(), model).data_root)
    files, size = cache_size(folder)
    freed = clear_cache(folder) if clear else 0
    if as_json:
        console.print_json({"folder": str(folder), "files": files, "bytes": size, "freed": freed})
    elif clear:
        console.say(f"freed {freed / 1e6:.1f} MB in {folder}")
    else:
        console.say(f"{size / 1e6:.1f} MB in {files} files in {folder}")


def _lengths(of: ClassStats) -> tuple[float, float, float]:
    return of.shortest_s, of.mean_s, of.longest_s
