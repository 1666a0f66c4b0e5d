"""A configuration for people and editors: commented YAML, and the JSON Schema behind completion."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from kelly_core.config.base import TrainConfig
from kelly_core.config.describe import Schema, expected, follow, is_block, raw_schema
from kelly_core.config.resolve import dump
from kelly_core.config.yaml_source import resolved_tag

DIALECT = "https://json-schema.org/draft/2020-12/schema"
WIDTH = 100
_BARE = re.compile(r"[A-Za-z_./~][\w./ +-]*(?<! )", re.ASCII)
_WORDS_OF_YAML_1_1 = {"y", "n", "yes", "no", "on", "off"}
"""Read as booleans by older YAML readers, so never written without quotes."""


def render_yaml(config: TrainConfig, *, schema_link: str | None = None) -> str:
    """The whole configuration as YAML with every field's meaning, unit, range and choices.

    Reading it back gives an equal configuration.

    Args:
        config: What to write.
        schema_link: Path or address of the JSON Schema, for editors that read the
            `yaml-language-server` line.
    """
    root = raw_schema(type(config))
    lines = [f"# yaml-language-server: $schema={schema_link}"] if schema_link else []
    lines += _comment((type(config).__doc__ or "").partition("\n")[0], "")
    lines += _block(root, root, dump(config), "")
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip("\n") + "\n"


def render_template(config: TrainConfig) -> str:
    """The same with every setting but the model's name switched off, to be switched on one by one.

    A file that fixed every value would also fix what another `architecture_type` wants otherwise, and
    what a later version of the package knows better.
    """
    lines = ["# Take away the # before a setting (and before the block it stands in) to change it."]
    for line in render_yaml(config).splitlines():
        active = not line.strip() or line.lstrip().startswith("#") or line.startswith("model_id:")
        lines.append(line if active else f"#{line}")
    return "\n".join(lines) + "\n"


def json_schema(config_class: type[BaseModel]) -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of a configuration file; descriptions carry unit and range."""
    root = raw_schema(config_class)

    def with_ranges(node: Mapping[str, Any]) -> dict[str, Any]:
        result = dict(node)
        if "properties" in node:
            result["properties"] = {
                name: {**child, "description": _meaning(root, child)}
                for name, child in node["properties"].items()
            }
        return result

    schema = with_ranges(root)
    if "$defs" in root:
        schema["$defs"] = {name: with_ranges(node) for name, node in root["$defs"].items()}
    return {"$schema": DIALECT, **schema}


def yaml_value(value: Any) -> str:
    """A plain value on one line, read alike by readers of YAML 1.1 and 1.2.

    >>> yaml_value([1, 1e-5, "auto", "no", None, {"a b": True}])
    '[1, 1.0e-05, auto, "no", null, {a b: true}]'
    """
    if value is None or isinstance(value, bool | int):
        return json.dumps(value)
    if isinstance(value, float):
        text = repr(value)
        return re.sub(r"^(-?\d+)e", r"\1.0e", text)
    if isinstance(value, list):
        return f"[{', '.join(yaml_value(item) for item in value)}]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_text(str(key))}: {yaml_value(item)}" for key, item in value.items()) + "}"
    return _text(str(value).replace("${", "$${"))


def _text(text: str) -> str:
    bare = _BARE.fullmatch(text) and text.lower() not in _WORDS_OF_YAML_1_1 and resolved_tag(text) == "str"
    return text if bare else '"' + "".join(_escaped(char) for char in text) + '"'


def _escaped(char: str) -> str:
    if char in '"\\':
        return "\\" + char
    if char.isprintable() and char != "\ufeff":
        return char
    code = ord(char)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _block(root: Schema, block: Schema, values: Mapping[str, Any], indent: str) -> Iterator[str]:
    for name, schema in follow(root, block)["properties"].items():
        value = values[name]
        nested = is_block(root, schema) and isinstance(value, Mapping)
        if nested:
            yield ""
        yield from _comment(_meaning(root, schema), indent)
        if nested:
            yield f"{indent}{name}:"
            yield from _block(root, schema, value, indent + "  ")
            yield ""
        else:
            yield f"{indent}{name}: {yaml_value(value)}"


def _meaning(root: Schema, schema: Schema) -> str:
    description = str(schema.get("description", ""))
    if is_block(root, schema):
        return description
    return f"{description} ({expected(root, schema)})".lstrip()


def _comment(text: str, indent: str) -> list[str]:
    return textwrap.wrap(
        text, WIDTH, initial_indent=f"{indent}# ", subsequent_indent=f"{indent}#   ", break_on_hyphens=False
    )
