"""Commented YAML that reads back equal, and the JSON Schema for editors."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Literal

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import Field

from kelly_core.config import OptimizerConfig, SplitConfig, StrictModel, TrainConfig, setting
from kelly_core.config.render import json_schema, render_yaml
from kelly_core.config.resolve import dump, resolve


class Inner(StrictModel):
    """A block in a block."""

    level: float = setting(6.0, "largest gain", unit="dB", ge=0.0, le=40.0)
    split: SplitConfig = setting(SplitConfig, "a block one deeper")


class RichConfig(TrainConfig):
    """Settings of a test.

    More that nobody prints.
    """

    model_id: Literal["rich"] = setting("rich", "id")
    kind: Literal["cnn", "mlp"] = setting("cnn", "which network")
    widths: list[Annotated[int, Field(ge=1, le=512)]] = setting(list, "widths", unit="units", max_length=3)
    names: dict[str, str] = setting(dict, "names")
    parts: list[list[float]] = setting(list, "parts")
    inner: Inner = setting(Inner, "a block")
    maybe: Inner | None = setting(None, "an optional block")


finite = st.floats(0.0, 40.0)
inners = st.builds(
    Inner, level=finite, split=st.builds(SplitConfig, test_fold=st.text(), seed=st.integers(0, 2**70))
)
configs = st.builds(
    RichConfig,
    kind=st.sampled_from(["cnn", "mlp"]),
    epochs=st.integers(1, 100_000),
    learning_rate=st.floats(0.0, 10.0, exclude_min=True),
    batch_size=st.none() | st.integers(1, 65_536),
    device=st.text(),
    data_root=st.none()
    | st.text()
    | st.sampled_from(["${HOME}", "$${X:-y}", "no", "1e-3", "null", "~", "a: b #"]),
    widths=st.lists(st.integers(1, 512), max_size=3),
    names=st.dictionaries(st.text(), st.text(), max_size=3),
    parts=st.lists(st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=2), max_size=2),
    optimizer=st.builds(OptimizerConfig, name=st.sampled_from(["sgd", "adam"])),
    inner=inners,
    maybe=st.none() | inners,
    export_onnx=st.booleans(),
)


@settings(max_examples=60)
@given(configs)
def test_rendered_yaml_reads_back_equal(config):
    with TemporaryDirectory() as folder:
        path = Path(folder, "rich.yaml")
        path.write_text(render_yaml(config), encoding="utf-8")
        assert resolve(RichConfig, config_file=path).config == config


@settings(max_examples=30)
@given(configs)
def test_other_yaml_readers_see_the_same_values(config):
    config = config.model_copy(update={"data_root": None, "device": "cpu", "names": {}})
    config = config.model_copy(update={"inner": Inner(), "maybe": None})
    assert yaml.safe_load(render_yaml(config)) == dump(config)


def test_every_field_is_explained_above_its_key():
    lines = render_yaml(RichConfig()).splitlines()
    assert lines[0] == "# Settings of a test."
    at = lines.index("epochs: 100")
    assert lines[at - 1] == "# passes over the training data (a whole number from 1 to 100000 epochs)"
    at = lines.index("kind: cnn")
    assert lines[at - 1] == "# which network (one of cnn, mlp)"
    at = lines.index("widths: []")
    assert lines[at - 1] == "# widths (a list of at most 3 items, each a whole number from 1 to 512 units)"
    at = lines.index("  level: 6.0")
    assert lines[at - 3 : at] == ["# a block", "inner:", "  # largest gain (a number from 0 to 40 dB)"]
    assert max(map(len, lines)) <= 100


def test_no_key_is_missing_and_every_key_has_a_comment():
    lines = render_yaml(RichConfig(maybe=Inner())).splitlines()
    keys = [i for i, line in enumerate(lines) if line and not line.lstrip().startswith("#")]
    assert len(keys) == _count(dump(RichConfig(maybe=Inner())))
    assert all(lines[i - 1].lstrip().startswith("#") for i in keys)


def _count(values):
    return sum(1 + (_count(value) if isinstance(value, dict) else 0) for value in values.values())


def test_the_schema_line_for_editors_comes_first():
    text = render_yaml(RichConfig(), schema_link="rich.schema.json")
    assert text.startswith("# yaml-language-server: $schema=rich.schema.json\n")


def test_the_schema_is_valid_accepts_the_default_and_refuses_unknown_keys():
    schema = json_schema(RichConfig)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    Draft202012Validator.check_schema(schema)
    check = Draft202012Validator(schema)
    assert check.is_valid(dump(RichConfig(maybe=Inner())))
    assert not check.is_valid({"epoch": 3})
    assert not check.is_valid({"inner": {"level": 41}})


def test_the_schema_describes_with_unit_and_range():
    schema = json_schema(RichConfig)
    level = schema["$defs"]["Inner"]["properties"]["level"]
    assert level["description"] == "largest gain (a number from 0 to 40 dB)"
    assert level["unit"] == "dB"
    assert schema["properties"]["inner"]["description"] == "a block"
