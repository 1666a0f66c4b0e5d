"""`kelly list`: what is installed, read from package metadata; plugins are loaded only for `--details`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated, Any, Literal

import typer

from kelly_core.catalog import GROUPS, PLUGINS, Entry, Kind, read_catalog
from kelly_core.cli import console
from kelly_core.cli.statuses import Status, read_statuses, status_of
from kelly_core.errors import UserError
from kelly_core.installed import names_by_kind
from kelly_core.specs import AnySpec, DatasetSpec, DeviceSpec, ExporterSpec, ModelSpec, TensorSpec
from kelly_core.trained import read_record

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
    described = _described(entries) if details else {}
    if as_json:
        console.print_json([_record(entry, statuses, described.get(entry)) for entry in entries])
    elif not entries:
        console.note(f"no plugin{f' of kind {kind}' if kind else ''} is installed")
    elif details:
        for entry in entries:
            _print_details(entry, statuses, described[entry])
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


def _described(entries: list[Entry]) -> dict[Entry, AnySpec | str | None]:
    """The spec of each entry, or why there is none; observers and trained models have none."""
    from kelly_core.plugins import HOOK_OF

    host = console.host()
    found: dict[Entry, AnySpec | str | None] = {}
    for entry in entries:
        failure = host.probe(entry) if entry.kind in PLUGINS else None
        if failure is not None:
            found[entry] = str(failure)
        elif entry.kind in HOOK_OF:
            found[entry] = host.spec_of(entry)
        else:
            found[entry] = None
    return found


def _print_details(entry: Entry, statuses: Mapping[str, Status], details: AnySpec | str | None) -> None:
    console.say(f"{console.paint(entry.qualified, 'bold')}  {entry.kind}, {entry.distribution} {entry.version}")
    lines = [f"broken: {details}"] if isinstance(details, str) else _spec_lines(details)
    if entry.kind == "model":
        only_run = isinstance(details, ModelSpec) and details.pretrained is not None
        lines.insert(0, f"status: {'only run' if only_run else status_of(entry, statuses) or '-'}")
    elif entry.kind == "trained":
        lines = _record_lines(read_record(entry))
    for line in lines:
        console.say(f"    {line}")


def _record_lines(record: Mapping[str, Any]) -> list[str]:
    """What an installed trained model says of itself."""
    if not record:
        return ["broken: its registry can't be read; see `kelly doctor`"]
    made = "synthetic data" if record.get("synthetic_data") else "data"
    return [
        f"status: {record.get('status')}",
        f"of the model {record.get('name')}; task: {record.get('task')}",
        f"formats: {', '.join(record.get('artifacts') or ())}",
        f"{made}: {record.get('dataset')}; trained: {(record.get('training') or {}).get('training_date')}",
    ]


def _spec_lines(spec: AnySpec | None) -> list[str]:
    if isinstance(spec, ModelSpec):
        lines = [
            spec.summary,
            f"id: {spec.model_id}; also called {', '.join(spec.aliases) or 'nothing else'}",
        ]
        if spec.pretrained is not None:
            of = spec.pretrained
            lines += [f"task: {spec.task}", f"weights: {of.source}; {of.licence}; {of.citation}"]
        else:
            lines += [
                f"task: {spec.task}; latency budget {spec.latency_budget_ms:g} ms",
                f"formats: {', '.join(spec.export_formats)}",
            ]
        for label, tensors in (("input", spec.inputs), ("output", spec.outputs), ("state", spec.state)):
            lines += [f"{label}: {_tensor(tensor)}" for tensor in tensors]
        return lines
    if isinstance(spec, DatasetSpec):
        made = "; synthetic" if spec.synthetic else ""
        return [
            spec.summary,
            f"models: {', '.join(spec.models)}{made}",
            f"licence: {spec.licence or 'not stated'}",
        ]
    if isinstance(spec, ExporterSpec):
        return [spec.summary, f"suffix: {spec.suffix}; needs {', '.join(spec.modules) or 'nothing more'}"]
    if isinstance(spec, DeviceSpec):
        low, high = spec.batch_size
        return [spec.summary, f"batch size {low}-{high}, {spec.num_workers} workers"]
    return ["watches training runs"]


def _tensor(tensor: TensorSpec) -> str:
    shape = ", ".join(str(dim) for dim in tensor.shape)
    return f"{tensor.name} ({shape}) {tensor.dtype}{f', {tensor.unit}' if tensor.unit else ''}"
