"""Checkpoints: dictionaries of tensors and plain values, written whole, read without running code."""

from __future__ import annotations

import hashlib
import pickle
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from kelly_core import atomic
from kelly_core.config.resolve import load_stored
from kelly_core.errors import CheckpointError

if TYPE_CHECKING:
    from kelly_core.plugins import PluginHost
    from kelly_core.specs import ModelSpec
    from kelly_core.task import Task

CHECKPOINT_FORMAT = 1
REQUIRED = ("format", "name", "model_id", "epoch", "config", "model_state_dict", "val_loss")


@dataclass(frozen=True)
class TrainedModel:
    """A network with its weights and what is known about it.

    Attributes:
        spec: Its plugin's declaration.
        task: Its task, with the configuration it was trained with.
        module: In evaluation mode, on the CPU.
        meta: Everything else in the checkpoint: run id, epoch, metrics, data hash, versions.
        path: The file it came from.
        sha256: Checksum of that file.
    """

    spec: ModelSpec
    task: Task[Any]
    module: nn.Module
    meta: Mapping[str, Any]
    path: Path
    sha256: str


def save_checkpoint(path: Path, payload: Mapping[str, Any]) -> None:
    """Write a checkpoint atomically: a kill leaves the old file or the new one.

    Raises:
        OSError: The disk is full or not writable.
    """
    with atomic.replacing(path) as part:
        torch.save(dict(payload), part)


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Load a checkpoint's dictionary, tensors on the CPU, running none of its code.

    Raises:
        CheckpointError: It is missing, damaged, not one of ours, or holds more than tensors and plain values.
    """
    try:
        payload = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise CheckpointError(
            "there is no such checkpoint", where=str(path), hint="train the model first: `kelly train MODEL`"
        ) from None
    except pickle.UnpicklingError as error:
        raise CheckpointError(_refusal(error), where=str(path), hint=_REFUSAL_HINT) from None
    except (RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        raise CheckpointError(
            f"the file is damaged or no checkpoint ({type(error).__name__}: {_first_line(error)})",
            where=str(path),
            hint="use another checkpoint of this folder, or train again",
        ) from None
    missing = [key for key in REQUIRED if key not in payload] if isinstance(payload, dict) else list(REQUIRED)
    if missing:
        raise CheckpointError(
            f"not a Kelly checkpoint: it lacks {', '.join(map(repr, missing))}",
            where=str(path),
            hint="pass a file that `kelly train` wrote",
        )
    return _migrate(payload, path)


def load_trained(path: Path, host: PluginHost, *, name: str | None = None) -> TrainedModel:
    """Rebuild the trained network from a checkpoint and the installed plugin.

    Args:
        path: A file that `kelly train` wrote.
        host: Where the model's plugin is found.
        name: Model the caller expects; None takes the checkpoint's.

    Raises:
        CheckpointError: It is of another model, or its weights don't fit the plugin's network.
    """
    payload = read_checkpoint(path)
    spec = host.model(name or payload["name"])
    if payload["model_id"] != spec.model_id:
        raise CheckpointError(
            f"it holds {payload['model_id']!r}, not {spec.model_id!r}",
            where=str(path),
            hint=f"use `{payload['name']}` as the model, or another file",
        )
    task: Task[Any] = spec.task_class.resolve()(load_stored(spec.config.resolve(), payload["config"]))
    module = task.build(None)
    try:
        module.load_state_dict(payload["model_state_dict"])
    except RuntimeError as error:
        raise CheckpointError(
            f"the weights don't fit the installed {spec.name!r} network: {_first_line(error)}",
            where=str(path),
            hint=f"install the version it was trained with (kelly {payload.get('kelly_version', 'unknown')})",
        ) from None
    meta = {key: value for key, value in payload.items() if key not in ("model_state_dict", "resume")}
    return TrainedModel(spec, task, module.eval(), meta, Path(path), file_sha256(path))


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, in hex."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


_REFUSAL_HINT = "load only checkpoints that Kelly wrote; this one could run code of its author"


def _refusal(error: Exception) -> str:
    named = re.search(r"(?:GLOBAL|global|class|type)\s+`?([\w.]+\.[\w.]+)", str(error))
    return f"the file wants to run code: it names {named[1]!r}" if named else "the file holds more than tensors"


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [""])[0]


def _migrate(payload: dict[str, Any], path: Path) -> dict[str, Any]:
    if payload["format"] > CHECKPOINT_FORMAT:
        raise CheckpointError(
            f"it has format {payload['format']}; this kelly-core reads up to {CHECKPOINT_FORMAT}",
            where=str(path),
            hint="upgrade kelly-core",
        )
    return payload
