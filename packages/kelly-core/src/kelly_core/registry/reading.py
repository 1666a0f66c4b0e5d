"""From the registry's text to models: every fault with its line, its field and the nearest known name."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard, get_args

import yaml
from pydantic import BaseModel, ValidationError

from kelly_core.contract import UPGRADE, is_newer
from kelly_core.errors import RegistryError
from kelly_core.registry.entries import REGISTRY_VERSION, Registry
from kelly_core.registry.lookup import nearest

Loc = tuple[str | int, ...]
"""Steps from the top of the file to a value: keys and positions."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with a registry.

    Attributes:
        where: `file:line`, or the file where no line can be named.
        field: The place inside, e.g. `models[0].status`; empty for the whole file.
        message: What is wrong.
        hint: What to do.
        severity: `"error"`, or `"warning"` for what doesn't make the registry unusable.
    """

    where: str
    field: str
    message: str
    hint: str
    severity: str = "error"

    def __str__(self) -> str:
        return f"{self.field}: {self.message}" if self.field else self.message

    def raised(self) -> RegistryError:
        """The same, to be raised."""
        return RegistryError(str(self), where=self.where, hint=self.hint, code="registry.invalid")


def read_text(path: Path) -> str:
    """The registry's text.

    Raises:
        RegistryError: It is missing or not UTF-8 text.
    """
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise RegistryError(
            "there is no registry yet",
            where=str(path),
            hint="train a model, or run `kelly registry rebuild`",
            code="registry.missing",
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise RegistryError(
            f"the registry can't be read: {error}",
            where=str(path),
            hint="`kelly registry rebuild` makes it anew",
            code="registry.invalid",
        ) from None


def parse(path: Path, text: str) -> Registry | list[Fault]:
    """The registry in `text`, or everything that keeps it from being one.

    Args:
        path: Named in the faults.
        text: The file's content.
    """
    try:
        raw = json.loads(text)
    except json.JSONDecodeError as error:
        message = f"not JSON: {error.msg} (column {error.colno})"
        hint = "mend the line, or run `kelly registry rebuild`"
        return [Fault(f"{path}:{error.lineno}", "", message, hint)]
    newer = _newer(path, raw)
    if newer:
        return [newer]
    try:
        return Registry.model_validate_json(text)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        # A misspelt key is also a missing one: the spelling explains both.
        found.sort(key=lambda one: one["type"] != "extra_forbidden")
        return [_fault(path, text, tuple(one["loc"]), one["type"], one["msg"]) for one in found]


def place(loc: Sequence[str | int]) -> str:
    """A path of keys and positions for people.

    >>> place(("models", 0, "status"))
    'models[0].status'
    """
    text = ""
    for step in loc:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def line_of(text: str, loc: Sequence[str | int]) -> int | None:
    """Line, from 1, of the deepest part of `loc` that the JSON text has; None where it can't be told."""
    try:
        node = yaml.compose(text, Loader=yaml.CSafeLoader if hasattr(yaml, "CSafeLoader") else yaml.SafeLoader)
    except yaml.YAMLError:  # JSON indented with tabs is no YAML
        return None
    mark = node.start_mark if node is not None else None
    for step in loc:
        if isinstance(node, yaml.MappingNode):
            found = [(key, value) for key, value in node.value if key.value == step]
            if not found:
                break
            mark, node = found[0][0].start_mark, found[0][1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            node = node.value[step]
            mark = node.start_mark
        else:
            break
    return mark.line + 1 if mark is not None else None


def located(path: Path, text: str, loc: Sequence[str | int]) -> str:
    """`file:line` of a place, or the file."""
    line = line_of(text, loc)
    return f"{path}:{line}" if line else str(path)


def _newer(path: Path, raw: Any) -> Fault | None:
    version = raw.get("registry_version") if isinstance(raw, dict) else None
    if not is_newer(version, REGISTRY_VERSION):
        return None
    message = f"version {version} is newer than what this Kelly reads ({REGISTRY_VERSION})"
    return Fault(str(path), "registry_version", message, UPGRADE)


def _fault(path: Path, text: str, loc: Loc, kind: str, message: str) -> Fault:
    hint = "mend the value, or run `kelly registry rebuild`"
    if kind == "extra_forbidden":
        model = _model_at(loc[:-1])
        known = model.model_fields if model is not None else ()
        message = f"unknown key {loc[-1]!r}{nearest(str(loc[-1]), known)}"
        hint = "rename or remove it" + (f"; known here: {', '.join(known)}" if known else "")
    elif kind == "missing":
        message, hint = "this key is required", "add it, or run `kelly registry rebuild`"
    return Fault(located(path, text, loc), place(loc), message[:1].lower() + message[1:], hint)


def _model_at(loc: Sequence[str | int]) -> type[BaseModel] | None:
    """The model class whose keys stand at `loc`."""
    kind: Any = Registry
    for step in loc:
        if _is_model(kind):
            field = kind.model_fields.get(str(step))
            kind = field.annotation if field else None
        else:  # a list or a dictionary: the type of its values is the last argument
            kind = (get_args(kind) or (None,))[-1]
        if type(None) in get_args(kind):
            kind = get_args(kind)[0]
    return kind if _is_model(kind) else None


def _is_model(kind: Any) -> TypeGuard[type[BaseModel]]:
    return isinstance(kind, type) and issubclass(kind, BaseModel)
