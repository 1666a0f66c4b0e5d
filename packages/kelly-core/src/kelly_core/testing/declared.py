"""Rules about what a package declares and what its module returns."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Iterator
from typing import Any

from kelly_core.plugins import SUPPORTED_API, PluginFailure, PluginHost
from kelly_core.specs import LazyRef, Pretrained
from kelly_core.testing.rules import BrokenRuleError, rule
from kelly_core.testing.subject import Subject


@rule(
    "model",
    "dataset",
    "exporter",
    "device",
    "observer",
    why="a plugin that can't be imported is left out of every command",
    mend="import the entry point's module by hand and mend what it raises; `kelly doctor` has the traceback",
)
def imports(subject: Subject) -> str:
    """The entry point names a module that can be imported."""
    failure = _failure(subject)
    if failure is not None and failure.phase == "import":
        raise BrokenRuleError(failure.outcome)
    return subject.entry.module


@rule(
    "model",
    "dataset",
    "exporter",
    "device",
    "observer",
    why="the hooks may change; a plugin says for which version it was written, so that it is never misread",
    mend="write KELLY_API = 1 into the entry point's module",
)
def kelly_api_is_declared(subject: Subject) -> str:
    """The module states KELLY_API, a version that this kelly-core supports."""
    failure = _failure(subject)
    if failure is not None and failure.phase == "api version":
        raise BrokenRuleError(failure.outcome)
    # pluggy warns whenever a module that implements what is deprecated is registered: so do it once more.
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        PluginHost([subject.entry], on_failure=lambda _: None).probe(subject.entry)
    old = [str(one.message) for one in said if issubclass(one.category, DeprecationWarning)]
    return "; ".join([f"supported are {SUPPORTED_API.start} to {SUPPORTED_API.stop - 1}", *old])


@rule(
    "model",
    "dataset",
    "exporter",
    "device",
    "observer",
    why="`kelly list` reads names from the package's metadata alone; what it shows must be what there is",
    mend="make the entry points of pyproject.toml and the names of the returned specs the same, and reinstall",
)
def names_agree(subject: Subject) -> str:
    """The hooks return exactly the specs that the entry points name."""
    failure = _failure(subject)
    if failure is not None:
        raise BrokenRuleError(failure.outcome)
    return "no spec" if subject.entry.kind == "observer" else str(subject.spec.name)


@rule(
    "model",
    "dataset",
    "exporter",
    "device",
    why="a LazyRef is followed only when a command needs it: a wrong one would surface after hours of training",
    mend="correct the text of LazyRef('package.module:attribute'), or what it names",
)
def lazy_references_lead_somewhere(subject: Subject) -> str:
    """Every LazyRef of the spec can be imported."""
    found = dict(_references(subject.spec))
    for place, reference in found.items():
        try:
            reference.resolve()
        except Exception as error:
            raise BrokenRuleError(f"{place} = {reference.target!r}: {type(error).__name__}: {error}") from error
    return f"{len(found)} references"


FATAL = (imports, kelly_api_is_declared, names_agree)
"""Without these nothing else can be tried."""


def _failure(subject: Subject) -> PluginFailure | None:
    return subject.host.probe(subject.entry)


def _references(spec: Any) -> Iterator[tuple[str, LazyRef]]:
    for field in dataclasses.fields(spec):
        value = getattr(spec, field.name)
        if isinstance(value, LazyRef):
            yield field.name, value
        elif isinstance(value, Pretrained):
            yield from ((f"{field.name}.{place}", one) for place, one in _references(value))
        elif isinstance(value, dict):
            yield from ((f"{field.name}.{key}", one) for key, one in value.items() if isinstance(one, LazyRef))
