"""Checkpoints: dictionaries of tensors and plain values, written whole, read without running code."""

from __future__ import annotations

import hashlib
import pickletools
import re
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
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
REQUIRED: dict[str, type] = {
    "format": int,
    "name": str,
    "model_id": str,
    "epoch": int,
    "config": dict,
    "model_state_dict": dict,
    "val_loss": float,
}
TENSOR_NAMES = re.compile(
    r"collections\.OrderedDict|torch\.(_utils\._rebuild_\w+|storage\.\w+|\w+Storage|Size)"
)
"""What a pickle of tensors and plain values names."""


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
    path = Path(path)
    try:
        with warnings.catch_warnings(action="ignore"):  # of old pickle protocols: what matters is said below
            payload = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise CheckpointError(
            "there is no such checkpoint",
            where=str(path),
            hint="train the model first: `kelly train MODEL`",
            code="checkpoint.missing",
        ) from None
    except OSError as error:
        raise CheckpointError(
            f"it can't be read: {error.strerror}", where=str(path), code="checkpoint.damaged"
        ) from None
    except Exception as error:  # noqa: BLE001 - damaged pickles raise nearly anything
        foreign = foreign_names(path)
        if foreign:
            raise CheckpointError(
                f"the file wants to run code: it names {', '.join(map(repr, foreign))}",
                where=str(path),
                hint="load only checkpoints that Kelly wrote; this one could run code of its author",
                code="checkpoint.unsafe",
            ) from None
        raise CheckpointError(
            f"the file is damaged or no checkpoint ({_shortly(error)})",
            where=str(path),
            hint="use another checkpoint of this folder, or train again",
            code="checkpoint.damaged",
        ) from None
    _check_content(payload, path)
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
            code="checkpoint.mismatch",
        )
    task: Task[Any] = spec.make_task(load_stored(spec.config_class(), payload["config"]))
    module = task.build(None)
    try:
        module.load_state_dict(payload["model_state_dict"])
    except RuntimeError as error:
        raise CheckpointError(
            f"the weights don't fit the installed {spec.name!r} network: {_shortly(error)}",
            where=str(path),
            hint=f"install the version it was trained with (kelly {payload.get('kelly_version', 'unknown')})",
            code="checkpoint.mismatch",
        ) from None
    meta = {key: value for key, value in payload.items() if key not in ("model_state_dict", "resume")}
    return TrainedModel(spec, task, module.eval(), meta, Path(path), file_sha256(path))


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, in hex."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def foreign_names(path: Path) -> list[str]:
    """Functions and classes that a file's pickle names beside those of plain tensors; runs none of it.

    Args:
        path: A zip archive as `torch.save` writes, or a bare pickle. Of anything else, nothing is found.
    """
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                inner = next(name for name in archive.namelist() if name.endswith("/data.pkl"))
                names = _names(archive.read(inner))
        else:
            names = _names(path.read_bytes())
        return sorted({name for name in names if not TENSOR_NAMES.fullmatch(name)})
    except Exception:  # noqa: BLE001 - a damaged archive raises nearly anything
        return []


def _names(pickled: bytes) -> Iterator[str]:
    """Names a pickle refers to, up to where it is damaged."""
    texts: list[str] = []
    with suppress(ValueError, IndexError):
        for opcode, argument, _ in pickletools.genops(pickled):
            if opcode.name == "GLOBAL":
                yield str(argument).replace(" ", ".")
            elif opcode.name == "STACK_GLOBAL" and len(texts) >= 2:
                yield ".".join(texts[-2:])
            elif isinstance(argument, str):
                texts.append(argument)


def _check_content(payload: Any, path: Path) -> None:
    known = payload if isinstance(payload, dict) else {}
    missing = [key for key, kind in REQUIRED.items() if not isinstance(known.get(key), kind)]
    if missing:
        raise CheckpointError(
            f"not a Kelly checkpoint: it lacks {', '.join(map(repr, missing))}",
            where=str(path),
            hint="pass a file that `kelly train` wrote",
            code="checkpoint.damaged",
        )


def _shortly(error: BaseException) -> str:
    """What torch says, without its advice."""
    said = " ".join(" ".join(str(error).split(". ")[0].splitlines()[:2]).split())
    return said or type(error).__name__


def _migrate(payload: dict[str, Any], path: Path) -> dict[str, Any]:
    if payload["format"] > CHECKPOINT_FORMAT:
        raise CheckpointError(
            f"it has format {payload['format']}; this kelly-core reads up to {CHECKPOINT_FORMAT}",
            where=str(path),
            hint="upgrade kelly-core",
            code="checkpoint.damaged",
        )
    return payload
