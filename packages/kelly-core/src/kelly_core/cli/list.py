"""`kelly list`: what is installed, read from package metadata; plugins are loaded only for `--details`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from kelly_core.catalog import GROUPS, Entry, Kind, read_catalog
from kelly_core.cli import console
from kelly_core.cli.statuses import Status, read_statuses, status_of
from kelly_core.errors import UserError
from kelly_core.installed import names_by_kind

if TYPE_CHECKING:
    from kelly_core.specs import AnySpec

STATUS_COLOURS = {
    "trained": "green",
    "production": "green",
    "training": "yellow",
    "deprecated": "dim",
    "?": "red",
}


def command(
    kind: Annotated[Kind | None, typer.Option(help="Only what is of this kind.")] = None,
    by: Annotated[
        Literal["plugin", "package"], typer.Option(help="One line per plugin, or what each package brought.")
    ] = "plugin",
    details: Annotated[bool, typer.Option("--details", help="Load the plugins and show their specs.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show installed models, datasets, exporters, devices, observers and trained models.

    Reads package metadata only, so no plugin can slow it down or break it; with --details the plugins are
    loaded and what is broken is marked so. A model's status is that in the workspace's registry, else that of
    an installed package with the trained model, which is named.

    \b
    Examples:
      kelly list
      kelly list --kind model --json
      kelly list --kind exporter --details
      kelly list --by package                  what each package brought
    """  # noqa: D301 - \b is the character that keeps these lines apart
    installed = read_catalog(GROUPS)
    entries = [entry for entry in installed if kind in (None, entry.kind)]
    if by == "package":
        if details:
            raise UserError("details are of plugins", where="--by package", hint="leave out --details or --by")
        _show_packages(entries, as_json=as_json)
        return
    statuses = read_statuses(entry for entry in installed if entry.kind == "trained")
    described: Mapping[Entry, AnySpec | str | None] = {}
    if details:
        from kelly_core.cli import list_details

        described = list_details.described(entries)
    if as_json:
        console.print_json([_record(entry, statuses, described.get(entry)) for entry in entries])
    elif not entries:
        console.note(f"no plugin{f' of kind {kind}' if kind else ''} is installed")
    elif details:
        for entry in entries:
            list_details.show(entry, statuses, described[entry])
    else:
        _print_table(entries, statuses)


def _show_packages(entries: list[Entry], *, as_json: bool) -> None:
    """What each package brought: names by kind."""
    packages: dict[tuple[str, str, str], list[Entry]] = {}
    for entry in sorted(entries, key=lambda one: one.distribution):
        packages.setdefault((entry.distribution, entry.version, entry.summary), []).append(entry)
    records = [
        {"distribution": name, "version": version, "summary": summary, "brings": names_by_kind(brought)}
        for (name, version, summary), brought in packages.items()
    ]
    if as_json:
        console.print_json(records)
        return
    rows: list[tuple[str, str, str]] = []
    for (name, version, _), brought in packages.items():
        title = f"{name} {version}"
        for kind, names in names_by_kind(brought).items():
            rows.append((title, kind, ", ".join(names)))
            title = ""
    console.columns(("package", "kind", "names"), rows)


def _record(entry: Entry, statuses: Mapping[str, Status], details: AnySpec | str | None) -> dict[str, Any]:
    record: dict[str, Any] = {
        "name": entry.name,
        "kind": entry.kind,
        "distribution": entry.distribution,
        "version": entry.version,
        "module": entry.module,
        "summary": entry.summary,
    }
    if entry.kind in ("model", "trained"):
        status = status_of(entry, statuses)
        record["status"] = status and status.word
    if entry.kind == "model":
        record["installed_from"] = list(status.packages) if status else []
    if isinstance(details, str):
        record["broken"] = details
    elif details is not None:
        # The round trip turns references and tuples into plain values.
        record["details"] = json.loads(json.dumps(asdict(details), default=str))
    return record


def _print_table(entries: list[Entry], statuses: Mapping[str, Status]) -> None:
    names = [(entry.kind, entry.name) for entry in entries]
    rows = []
    told: set[str] = set()
    for entry in entries:
        # A name that two packages declare is shown the way it has to be typed.
        name = entry.qualified if names.count((entry.kind, entry.name)) > 1 else entry.name
        status = status_of(entry, statuses)
        word = status.word if status else "-" if entry.kind == "model" else ""
        about = "" if entry.distribution in told else entry.summary
        told.add(entry.distribution)
        rows.append((name, entry.kind, _coloured(word), f"{entry.distribution} {entry.version}", about))
    console.columns(("name", "kind", "status", "package", "about the package"), rows)


def _coloured(status: str) -> str:
    return console.paint(status, STATUS_COLOURS[status]) if status in STATUS_COLOURS else status
