"""YAML files whose every key remembers its line, so that an error can point at it.

Scalars follow the core schema of YAML 1.2 (`1e-3` is a number, `no` is text). `${VAR}` and
`${VAR:-default}` in a scalar are replaced from the environment; `$${VAR}` stands for itself.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from kelly_core.config.flaws import Flaw, dotted, refuse
from kelly_core.errors import ConfigError

KeyPath = tuple[str | int, ...]
MAX_VALUES = 100_000
"""Largest number of values in one file; aliases of aliases can multiply without bound."""

_TAG = "tag:yaml.org,2002:"
_VARIABLE = re.compile(r"\$\$\{|\$\{(?P<name>[A-Za-z_]\w*)(?::-(?P<default>[^}]*))?\}|(?P<bad>\$\{)")


@dataclass(frozen=True, slots=True)
class Position:
    """Where a value stands: line and column from 1, and the scalar's text as it was written."""

    line: int
    column: int
    text: str | None = None


@dataclass(frozen=True, slots=True)
class YamlSource:
    """A configuration file as read.

    Attributes:
        name: The file as shown to people.
        values: Nested dictionaries, lists and plain scalars.
        positions: Position of each key path.
    """

    name: str
    values: dict[str, Any]
    positions: Mapping[KeyPath, Position]

    def where(self, path: KeyPath) -> str:
        """`file:line` of a key path, or of the nearest block around it that has one."""
        while path and path not in self.positions:
            path = path[:-1]
        return f"{self.name}:{self.positions[path].line}" if path else self.name


