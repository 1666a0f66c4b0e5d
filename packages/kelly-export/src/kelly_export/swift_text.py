"""Swift source text: names, literals, constants, comments."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

WIDTH = 100
KEYWORDS = frozenset(
    re.findall(
        r"\w+",
        """as break case catch class continue default defer do else enum extension false for func guard if
        import in init inout internal is let nil operator private protocol public repeat return self static
        struct subscript super switch throw throws true try typealias var where while""",
    )
)


def camel(name: str) -> str:
    """A Swift name: `next_state` -> `nextState`; keywords in backticks.

    >>> camel("velocity_spread"), camel("in")
    ('velocitySpread', '`in`')
    """
    first, *rest = [part for part in re.split(r"\W+|_", name) if part] or ["value"]
    joined = first[:1].lower() + first[1:] + "".join(part[:1].upper() + part[1:] for part in rest)
    joined = f"_{joined}" if joined[0].isdigit() else joined
    return f"`{joined}`" if joined in KEYWORDS else joined


def constants(values: Mapping[str, Any]) -> list[str]:
    """`public static let` for each value that Swift has a type for."""
    lines = []
    for name, value in values.items():
        kind = _type(value)
        if kind is not None:
            lines += _assigned(f"public static let {camel(name)}: {kind} = ", value)
    return lines


def _assigned(left: str, value: Any) -> list[str]:
    """A constant on one line, or a list or dictionary with a line for each part."""
    whole = left + _literal(value)
    if len(whole) <= WIDTH - 8 or not isinstance(value, (list, dict)):
        return [whole]
    parts = [f"    {_pair(key, one)}," for key, one in value.items()] if isinstance(value, dict) else []
    parts = parts or [f"    {_literal(one)}," for one in value]
    return [f"{left}[", *parts, "]"]


def _type(value: Any) -> str | None:
    """Swift's type of a JSON value; None for what has none, such as mixed lists."""
    if isinstance(value, dict):
        kinds = {_type(one) for one in value.values()}
        return f"[String: {kinds.pop()}]" if len(kinds) == 1 and None not in kinds else None
    if isinstance(value, list):
        kinds = {_type(one) for one in value} or {"String"}
        kinds = {"Double"} if kinds == {"Int", "Double"} else kinds
        return f"[{kinds.pop()}]" if len(kinds) == 1 and None not in kinds else None
    names: dict[type, str] = {bool: "Bool", int: "Int", float: "Double", str: "String"}
    return names.get(type(value))


def _literal(value: Any) -> str:
    if isinstance(value, dict):
        return "[" + (", ".join(_pair(key, one) for key, one in value.items()) or ":") + "]"
    if isinstance(value, list):
        return "[" + ", ".join(map(_literal, value)) + "]"
    if isinstance(value, str):
        return text(value)
    return json.dumps(value)


def _pair(key: str, value: Any) -> str:
    return f"{text(key)}: {_literal(value)}"


def text(value: str) -> str:
    r"""A string literal.

    >>> text('a "b" \\ c\n')
    '"a \\"b\\" \\\\ c\\u{a}"'
    """
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + re.sub(r"[\x00-\x1f\x7f]", lambda found: f"\\u{{{ord(found[0]):x}}}", escaped) + '"'


def indented(lines: Iterable[str]) -> list[str]:
    """Lines one level deeper."""
    return [f"    {line}" if line else "" for line in lines]


def wrapped(comment: str) -> list[str]:
    """A `///` comment over as many lines as it needs."""
    lines, words = [], comment.split()
    current = words[0]
    for word in words[1:]:
        if len(current) + len(word) + 5 > WIDTH:
            lines.append(current)
            current = "///"
        current += f" {word}"
    return [*lines, current]
