"""Keeps pydantic out of commands that need no conversion of their options.

From 0.29 on, typer converts every option through pydantic, absent ones too, and importing pydantic takes
three times as long as all of `kelly list`. Here an absent value, and one that already has its type, is
passed on as it is; every other value takes typer's own way.
"""

from __future__ import annotations

from typing import Any


def lighten(command: Any) -> Any:
    """Make a command's parameters, and those of its sub-commands, convert only what needs it.

    With a typer that has no such conversion this changes nothing.
    """
    for param in command.params:
        _defer(param)
    make_help_option = command.get_help_option

    def get_help_option(ctx: Any) -> Any:
        # typer makes this one late, outside `params`.
        return _defer(make_help_option(ctx))

    command.get_help_option = get_help_option
    for child in getattr(command, "commands", {}).values():
        lighten(child)
    return command


def _defer(param: Any) -> Any:
    if hasattr(param, "_runtime_param") and hasattr(param, "get_runtime_param"):
        param._runtime_param = _Deferred()  # noqa: SLF001 - typer offers no public way
    return param


class _Deferred:
    """Takes the place of typer's converter until a value comes that needs it."""

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        if value is None:
            return () if param.multiple or param.nargs == -1 else None
        if _has_its_type(value, param.type_descriptor):
            return value
        param._runtime_param = None  # noqa: SLF001 - the next line builds typer's own
        return param.get_runtime_param().coerce(value, param=param, ctx=ctx)


def _has_its_type(value: Any, descriptor: Any) -> bool:
    if getattr(descriptor.parameter_info, "parser", None) is not None:
        return False
    if descriptor.annotation in (str, bool):
        return type(value) is descriptor.annotation
    return type(value) is str and any(type(c) is str and c == value for c in descriptor.choices or ())