class _Resolver(yaml.SafeLoader):
    """PyYAML's loader with the implicit types of YAML 1.2's core schema instead of 1.1's."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}


for _kind, _pattern, _first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", list("-+0123456789")),
    (
        "float",
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        list("-+.0123456789"),
    ),
):
    _Resolver.add_implicit_resolver(f"{_TAG}{_kind}", re.compile(rf"^(?:{_pattern})$"), _first)


def load_yaml(path: Path, environ: Mapping[str, str] = os.environ) -> YamlSource:
    """Read a configuration file; an empty one gives no values.

    Args:
        path: The file, UTF-8.
        environ: Where `${VAR}` is looked up.

    Raises:
        ConfigError: The file can't be read or isn't YAML, its top level isn't a block of keys, a key is
            there twice, or a variable isn't set and has no default. Every such flaw of the file is named.
    """
    name = shown(path)
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "it isn't UTF-8 text"
        raise ConfigError(
            f"the configuration can't be read: {reason}",
            where=name,
            hint="check the path given to --config",
            code="config.file",
        ) from error
    values, positions = _parse(text, name, environ)
    if values is None:
        return YamlSource(name, {}, {})
    if not isinstance(values, dict):
        kind = "a list" if isinstance(values, list) else f"only {values!r}"
        raise ConfigError(
            f"expected `key: value` lines, found {kind}",
            where=name,
            hint="e.g. `epochs: 100`",
            code="config.yaml",
        )
    return YamlSource(name, values, positions)


def parse_value(text: str, name: str, environ: Mapping[str, str] = os.environ) -> tuple[Any, str]:
    """A single value as it may stand behind a key, and its text with variables replaced.

    >>> parse_value("[1, 2e-3]", "--set")[0], parse_value("auto", "--set")[0]
    ([1, 0.002], 'auto')

    Raises:
        ConfigError: As `load_yaml`.
    """
    value, positions = _parse(text, name, environ)
    return value, (positions[()].text if () in positions else None) or text


def resolved_tag(text: str) -> str:
    """What kind of scalar a plain text is: `"str"`, `"int"`, `"float"`, `"bool"` or `"null"`."""
    loader = _Resolver("")
    try:
        tag = loader.resolve(yaml.ScalarNode, text, (True, False))  # type: ignore[no-untyped-call]
        return str(tag).removeprefix(_TAG)
    finally:
        loader.dispose()


def shown(path: Path) -> str:
    """The path relative to the current folder when it lies inside."""
    path = Path(path)
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


def _parse(text: str, name: str, environ: Mapping[str, str]) -> tuple[Any, dict[KeyPath, Position]]:
    try:
        node = yaml.compose(text, Loader=_Resolver)
        builder = _Builder(name, environ)
        value = None if node is None else builder.build(node, ())
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{name}:{mark.line + 1}:{mark.column + 1}" if mark else name
        what = " ".join(part for part in (error.context, error.problem) if part)
        raise ConfigError(
            f"not valid YAML: {what}", where=place, hint=_syntax_hint(text, mark), code="config.yaml"
        ) from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise ConfigError(
            f"the character U+{error.character:04X} isn't allowed in YAML",
            where=f"{name}:{line}",
            hint="remove it, or write it as an escape in double quotes",
            code="config.yaml",
        ) from error
    except RecursionError as error:
        raise ConfigError("the values are nested too deeply", where=name, code="config.yaml") from error
    if builder.flaws:
        refuse(builder.flaws, hint=builder.hint)
    return value, builder.positions


def _syntax_hint(text: str, mark: yaml.Mark | None) -> str:
    lines = text.splitlines()
    line = lines[mark.line] if mark and mark.line < len(lines) else ""
    if "\t" in line[: len(line) - len(line.lstrip())]:
        return "indent with spaces, not with tabs"
    return f"look at {line.strip()!r} and the line before it" if line.strip() else "look at the end of the file"


@dataclass
class _Builder:
    """Turns PyYAML's nodes into values, noting positions and flaws on the way."""

    name: str
    environ: Mapping[str, str]
    positions: dict[KeyPath, Position] = field(default_factory=dict)
    flaws: list[Flaw] = field(default_factory=list)
    hint: str | None = None
    count: int = 0
    open_nodes: set[int] = field(default_factory=set)

    def build(self, node: yaml.Node, path: KeyPath, at: yaml.Node | None = None) -> Any:
        self.count += 1
        if self.count > MAX_VALUES or id(node) in self.open_nodes:
            reason = "contains itself" if id(node) in self.open_nodes else f"has more than {MAX_VALUES} values"
            raise ConfigError(
                f"the file {reason} through aliases (*name)", where=self._where(node), code="config.yaml"
            )
        mark = (at or node).start_mark
        self.positions[path] = Position(mark.line + 1, mark.column + 1)
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, path)
        self.open_nodes.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            self._check_tag(node, path, "seq")
            value: Any = [self.build(item, (*path, i)) for i, item in enumerate(node.value)]
        else:
            self._check_tag(node, path, "map")
            value = self._mapping(node, path)
        self.open_nodes.discard(id(node))
        return value

    def _mapping(self, node: yaml.Node, path: KeyPath) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self._refuse(key_node, path, "a key must be a single word")
                continue
            key = str(key_node.value)
            if key in result:
                first = self.positions[(*path, key)].line
                text = f"the key is there twice, first on line {first}"
                self._refuse(key_node, (*path, key), text)
                self.hint = self.hint or "keep one of the two"
                continue
            result[key] = self.build(value_node, (*path, key), key_node)
        return result

    def _scalar(self, node: yaml.ScalarNode, path: KeyPath) -> Any:
        text = self._expand(str(node.value), node, path)
        tag = node.tag
        if text != node.value and not node.style:
            tag = _TAG + resolved_tag(text)
        old = self.positions[path]
        self.positions[path] = Position(old.line, old.column, text)
        kind = tag.removeprefix(_TAG)
        try:
            return _SCALARS[kind](text)
        except (KeyError, ValueError):
            what = (
                f"{text!r} isn't of the kind {kind!r}"
                if kind in _SCALARS
                else f"the tag {tag!r} isn't supported"
            )
            self._refuse(node, path, what)
            return None

    def _expand(self, text: str, node: yaml.Node, path: KeyPath) -> str:
        def replace(match: re.Match[str]) -> str:
            if match["bad"]:
                self._variable_flaw(node, path, f"{text!r} has a '${{' that starts no variable")
                return ""
            if match["name"] is None:
                return "${"
            # As in a shell, `:-` also stands in for a variable that is set to nothing.
            value = self.environ.get(match["name"])
            if value or (value is not None and match["default"] is None):
                return value
            if match["default"] is None:
                self._variable_flaw(node, path, f"the environment variable {match['name']!r} isn't set")
                return ""
            return match["default"]

        return _VARIABLE.sub(replace, text)

    def _variable_flaw(self, node: yaml.Node, path: KeyPath, text: str) -> None:
        self._refuse(node, path, text, "config.variable")
        self.hint = self.hint or "set it, or give a default: ${VAR:-default}; write $${ for a plain ${"

    def _check_tag(self, node: yaml.Node, path: KeyPath, kind: str) -> None:
        if node.tag != _TAG + kind:
            self._refuse(node, path, f"the tag {node.tag!r} isn't supported")

    def _refuse(self, node: yaml.Node, path: KeyPath, text: str, code: str = "config.yaml") -> None:
        self.flaws.append(Flaw(self._where(node), dotted(path), text, code))

    def _where(self, node: yaml.Node) -> str:
        return f"{self.name}:{node.start_mark.line + 1}"


def _integer(text: str) -> int:
    base = {"0o": 8, "0x": 16}.get(text[:2])
    return int(text[2:], base) if base else int(text)


def _float(text: str) -> float:
    return float(text.replace(".inf", "inf").replace(".nan", "nan") if text[-1:].isalpha() else text)


_SCALARS: dict[str, Any] = {
    "str": str,
    "null": lambda _: None,
    "bool": lambda text: text.lower() == "true",
    "int": _integer,
    "float": lambda text: _float(text.lower()),
}
