"""pydantic's validation errors in plain words: who gave the value, which key, what was expected."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from kelly_core.config.describe import Schema, expected, field_schema, follow, is_block, known_keys
from kelly_core.config.flaws import Flaw, dotted
from kelly_core.config.yaml_source import KeyPath

Where = Callable[[KeyPath], str]
_OWN_MESSAGE = {"value_error", "assertion_error"}
_TYPE_WORDS: tuple[tuple[type, str], ...] = (
    (bool, "true or false"),
    (int, "a whole number"),
    (float, "a number"),
    (str, "text"),
    (list, "a list"),
    (dict, "a block"),
)


def translate(
    error: ValidationError, values: Mapping[str, Any], root: Schema, where: Where, synonyms: Mapping[str, str]
) -> list[Flaw]:
    """One flaw per key that pydantic complained about, line by line.

    Args:
        error: What pydantic raised.
        values: The merged values that were validated.
        root: JSON Schema of the configuration class.
        where: Who gave the value at a path.
        synonyms: Other names of keys (`{"lr": "learning_rate"}`).
    """
    flaws: dict[KeyPath, Flaw] = {}
    for detail in error.errors(include_url=False):
        path = _path_in(values, detail)
        if detail["type"] in _OWN_MESSAGE:
            # A rule over several keys is raised at their block; the message names the keys.
            keys = _mentioned(str(detail["msg"]), values, root, path)
            text = re.sub(r"^(Value|Assertion) error, ?", "", detail["msg"])
            if isinstance(detail["input"], str | int | float | list):
                text = f"got {_short(detail['input'])}, {text}"
            place = where(keys[0]) if keys else where(path)
            key = ", ".join(dotted(name) for name in keys) or dotted(path)
            flaws[(*path, text)] = Flaw(place, key, text)
        elif path not in flaws:
            code = "config.unknown-key" if detail["type"] == "extra_forbidden" else "config.value"
            flaws[path] = Flaw(where(path), dotted(path), _explain(detail, path, root, synonyms), code)
    return sorted(flaws.values(), key=_reading_order)


def _reading_order(flaw: Flaw) -> tuple[str, int]:
    """File by file and line by line, as one mends them."""
    file, _, line = flaw.where.rpartition(":")
    return (file, int(line)) if line.isdecimal() else (flaw.where, 0)


def unknown_key(path: KeyPath, root: Schema, synonyms: Mapping[str, str]) -> str:
    """Why a key is unknown, with the nearest known one."""
    *parents, name = path
    block = field_schema(root, parents)
    here = list(follow(root, block).get("properties", {})) if block is not None else []
    prefix = dotted(parents)
    everywhere = list(known_keys(root))
    if "." in str(name) and name in everywhere:
        *outer, inner = str(name).split(".")
        nested = f"{': {'.join(outer)}: {{{inner}: ...{'}' * len(outer)}"
        return f"unknown key; in a file this is nested: `{nested}`"
    best = (
        [key for other, key in synonyms.items() if other == name]
        # The right key in the wrong block comes before one that is only spelled like it.
        or [key for key in everywhere if key.rpartition(".")[2] == name]
        or get_close_matches(str(name), here, 1)
        or [key for key in get_close_matches(dotted(path), everywhere, 1) if not prefix]
    )
    if best:
        guess = f"{prefix}.{best[0]}" if prefix and best[0] in here else best[0]
        return f"unknown key; did you mean {guess!r}?"
    if prefix and here:
        return f"unknown key; {prefix!r} has the keys {', '.join(here)}"
    return "unknown key, and no key is spelled like it"


def _path_in(values: Mapping[str, Any], detail: ErrorDetails) -> KeyPath:
    """The error's location without the names of union members that pydantic adds to it."""
    path: list[str | int] = []
    at: Any = values
    for part in detail["loc"]:
        inside = part in at if isinstance(at, Mapping) else isinstance(at, list) and isinstance(part, int)
        if not inside:
            if detail["type"] == "missing":
                path.append(part)
            break
        path.append(part)
        at = at[part]
    return tuple(path)


def _explain(detail: ErrorDetails, path: KeyPath, root: Schema, synonyms: Mapping[str, str]) -> str:
    if detail["type"] == "extra_forbidden":
        return unknown_key(path, root, synonyms)
    schema = field_schema(root, path)
    wanted = expected(root, schema) if schema else str(detail["msg"])
    if detail["type"] == "missing":
        return f"no value given; expected {wanted}"
    value = detail["input"]
    # A value of the right type but out of range needs no word about its type.
    wrong_type = detail["type"].endswith(("_type", "_parsing", "_from_float"))
    kind = next((words for known, words in _TYPE_WORDS if isinstance(value, known)), "nothing")
    got = f"{_short(value)} ({kind})" if wrong_type and value is not None else _short(value)
    hint = ""
    if isinstance(value, str) and "true or false" in wanted and value.lower() in ("yes", "no", "on", "off"):
        hint = f"; write {'true' if value.lower() in ('yes', 'on') else 'false'}"
    elif is_block(root, schema) and not isinstance(value, dict):
        hint = ", indented below"
    return f"got {got}, expected {wanted}{hint}"


def _short(value: Any) -> str:
    text = repr(value) if isinstance(value, str) else json.dumps(value, default=str)
    return text if len(text) <= 60 else text[:57] + "..."


def _mentioned(message: str, values: Mapping[str, Any], root: Schema, path: KeyPath) -> list[KeyPath]:
    """Paths of the block's keys that a message names, those that somebody set first."""
    block = field_schema(root, path)
    if block is None or not is_block(root, block):
        return []
    names = follow(root, block)["properties"]
    words = dict.fromkeys(re.findall(r"[A-Za-z_]\w*", message))
    found: list[KeyPath] = [(*path, word) for word in words if word in names]
    at: Any = values
    for part in path:
        at = at.get(part, {}) if isinstance(at, Mapping) else {}
    given = [key for key in found if isinstance(at, Mapping) and key[-1] in at]
    return sorted(found, key=lambda key: key not in given) if given else []
