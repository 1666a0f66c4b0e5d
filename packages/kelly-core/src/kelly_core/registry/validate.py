"""Whether a registry is in order: against its schema, against its models, and against what lies on disk."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from kelly_core.errors import RegistryError
from kelly_core.registry.checks import Checker
from kelly_core.registry.reading import Fault, located, parse, place, read_text
from kelly_core.registry.store import schema, schema_path


def validate(path: Path) -> list[Fault]:
    """Everything that is wrong with the registry at `path`; an empty list means it is in order.

    First its text against the models, which give the clearest messages, then against the JSON Schema beside
    it, then every entry against the files it names. The last needs the first two to hold.
    """
    try:
        text = read_text(path)
    except RegistryError as error:
        return [Fault(str(path), "", error.message, error.hint or "")]
    result = parse(path, text)
    if isinstance(result, list):
        return result
    faults = [*_against_schema(path, text), *Checker(path, text, result).faults()]
    return sorted(faults, key=lambda fault: fault.severity)


def in_order(faults: list[Fault]) -> bool:
    """Whether no fault is an error."""
    return all(fault.severity != "error" for fault in faults)


def _against_schema(path: Path, text: str) -> list[Fault]:
    from jsonschema import Draft202012Validator

    beside = schema_path(path)
    hint = "`kelly registry rebuild` writes it anew"
    generated = schema()
    try:
        stored: Any = json.loads(beside.read_text(encoding="utf-8"))
    except FileNotFoundError:
        faults = [Fault(str(beside), "", "the schema is missing", hint, "warning")]
    except (OSError, ValueError) as error:
        faults = [Fault(str(beside), "", f"the schema can't be read: {error}", hint)]
    else:
        stale = stored != generated
        message = "the schema is not the one of this Kelly version"
        faults = [Fault(str(beside), "", message, hint, "warning")] if stale else []
    for broken in Draft202012Validator(generated).iter_errors(json.loads(text)):
        loc = tuple(broken.absolute_path)
        faults.append(Fault(located(path, text, loc), place(loc), broken.message, "mend the value"))
    return faults
