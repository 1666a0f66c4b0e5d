"""From flags, `--set`, files and defaults to one validated configuration that knows its origins."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import ValidationError

from kelly_core.config.base import TrainConfig
from kelly_core.config.describe import Schema, field_schema, follow, is_block, known_keys, raw_schema
from kelly_core.config.flaws import Flaw, refuse
from kelly_core.config.translate import translate
from kelly_core.config.yaml_source import KeyPath, load_yaml, parse_value, shown
from kelly_core.errors import ConfigError

ConfigT = TypeVar("ConfigT", bound=TrainConfig)

PACKAGE_DEFAULT = "package default"
FLAGS = {"learning_rate": "--lr", "data_root": "--data"}
"""Flags whose name isn't the key's own."""
_SYNONYMS = {flag.removeprefix("--"): key for key, flag in FLAGS.items()}
_KEY = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_][\w-]*)*")


@dataclass(frozen=True)
class Resolved(Generic[ConfigT]):
    """A configuration and where each of its values comes from.

    Attributes:
        config: The validated configuration.
        origins: For every dotted key: `"--epochs"`, `"--set"`, `"configs/emotion.yaml:4"` or
            `"package default"`.
        default: The configuration as the package has it.
    """

    config: ConfigT
    origins: Mapping[str, str]
    default: ConfigT


@dataclass(frozen=True, slots=True)
class Change:
    """A value that differs from the package default."""

    key: str
    value: Any
    default: Any
    origin: str


@dataclass(frozen=True, slots=True)
class _Layer:
    """Values from one place. `where` is its text for each path, `texts` the scalars as written."""

    values: Mapping[str, Any]
    where: Mapping[KeyPath, str]
    texts: Mapping[KeyPath, str]


def resolve(
    config_class: type[ConfigT],
    *,
    package_default: Mapping[str, Any] | None = None,
    workspace_file: Path | None = None,
    config_file: Path | None = None,
    sets: Sequence[str] = (),
    flags: Mapping[str, Any] | None = None,
) -> Resolved[ConfigT]:
    """Merge all places a setting can come from; the later in the list of arguments wins.

    Nested blocks are merged key by key; lists are replaced whole.

    Args:
        config_class: The model's configuration class.
        package_default: Values that differ from the defaults of the class; None takes the class's recipe
            for the architecture that the other places ask for.
        workspace_file: `configs/<model>.yaml` of the workspace; None or a missing file give nothing.
        config_file: The file given with `--config`; it must exist.
        sets: `a.b=value` as given with `--set`; the value is YAML.
        flags: Dotted key to value; None stands for a flag that wasn't given.

    Raises:
        ConfigError: A file can't be read, a key is unknown, or a value has the wrong type, is out of range
            or contradicts another. All flaws of all places are shown together.
    """
    root = raw_schema(config_class)
    layers: list[_Layer] = []
    if workspace_file is not None and Path(workspace_file).is_file():
        layers.append(_from_file(workspace_file))
    if config_file is not None:
        layers.append(_from_file(config_file))
    layers += [_from_set(text) for text in sets]
    layers += [_from_flag(key, value) for key, value in (flags or {}).items() if value is not None]
    base = _Layer(package_default if package_default is not None else _recipe(config_class, layers), {}, {})
    layers = [base, *layers]

    default = load_stored(config_class, base.values, where=PACKAGE_DEFAULT)
    _check_model_id(default.model_id, layers)
    values, where = _merge(root, layers)
    config = _validate(config_class, values, lambda path: _nearest(where, path))
    origins = {key: where.get(tuple(key.split("."))) or PACKAGE_DEFAULT for key in known_keys(root)}
    return Resolved(config, origins, default)


def _recipe(config_class: type[ConfigT], layers: Sequence[_Layer]) -> dict[str, Any]:
    """The defaults of the architecture that the last layer to name one asks for."""
    named = [layer.values["architecture_type"] for layer in layers if "architecture_type" in layer.values]
    chosen = named[-1] if named else config_class.model_fields["architecture_type"].default
    return config_class.recipe(str(chosen))


def load_stored(
    config_class: type[ConfigT], mapping: Mapping[str, Any], *, where: str = "stored configuration"
) -> ConfigT:
    """The configuration that `dump` gave, as stored with a run or a checkpoint.

    Raises:
        ConfigError: It doesn't fit this version of the class; the message names each key.
    """
    return _validate(config_class, mapping, lambda _: where)


def dump(config: TrainConfig) -> dict[str, Any]:
    """The configuration as plain values that JSON and YAML can hold."""
    return config.model_dump(mode="json")


def workspace_file(folder: Path, names: Sequence[str]) -> Path | None:
    """The model's own file in the workspace's `configs/`.

    Args:
        folder: `Workspace.configs`.
        names: All names of the model: short name, model id, aliases.

    Raises:
        ConfigError: There are several, under different names.
    """
    found = [path for name in dict.fromkeys(names) if (path := Path(folder) / f"{name}.yaml").is_file()]
    if len(found) > 1:
        files = " and ".join(shown(path) for path in found)
        raise ConfigError(
            f"the model has two configurations: {files}",
            hint="keep one, or choose with --config",
            code="config.two-files",
        )
    return found[0] if found else None


def describe_changes(resolved: Resolved[Any]) -> list[Change]:
    """Every value that differs from the package default, in the order of the class."""
    changes = []
    for key in known_keys(raw_schema(resolved.config.__class__)):
        value, default = _get(resolved.config, key), _get(resolved.default, key)
        if value != default:
            changes.append(Change(key, value, default, resolved.origins[key]))
    return changes


def _get(config: Any, key: str) -> Any:
    """The plain value at a dotted key; None below an optional block that is absent."""
    at: Any = dump(config)
    for part in key.split("."):
        at = at.get(part) if isinstance(at, Mapping) else None
    return at


def _from_file(path: Path) -> _Layer:
    source = load_yaml(path)
    texts = {at: position.text for at, position in source.positions.items() if position.text is not None}
    return _Layer(source.values, {at: source.where(at) for at in source.positions if at}, texts)


def _from_set(given: str) -> _Layer:
    key, equals, text = given.partition("=")
    key = key.strip()
    if not equals or not _KEY.fullmatch(key):
        raise ConfigError(
            f"{given!r} isn't of the form KEY=VALUE",
            where="--set",
            hint="e.g. `--set optimizer.weight_decay=0.1` or `--set 'hidden_layers=[128, 64]'`",
            code="config.set",
        )
    path = tuple(key.split("."))
    try:
        value, written = parse_value(text.strip(), f"--set {key}")
    except ConfigError as error:
        raise ConfigError(
            f"{text!r} can't be used as the value of {key!r}: {error.message}",
            where="--set",
            hint=f"put text with special characters in quotes: --set {key}='\"...\"'",
            code="config.set",
        ) from error
    return _Layer(_nested(path, value), {path: "--set"}, {path: written})


def _from_flag(key: str, value: Any) -> _Layer:
    path = tuple(key.split("."))
    plain = str(value) if isinstance(value, Path) else value
    flag = FLAGS.get(key, "--" + key.replace("_", "-").replace(".", "-"))
    return _Layer(_nested(path, plain), {path: flag}, {})


def _nested(path: Sequence[str], value: Any) -> dict[str, Any]:
    for part in reversed(path):
        value = {part: value}
    return dict(value)


def _check_model_id(model_id: str, layers: Sequence[_Layer]) -> None:
    flaws = [
        Flaw(
            _nearest(layer.where, ("model_id",)),
            "model_id",
            f"this configures {layer.values['model_id']!r}, but the model asked for is {model_id!r}",
            "config.other-model",
        )
        for layer in layers
        if model_id and layer.values.get("model_id", model_id) != model_id
    ]
    if flaws:
        refuse(flaws, hint=f"give a configuration of {model_id!r}, or name the other model in the command")


def _merge(root: Schema, layers: Sequence[_Layer]) -> tuple[dict[str, Any], dict[KeyPath, str]]:
    """Merged values, and who gave each path of them."""
    merged: dict[str, Any] = {}
    where: dict[KeyPath, str] = {}

    def put(target: dict[str, Any], values: Mapping[str, Any], path: KeyPath, layer: _Layer) -> None:
        for key, given in values.items():
            at = (*path, key)
            schema = field_schema(root, at)
            # A heading whose lines are all deleted or commented out is an empty block.
            bare_heading = given is None and is_block(root, schema) and not _may_be_null(schema)
            value: Any = {} if bare_heading else given
            if isinstance(value, Mapping):
                if not isinstance(target.get(key), dict):
                    target[key] = {}
                below = (text for known, text in layer.where.items() if known[: len(at)] == at)
                where[at] = _nearest(layer.where, at) or next(below, "")
                put(target[key], value, at, layer)
                continue
            if isinstance(target.get(key), list | dict):
                for old in [known for known in where if known[: len(at)] == at]:
                    del where[old]
            target[key] = _as_written(root, schema, value, at, layer)
            where[at] = _nearest(layer.where, at)
            if isinstance(value, list):
                where.update({known: text for known, text in layer.where.items() if known[: len(at)] == at})

    for layer in layers:
        put(merged, layer.values, (), layer)
    return merged, where


def _may_be_null(schema: Schema | None) -> bool:
    return any(option.get("type") == "null" for option in (schema or {}).get("anyOf", ()))


def _as_written(root: Schema, schema: Schema | None, value: Any, path: KeyPath, layer: _Layer) -> Any:
    """A number where text is wanted (`test_fold: 1`) is the text as it was written."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    wants_text = schema is not None and follow(root, schema).get("type") == "string"
    return layer.texts.get(path, value) if is_number and wants_text else value


def _nearest(where: Mapping[KeyPath, str], path: KeyPath) -> str:
    """Who gave the path, or the nearest block around it; empty when nobody did."""
    while path and path not in where:
        path = path[:-1]
    return where.get(path, "")


def _validate(config_class: type[ConfigT], values: Mapping[str, Any], where: Any) -> ConfigT:
    try:
        # JSON's rules for types: a list may fill a tuple and text a path, yet text is never a number.
        return config_class.model_validate_json(json.dumps(values, default=str))
    except ValidationError as error:
        root = raw_schema(config_class)
        flaws = translate(error, values, root, where, _SYNONYMS)
        model = config_class.model_fields["model_id"].default or "MODEL"
        refuse(flaws, hint=f"`kelly config {model}` shows every key with its meaning and range")
