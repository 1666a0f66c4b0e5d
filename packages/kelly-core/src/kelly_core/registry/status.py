"""A model's status and the moves between them.

| from | to | when |
|---|---|---|
| stub | training | its first training begins |
| stub | deprecated | it will never be trained |
| training | trained | training ended, or a retraining was given up and the earlier result still stands |
| training | stub | the first training failed or was interrupted |
| trained | training | it is trained again |
| trained | production | every artefact verifies |
| trained | deprecated | something newer replaces it |
| production | training | it is trained again; it must verify again afterwards |
| production | trained | it is taken out of use without a replacement |
| production | deprecated | something newer replaces it |
| deprecated | training | it is trained again |
| deprecated | trained | the replacement was withdrawn; it must verify again for production |

Only verification leads to production, so there is one way in: from trained.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol, get_args

from kelly_core.errors import RegistryError
from kelly_core.registry.entries import ModelEntry, Registry, Status
from kelly_core.registry.files import changed, now
from kelly_core.registry.lookup import find, nearest, replaced

TRANSITIONS: dict[Status, frozenset[Status]] = {
    "stub": frozenset({"training", "deprecated"}),
    "training": frozenset({"trained", "stub"}),
    "trained": frozenset({"training", "production", "deprecated"}),
    "production": frozenset({"training", "trained", "deprecated"}),
    "deprecated": frozenset({"training", "trained"}),
}
"""Where each status may go; staying is always allowed."""


class Verdict(Protocol):
    """What verifying one artefact gives: a `kelly_core.verify.ParityReport`."""

    @property
    def artifact(self) -> str:
        """The file."""
        ...

    @property
    def passed(self) -> bool:
        """Whether the artefact computes what the trained model computes."""
        ...

    @property
    def not_run(self) -> str:
        """Why it can't be run on this machine; empty where it was."""
        ...

    @property
    def max_abs(self) -> float:
        """Largest absolute difference of outputs."""
        ...

    def failures(self) -> list[str]:
        """What is wrong, one line each."""
        ...


Verify = Callable[[str], Sequence[Verdict]]
"""Verifies every artefact of a model id."""


def parse_status(text: str) -> Status:
    """`text` as a status.

    Raises:
        RegistryError: It is none; the message lists them.
    """
    known: tuple[Status, ...] = get_args(Status)
    for status in known:
        if status == text:
            return status
    raise RegistryError(
        f"{text!r} is no status{nearest(text, known)}",
        hint=f"choose one of {', '.join(known)}",
        code="registry.status",
    )


def check_transition(model_id: str, old: Status, new: Status) -> None:
    """Refuse a move that the table doesn't have.

    Raises:
        RegistryError: The message lists the moves there are.
    """
    if new != old and new not in TRANSITIONS[old]:
        allowed = ", ".join(sorted(TRANSITIONS[old]))
        step = "; it must be trained first" if new == "production" else ""
        raise RegistryError(
            f"model {model_id!r} can't go from {old!r} to {new!r}",
            hint=f"from {old!r}: {allowed}{step}",
            code="registry.status",
        )


def set_status(registry: Registry, model_id: str, new: Status, verify: Verify) -> Registry:
    """The registry with a model's status moved.

    Args:
        registry: As loaded.
        model_id: Id or short name.
        new: Where to.
        verify: Called only for `production`, with the id.

    Raises:
        RegistryError: The move isn't allowed, there is nothing to verify, or an artefact failed.
    """
    entry = find(registry, model_id)
    check_transition(entry.id, entry.status, new)
    if new == "production":
        return replaced(registry, _verified(entry, verify))
    return replaced(registry, changed(entry, status=new, updated_at=now()))


def begin_training(registry: Registry, model_id: str, *, name: str, task: str) -> Registry:
    """The registry with the model in training; what an earlier run left stays until the new one ends."""
    entry = next((one for one in registry.models if one.id == model_id), None)
    if entry is None:
        entry = ModelEntry(
            id=model_id, name=name, task=task, file=None, format=None, status="stub", created_at=now()
        )
    check_transition(model_id, entry.status, "training")
    return replaced(registry, changed(entry, status="training", updated_at=now()))


def abandon_training(registry: Registry, model_id: str) -> Registry:
    """The registry after a run without result: back to trained if an earlier result stands, else stub."""
    entry = find(registry, model_id)
    if entry.status != "training":
        return registry
    stands = entry.checkpoint is not None or bool(entry.artifacts)
    return replaced(registry, changed(entry, status="trained" if stands else "stub", updated_at=now()))


def _verified(entry: ModelEntry, verify: Verify) -> ModelEntry:
    if not entry.artifacts:
        raise RegistryError(
            f"model {entry.id!r} has no artefact, so nothing can go into production",
            hint=f"export it first: `kelly export {entry.name or entry.id} --format onnx`",
            code="registry.unverified",
        )
    verdicts = {Path(verdict.artifact).name: verdict for verdict in verify(entry.id)}
    lines = []
    artifacts = {}
    for name, made in entry.artifacts.items():
        verdict = verdicts.get(Path(made.file).name)
        if verdict is None:
            lines.append(f"{made.file}: was not verified")
        elif verdict.not_run and not verdict.failures():
            continue  # of another platform; it keeps what is known of it, and others have to verify
        elif not verdict.passed:
            lines.append(f"{made.file}: {'; '.join(verdict.failures()) or 'failed'}")
        else:
            difference = verdict.max_abs if math.isfinite(verdict.max_abs) else None
            proof = {"verified": True, "verified_at": now(), "max_abs_diff": difference}
            artifacts[name] = made.model_copy(update=proof)
    if not lines and not artifacts:
        lines.append("none of its files can be run on this machine")
    if lines:
        raise RegistryError(
            f"model {entry.id!r} stays {entry.status!r}: not every artefact verifies:\n  " + "\n  ".join(lines),
            hint=f"export it again: `kelly export {entry.name or entry.id}`",
            code="registry.unverified",
        )
    return changed(entry, status="production", artifacts={**entry.artifacts, **artifacts}, updated_at=now())
