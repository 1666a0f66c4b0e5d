"""Rules about a model's configuration."""

from __future__ import annotations

from kelly_core.errors import ConfigError
from kelly_core.testing.rules import BrokenRuleError, rule
from kelly_core.testing.subject import Subject

WRONG = "no_such_setting_anywhere"


@rule(
    "model",
    why="flags, files, checkpoints and the registry are read through what all configurations share",
    mend="derive it from kelly_core.config.TrainConfig and give model_id and task the spec's values",
    about_training=True,
)
def configuration_fits_the_spec(subject: Subject) -> None:
    """The configuration is a TrainConfig whose model_id and task are the spec's."""
    from kelly_core.config import TrainConfig

    found = subject.model.config_class()
    if not (isinstance(found, type) and issubclass(found, TrainConfig)):
        raise BrokenRuleError(f"its configuration class is {found!r}")
    config = found()
    for name in ("model_id", "task"):
        mine, wanted = getattr(config, name), getattr(subject.model, name)
        if mine != wanted:
            raise BrokenRuleError(f"its {name} is {mine!r}; the spec says {wanted!r}")


@rule(
    "model",
    why="`kelly config` prints a file that people edit and train from; a value that changes on the way is lost",
    mend="use types that YAML carries: numbers, text, lists, nested StrictModel blocks",
    about_training=True,
)
def configuration_round_trips_yaml(subject: Subject) -> str:
    """The configuration written as YAML and read again is the same."""
    from kelly_core.config.render import render_yaml
    from kelly_core.config.resolve import resolve

    config_class = subject.model.config_class()
    config = resolve(config_class).config
    file = subject.workspace.root / "round-trip.yaml"
    file.write_text(render_yaml(config), encoding="utf-8")
    again = resolve(config_class, config_file=file).config
    if again != config:
        differing = [
            name for name in type(config).model_fields if getattr(config, name) != getattr(again, name)
        ]
        raise BrokenRuleError(f"changed on the way: {', '.join(differing)}")
    return f"{len(type(config).model_fields)} settings"


@rule(
    "model",
    why="a mistyped key that is dropped silently trains with the default, and nobody notices",
    mend="keep TrainConfig's model_config (extra='forbid'), and derive nested blocks from StrictModel",
    about_training=True,
)
def unknown_keys_are_rejected(subject: Subject) -> None:
    """A key that the configuration doesn't know is an error, in nested blocks too."""
    from pydantic import BaseModel

    from kelly_core.config.resolve import resolve

    config_class = subject.model.config_class()
    config = config_class()
    blocks = [name for name in type(config).model_fields if isinstance(getattr(config, name), BaseModel)]
    for key in (WRONG, *(f"{block}.{WRONG}" for block in blocks)):
        try:
            resolve(config_class, sets=[f"{key}=1"])
        except ConfigError:
            continue
        raise BrokenRuleError(f"{key} = 1 was accepted")
