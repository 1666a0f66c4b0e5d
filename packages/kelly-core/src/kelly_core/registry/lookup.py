"""Finding and replacing one model in a registry, and naming what a typo may have meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from kelly_core.errors import RegistryError
from kelly_core.registry.entries import ModelEntry, Registry


def find(registry: Registry, model_id: str) -> ModelEntry:
    """The model with this id or short name; `emotion_recognizer` finds `emotionrecognizer`.

    Raises:
        RegistryError: There is none; the message names what there is.
    """
    wanted = {model_id, model_id.replace("_", "")}
    for entry in registry.models:
        if entry.id in wanted or entry.name in wanted:
            return entry
    ids = [entry.id for entry in registry.models]
    raise RegistryError(
        f"no model {model_id!r} in the registry{nearest(model_id, ids)}",
        hint=f"registered: {', '.join(ids)}" if ids else f"train it first: `kelly train {model_id}`",
        code="registry.unknown-model",
    )


def replaced(registry: Registry, entry: ModelEntry) -> Registry:
    """The registry with this entry in the place of the one with its id, or at the end."""
    models = [entry if old.id == entry.id else old for old in registry.models]
    if all(old.id != entry.id for old in registry.models):
        models.append(entry)
    return registry.model_copy(update={"models": models})


def nearest(name: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?`, or nothing when no known name is close."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f"; did you mean {close[0]!r}?" if close else ""
