"""The registry file: read it, change it under a lock, replace it whole."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import filelock

from kelly_core import atomic
from kelly_core.errors import RegistryError
from kelly_core.registry.entries import REGISTRY_VERSION, ModelEntry, Registry
from kelly_core.registry.files import changed, now
from kelly_core.registry.lookup import replaced
from kelly_core.registry.reading import parse, read_text
from kelly_core.workspace import Workspace

LOCK_TIMEOUT = 60.0
"""Seconds to wait for another process that changes the registry."""
Change = Callable[[Registry], Registry]


def load(path: Path) -> Registry:
    """Read the registry.

    Raises:
        RegistryError: It is missing, no JSON, or breaks a rule; names the file, line and field of the first
            fault and what to do.
    """
    result = parse(path, read_text(path))
    if isinstance(result, Registry):
        return result
    raise result[0].raised()


def load_or_empty(path: Path) -> Registry:
    """The registry, or an empty one where there is no file yet.

    Raises:
        RegistryError: There is a file and it is faulty.
    """
    return load(path) if path.exists() else Registry()


def update(path: Path, change: Change, *, timeout: float = LOCK_TIMEOUT) -> Registry:
    """Read, change and replace the registry while no other process can; write the schema beside it.

    Args:
        path: `models/registry.json`; made when missing.
        change: Gives the new registry for the one in the file. What it raises leaves the file as it was.
        timeout: How long to wait for other writers, s.

    Raises:
        RegistryError: The file is faulty (it is never overwritten then), or the lock stays taken.
    """
    with _locked(path, timeout):
        registry = change(load_or_empty(path))
        write(path, registry)
    return registry


def restore(
    path: Path, rebuilt: Callable[[], Registry], *, timeout: float = LOCK_TIMEOUT
) -> tuple[Registry, Path | None]:
    """Put a rebuilt registry in place, whatever stands there.

    Args:
        path: `models/registry.json`.
        rebuilt: Makes the registry; called under the lock, so that no change in between is lost.
        timeout: How long to wait for other writers, s.

    Returns:
        The registry, and where an unreadable old file was kept, or None.
    """
    kept = None
    with _locked(path, timeout):
        registry = rebuilt()
        if path.exists():
            try:
                load(path)
            except RegistryError:
                kept = path.with_suffix(".json.broken")
                path.replace(kept)
        write(path, registry)
    return registry, kept


def register(workspace: Workspace, entry: ModelEntry) -> Registry:
    """Insert the result of a run, or replace the model's earlier entry, under the lock.

    Any status may go into training, so whatever a run can end in (`stub`, `training`, `trained`) is in order
    here. `production` and `deprecated` go through `set_status`.

    Raises:
        RegistryError: The entry claims a status that a run can't give, or the registry is faulty.
    """
    if entry.status in ("production", "deprecated"):
        raise RegistryError(
            f"a run can't register model {entry.id!r} as {entry.status!r}",
            hint=f"register it as 'trained', then `kelly registry set-status {entry.id} {entry.status}`",
            code="registry.status",
        )

    def insert(registry: Registry) -> Registry:
        old = next((one for one in registry.models if one.id == entry.id), None)
        created = (old.created_at if old else None) or entry.created_at or now()
        return replaced(registry, changed(entry, created_at=created, updated_at=now()))

    return update(workspace.registry, insert)


def schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of the registry, generated from the models."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Registry.model_json_schema(),
        "title": f"Kelly model registry {REGISTRY_VERSION}",
    }


def schema_path(path: Path) -> Path:
    """Where the schema of the registry at `path` lies: `registry.schema.json`."""
    return path.with_suffix(".schema.json")


def write(path: Path, registry: Registry) -> None:
    """Replace the registry and its schema, without a lock: for a folder that nobody else writes to."""
    beside = schema_path(path)
    text = json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"
    if not beside.exists() or beside.read_text(encoding="utf-8") != text:
        atomic.write_text(beside, text)
    current = registry.model_copy(update={"registry_version": REGISTRY_VERSION})
    atomic.write_json(path, current.model_dump(mode="json"))


@contextmanager
def _locked(path: Path, timeout: float) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = path.parent / f".{path.name}.lock"
    try:
        with filelock.FileLock(lock, timeout=timeout):
            # Only a writer that was killed leaves these: whoever writes holds the lock.
            for stem in (path.stem, schema_path(path).stem):
                for stale in path.parent.glob(f".{stem}-*.json"):
                    stale.unlink(missing_ok=True)
            yield
    except filelock.Timeout:
        raise RegistryError(
            f"another process has been changing the registry for over {timeout:g} s",
            where=str(path),
            hint="wait for it or end it, then try again",
            code="registry.locked",
        ) from None
