"""A configuration's fields in plain words: what a value may be, which keys there are.

Everything is read from the JSON Schema that pydantic makes, so constraints are declared once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from pydantic import BaseModel

Schema = Mapping[str, Any]
_NOUNS = {
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "string": "text",
    "null": "null",
}


@cache
def raw_schema(config_class: type[BaseModel]) -> Schema:
    """The JSON Schema of a configuration class, made once."""
    return config_class.model_json_schema()


def follow(root: Schema, schema: Schema) -> Schema:
    """The schema behind a `$ref`, or behind the one alternative that isn't null."""
    while True:
        if "$ref" in schema:
            schema = root["$defs"][schema["$ref"].rpartition("/")[2]]
            continue
        options = [option for option in schema.get("anyOf", ()) if option.get("type") != "null"]
        if len(options) != 1:
            return schema
        schema = options[0]


def field_schema(root: Schema, path: Sequence[str | int]) -> Schema | None:
    """The schema of the field at a path, with its description and unit; None if there is no such field."""
    schema: Any = root
    for part in path:
        block = follow(root, schema)
        if isinstance(part, int):
            schema = block.get("items")
        else:
            schema = block.get("properties", {}).get(part, block.get("additionalProperties"))
        if not isinstance(schema, Mapping):
            return None
    found: Schema = schema
    return found


def is_block(root: Schema, schema: Schema | None) -> bool:
    """Whether a field is a nested block of settings, as opposed to one value, list or table."""
    return schema is not None and "properties" in follow(root, schema)


def known_keys(root: Schema, schema: Schema | None = None, prefix: str = "") -> Iterator[str]:
    """Dotted keys of all settings, in order; blocks themselves are left out."""
    for name, child in follow(root, schema or root).get("properties", {}).items():
        if is_block(root, child):
            yield from known_keys(root, child, f"{prefix}{name}.")
        else:
            yield prefix + name


def expected(root: Schema, schema: Schema, unit: str | None = None) -> str:
    """What a field may hold: `"a whole number from 1 to 1024 frames, or null"`.

    Args:
        root: Schema of the whole configuration.
        schema: Schema of the field.
        unit: Unit to use when the field itself has none.
    """
    unit = schema.get("unit", unit)
    if "$ref" in schema:
        return expected(root, follow(root, schema), unit)
    if "anyOf" in schema:
        return ", or ".join(expected(root, option, unit) for option in schema["anyOf"])
    if "const" in schema:
        return plain(schema["const"])
    if "enum" in schema:
        return "one of " + ", ".join(plain(choice) for choice in schema["enum"])
    return _of_type(root, schema, unit)


def _of_type(root: Schema, schema: Schema, unit: str | None) -> str:
    kind = str(schema.get("type"))
    if kind == "array":
        items = schema.get("items")
        each = f", each {expected(root, items, unit)}" if items else ""
        return f"a list{_length(schema, 'Items')}{each}"
    if kind == "object":
        return _object(root, schema)
    noun = _NOUNS.get(kind, "a value")
    if kind == "string":
        pattern = f" matching {schema['pattern']!r}" if "pattern" in schema else ""
        return noun + _length(schema, "Length") + pattern
    return noun + _range(schema, unit)


def plain(value: Any) -> str:
    """A value as it stands in YAML: `null`, `true`, `0.5`, `cnn`."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return str(value)


def _object(root: Schema, schema: Schema) -> str:
    if "properties" in schema:
        return "a block with the keys " + ", ".join(schema["properties"])
    values = schema.get("additionalProperties")
    each = f", each value {expected(root, values)}" if isinstance(values, Mapping) else ""
    return f"a table of `name: value`{each}"


def _length(schema: Schema, what: str) -> str:
    low, high = schema.get(f"min{what}"), schema.get(f"max{what}")
    noun = "items" if what == "Items" else "characters"
    bounds = [f"at least {low}" if low else "", f"at most {high}" if high is not None else ""]
    text = " and ".join(bound for bound in bounds if bound)
    return f" of {text} {noun}" if text else ""


def _range(schema: Schema, unit: str | None) -> str:
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and high is not None:
        bounds = f" from {plain(low)} to {plain(high)}"
    else:
        words = {
            "minimum": "at least",
            "exclusiveMinimum": "above",
            "maximum": "at most",
            "exclusiveMaximum": "below",
        }
        bounds = " and".join(f" {word} {plain(schema[key])}" for key, word in words.items() if key in schema)
        bounds = bounds.replace(" at ", " of at ", 1) if bounds.startswith(" at ") else bounds
    if not bounds:
        return f", in {unit}" if unit else ""
    return f"{bounds} {unit}" if unit else bounds
