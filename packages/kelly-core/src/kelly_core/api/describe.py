"""Public names as lines of text that change exactly when a caller could notice."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterator
from functools import cached_property
from typing import Any

from kelly_core.api import PUBLIC

MADE = "<made>"
"""Stands for what a factory makes, and for what has an address."""
SPECIAL = ("__call__", "__len__")
"""Members that are used without being named."""


def lines() -> list[str]:
    """All public names with their members, in the order of `PUBLIC`."""
    return [line for module, names in PUBLIC.items() for name in names for line in describe(module, name)]


def describe(module: str, name: str) -> Iterator[str]:
    """How a public name is used, a line for itself and for each of its public members.

    A line changes when a caller could notice: parameters and their defaults, fields, results. Of constants and
    aliases only the name counts.

    Args:
        module: A module of `PUBLIC`.
        name: One of its names.

    Raises:
        AttributeError: There is no such name.
    """
    found = getattr(importlib.import_module(module), name)
    full = f"{module}.{name}"
    if inspect.isclass(found):
        yield from _class_lines(full, found)
    elif inspect.isroutine(found):
        yield f"{full}{signature(found)}"
    else:
        yield full


def signature(function: Any) -> str:
    """Parameters and result as they stand in the source."""
    try:
        plain = inspect.signature(function)
    except (TypeError, ValueError):
        return "(...)"
    parameters = [
        one.replace(annotation=_written(one.annotation), default=_default(one.default))
        for one in plain.parameters.values()
    ]
    return str(plain.replace(parameters=parameters, return_annotation=_written(plain.return_annotation)))


class _Text:
    """Stands in a signature for itself, without quotes."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text


def _written(annotation: Any) -> Any:
    return _Text(annotation) if isinstance(annotation, str) else annotation


def _default(value: Any) -> Any:
    if value is inspect.Parameter.empty:
        return value
    # Addresses differ from run to run, and what a factory makes is its own affair.
    return _Text(re.sub(r"<(function|class|.* object)[^>]*>", MADE, repr(value)))


def _class_lines(full: str, found: type) -> Iterator[str]:
    fields = getattr(found, "model_fields", None)
    if fields is not None:  # pydantic's own signature depends on its version
        yield f"{full}(**settings)"
        yield from (f"{full}.{name}: {_field(found, name, field)}" for name, field in fields.items())
    else:
        own = getattr(found, "__init__", object.__init__) is not object.__init__
        protocol = bool(getattr(found, "_is_protocol", False))
        yield f"{full}{signature(found)}" if own and not protocol else full
    for name in sorted(_members(found)):
        yield f"{full}.{name}{_member(inspect.getattr_static(found, name))}"


def _members(found: type) -> set[str]:
    """Public functions and properties that the class, or one of ours above it, defines."""
    ours = [one for one in found.__mro__ if one.__module__.startswith("kelly_core.")]
    kinds = (property, cached_property, classmethod, staticmethod)
    return {
        name
        for one in ours
        for name, value in vars(one).items()
        if (not name.startswith("_") or name in SPECIAL)
        and (isinstance(value, kinds) or inspect.isfunction(value))
    }


def _member(value: Any) -> str:
    if isinstance(value, (classmethod, staticmethod)):
        return signature(value.__func__)
    if inspect.isfunction(value):
        return signature(value)
    getter: Any = value.fget if isinstance(value, property) else value.func
    result = inspect.signature(getter).return_annotation
    return f" -> {result if isinstance(result, str) else getattr(result, '__name__', result)}"


def _field(found: type, name: str, field: Any) -> str:
    annotation = next(
        vars(one)["__annotations__"][name]
        for one in found.__mro__
        if name in vars(one).get("__annotations__", {})
    )
    if field.is_required():
        return str(annotation)
    made = field.default_factory is not None
    return f"{annotation} = {MADE if made else repr(_default(field.default))}"
