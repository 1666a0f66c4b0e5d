"""What `kelly list --details` shows of each plugin: it is loaded, and its spec told in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kelly_core.catalog import PLUGINS, Entry
from kelly_core.cli import console
from kelly_core.cli.statuses import Status, status_of
from kelly_core.plugins import HOOK_OF
from kelly_core.specs import AnySpec, DatasetSpec, DeviceSpec, ExporterSpec, ModelSpec, TensorSpec
from kelly_core.trained import read_record


def described(entries: list[Entry]) -> dict[Entry, AnySpec | str | None]:
    """The spec of each entry, or why there is none; observers and trained models have none."""
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


def show(entry: Entry, statuses: Mapping[str, Status], details: AnySpec | str | None) -> None:
    """Print what is known of one entry.

    Args:
        entry: What is declared.
        statuses: Of trained models, by short name.
        details: What `described` has of it.
    """
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
