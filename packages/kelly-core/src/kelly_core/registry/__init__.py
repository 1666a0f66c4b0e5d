"""The model registry: `models/registry.json`, its schema, its statuses.

Names are imported when first used, so that naming a room doesn't pay for pydantic.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kelly_core.registry.entries import Artifact, FileRef, Interval, ModelEntry, Registry, Training
    from kelly_core.registry.files import artifact, changed, file_ref, intervals, relative_to, with_artifacts
    from kelly_core.registry.lookup import find
    from kelly_core.registry.status import abandon_training, begin_training, set_status
    from kelly_core.registry.store import load, load_or_empty, register, update

__all__ = [
    "Artifact",
    "FileRef",
    "Interval",
    "ModelEntry",
    "Registry",
    "Training",
    "abandon_training",
    "artifact",
    "begin_training",
    "changed",
    "file_ref",
    "find",
    "intervals",
    "load",
    "load_or_empty",
    "register",
    "relative_to",
    "set_status",
    "update",
    "with_artifacts",
]
_HOMES = {
    "entries": ("Artifact", "FileRef", "Interval", "ModelEntry", "Registry", "Training"),
    "files": ("artifact", "changed", "file_ref", "intervals", "relative_to", "with_artifacts"),
    "lookup": ("find",),
    "status": ("abandon_training", "begin_training", "set_status"),
    "store": ("load", "load_or_empty", "register", "update"),
}


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            return getattr(importlib.import_module(f"{__name__}.{home}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
