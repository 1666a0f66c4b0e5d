"""Tables of docs/reference/contract.md and registry.md, from the JSON Schemas of these files."""  # noqa: INP001 - a script

from __future__ import annotations

from typing import Any

SCHEMAS = ("contract", "registry")


def schema(name: str) -> dict[str, Any]:
    """The JSON Schema of the contract or of the registry."""
    from kelly_core import contract
    from kelly_core.registry import store

    return contract.json_schema() if name == "contract" else store.schema()


def tables(name: str) -> str:
    """A table for the file itself and one for each kind of object in it, in the order of first use."""
    whole = schema(name)
    definitions = {key: value for key, value in whole.get("$defs", {}).items() if "properties" in value}
    order: list[str] = []
    waiting = _mentioned(whole["properties"])
    while waiting:
        key = waiting.pop(0)
        if key in definitions and key not in order:
            order.append(key)
            waiting += _mentioned(definitions[key]["properties"])
    parts = [_table(whole)]
    for key in order:
        parts += [f"### {key}", _prose(definitions[key].get("description", "")), _table(definitions[key])]
    return "\n\n".join(part for part in parts if part)


def _mentioned(node: Any) -> list[str]:
    """Names of the definitions that a part of a schema refers to, in order."""
    if isinstance(node, list):
        return [name for one in node for name in _mentioned(one)]
    if not isinstance(node, dict):
        return []
    here = [node["$ref"].rpartition("/")[2]] if "$ref" in node else []
    return here + [name for key, value in node.items() if key != "discriminator" for name in _mentioned(value)]


def _table(node: dict[str, Any]) -> str:
    required = node.get("required", [])
    rows = ["| field | type | | meaning |", "|---|---|---|---|"]
    for name, field in node["properties"].items():
        needed = "required" if name in required else ""
        rows.append(f"| `{name}` | {_type(field)} | {needed} | {_prose(_about(field))} |")
    return "\n".join(rows)


def _about(field: dict[str, Any]) -> str:
    """The description of a field, else of what it may be or holds."""
    nested = [*field.get("anyOf", []), field.get("items", {})]
    found = [one["description"] for one in (field, *nested) if isinstance(one, dict) and "description" in one]
    return found[0] if found else ""


def _type(field: dict[str, Any]) -> str:
    if "$ref" in field:
        name = field["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if values := field.get("enum", [field["const"]] if "const" in field else []):
        return ", ".join(f"`{value}`" for value in values)
    if choices := field.get("anyOf", field.get("oneOf")):
        return " or ".join(dict.fromkeys(map(_type, choices)))
    if items := field.get("items"):
        return f"list of {_type(items)}"
    named = [field.get("additionalProperties"), *field.get("patternProperties", {}).values()]
    for values in named:
        if isinstance(values, dict) and values:
            return f"by name: {_type(values)}"
    return str(field.get("type", "any"))


def _prose(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
