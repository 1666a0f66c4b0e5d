"""Precedence, origins, and what a user reads when a setting is wrong."""

import itertools
import json
from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import Field, model_validator

from kelly_core.config import StrictModel, TrainConfig, setting
from kelly_core.config.resolve import Change, describe_changes, dump, load_stored, resolve, workspace_file
from kelly_core.errors import ConfigError


class Mel(StrictModel):
    """A nested block."""

    n_mels: int = setting(64, "bands", unit="bands", ge=8, le=256)
    rate: float = setting(16000.0, "rate", unit="Hz", gt=0.0)
    top: float = setting(8000.0, "upper edge", unit="Hz", gt=0.0)

    @model_validator(mode="after")
    def _fits(self):
        if self.top > self.rate / 2:
            raise ValueError(f"top ({self.top:g} Hz) is above half of rate ({self.rate:g} Hz)")
        return self


class ToyConfig(TrainConfig):
    """A toy."""

    model_id: Literal["toymodel"] = setting("toymodel", "id")
    widths: list[Annotated[int, Field(ge=1, le=512)]] = setting(list, "widths", max_length=3)
    names: dict[str, str] = setting(dict, "names")
    shape: tuple[int, int] = setting((1, 2), "shape")
    mel: Mel = setting(Mel, "the mel block")
    other: Mel | None = setting(None, "an optional block")


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(name, text):
    Path(name).write_text(text)
    return Path(name)


def message(**arguments):
    with pytest.raises(ConfigError) as caught:
        resolve(ToyConfig, **arguments)
    assert caught.value.exit_code == 2
    return str(caught.value)


def in_file(text):
    return message(config_file=write("toy.yaml", text))


PLACES = {
    "package_default": ({"epochs": 11}, 11, "package default"),
    "workspace_file": ("epochs: 12", 12, "workspace_file.yaml:1"),
    "config_file": ("epochs: 13", 13, "config_file.yaml:1"),
    "sets": (["epochs=14"], 14, "--set"),
    "flags": ({"epochs": 15}, 15, "--epochs"),
}


@pytest.mark.parametrize(
    "chosen", [c for n in range(1, 6) for c in itertools.combinations(PLACES, n)], ids="+".join
)
def test_the_later_place_wins_and_is_named_as_origin(here, chosen):
    given = {name: PLACES[name][0] for name in chosen}
    for name in ("workspace_file", "config_file"):
        if name in given:
            given[name] = write(f"{name}.yaml", given[name])
    resolved = resolve(ToyConfig, **given)
    _, value, origin = PLACES[chosen[-1]]
    assert (resolved.config.epochs, resolved.origins["epochs"]) == (value, origin)
    assert resolved.default.epochs == (11 if "package_default" in chosen else 100)
    assert resolved.origins["mel.n_mels"] == "package default"


def test_blocks_merge_and_lists_replace(here):
    resolved = resolve(
        ToyConfig,
        workspace_file=write("w.yaml", "mel: {n_mels: 32, rate: 22050}\nwidths: [1, 2, 3]\nnames: {a: b}\n"),
        config_file=write("c.yaml", "mel:\n  n_mels: 40\nwidths: [9]\n"),
        sets=["names.c=d", "other.n_mels=8"],
    )
    config = resolved.config
    assert (config.mel.n_mels, config.mel.rate, config.widths) == (40, 22050.0, [9])
    assert config.names == {"a": "b", "c": "d"}
    assert config.other == Mel(n_mels=8)
    assert resolved.origins["mel.n_mels"] == "c.yaml:2"
    assert resolved.origins["mel.rate"] == "w.yaml:1"
    assert resolved.origins["mel.top"] == "package default"
    assert resolved.origins["names"] == "--set"


def test_flags_not_given_and_absent_workspace_file_change_nothing(here):
    resolved = resolve(ToyConfig, workspace_file=here / "none.yaml", flags={"epochs": None, "data_root": None})
    assert resolved.config == ToyConfig()
    assert describe_changes(resolved) == []


def test_a_config_file_that_is_asked_for_must_exist(here):
    assert message(config_file=here / "none.yaml").startswith("none.yaml: the configuration can't be read")


def test_types_that_yaml_lacks_are_filled_from_it(here):
    resolved = resolve(ToyConfig, sets=["shape=[3, 4]", "learning_rate=1"], flags={"data_root": Path("/d")})
    assert resolved.config.shape == (3, 4)
    assert resolved.config.learning_rate == 1.0
    assert resolved.config.data_root == "/d"


def test_a_number_where_text_is_wanted_is_taken_as_written(here):
    config = resolve(
        ToyConfig, config_file=write("c.yaml", "split: {test_fold: 01}"), sets=["dataset=7"]
    ).config
    assert (config.split.test_fold, config.dataset) == ("01", "7")


def test_a_heading_without_lines_is_the_default_block(here):
    config = resolve(ToyConfig, config_file=write("c.yaml", "mel:\n  # n_mels: 3\nother:\n")).config
    assert (config.mel, config.other) == (Mel(), None)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\nepoch: 3", "c.yaml:2: epoch: unknown key; did you mean 'epochs'?"),
        ("mel:\n  n_mel: 3", "c.yaml:2: mel.n_mel: unknown key; did you mean 'mel.n_mels'?"),
        ("n_mels: 3", "c.yaml:1: n_mels: unknown key; did you mean 'mel.n_mels'?"),
        ("mel: {epochs: 3}", "c.yaml:1: mel.epochs: unknown key; did you mean 'epochs'?"),
        ("lr: 3", "c.yaml:1: lr: unknown key; did you mean 'learning_rate'?"),
        ("mel.n_mels: 3", "c.yaml:1: mel.n_mels: unknown key; in a file this is nested: `mel: {n_mels: ...}`"),
        ("mel: {zzz: 1}", "c.yaml:1: mel.zzz: unknown key; 'mel' has the keys n_mels, rate, top"),
        ("zzzzzz: 1", "c.yaml:1: zzzzzz: unknown key, and no key is spelled like it"),
        ("epochs: ten", "c.yaml:1: epochs: got 'ten' (text), expected a whole number from 1 to 100000 epochs"),
        ("epochs: 0", "c.yaml:1: epochs: got 0, expected a whole number from 1 to 100000 epochs"),
        ("epochs: 1.5", "c.yaml:1: epochs: got 1.5 (a number), expected a whole number from 1 to"),
        ("epochs: true", "c.yaml:1: epochs: got true (true or false), expected a whole number"),
        ("epochs:", "c.yaml:1: epochs: got null, expected a whole number"),
        ("batch_size: 0", "batch_size: got 0, expected a whole number from 1 to 65536, or null"),
        ("learning_rate: 0", "learning_rate: got 0, expected a number above 0 and at most 10"),
        ("learning_rate: .nan", "learning_rate: got NaN, expected a number above 0 and at most 10"),
        ("export_onnx: yes", "export_onnx: got 'yes' (text), expected true or false; write true"),
        ("split: {by: groups}", "split.by: got 'groups', expected one of auto, declared, fold, group"),
        ("mel: 5", "mel: got 5 (a whole number), expected a block with the keys n_mels, rate, top, indented"),
        ("widths: [1,\n  0]", "c.yaml:2: widths[1]: got 0, expected a whole number from 1 to 512"),
        ("widths: 3", "widths: got 3 (a whole number), expected a list of at most 3 items, each a whole"),
        ("widths: [1, 2, 3, 4]", "widths: got [1, 2, 3, 4], expected a list of at most 3 items"),
        ("names: {a: [1]}", "names.a: got [1] (a list), expected text"),
        ("mel:\n  rate: 8000", "c.yaml:2: mel.rate, mel.top: top (8000 Hz) is above half of rate (8000 Hz)"),
    ],
)
def test_a_wrong_value_is_named_with_place_and_expectation(here, text, expected):
    with pytest.raises(ConfigError) as caught:
        resolve(ToyConfig, config_file=write("c.yaml", text))
    assert str(caught.value).startswith(expected) or expected in str(caught.value).partition("\n")[0]
    assert caught.value.where.startswith("c.yaml:")


def test_all_flaws_of_all_places_come_at_once_in_reading_order(here):
    text = message(
        config_file=write("toy.yaml", "widths: [0]\nepoch: 1\nmel: {n_mels: 1}\n"),
        sets=["seed=-1"],
        flags={"learning_rate": 11.0},
    )
    lines = text.splitlines()
    assert lines[0] == "5 settings can't be used:"
    assert sorted(line.split(": ")[0].strip() for line in lines[1:6]) == sorted(
        ["--lr", "--set", "toy.yaml:1", "toy.yaml:2", "toy.yaml:3"]
    )
    places = [line.split(": ")[0].strip() for line in lines[1:6]]
    assert [place for place in places if place.startswith("toy")] == ["toy.yaml:1", "toy.yaml:2", "toy.yaml:3"]
    assert "kelly config toymodel" in lines[6]


def test_errors_of_flags_and_set_name_them(here):
    assert message(flags={"batch_size": 0}).startswith("--batch-size: batch_size: got 0")
    assert message(flags={"learning_rate": 0.0}).startswith("--lr: learning_rate: got 0.0")
    assert message(sets=["mel.n_mels=1"]).startswith("--set: mel.n_mels: got 1, expected a whole number from 8")
    assert message(sets=["eopchs=1"]).startswith("--set: eopchs: unknown key; did you mean 'epochs'?")


@pytest.mark.parametrize("given", ["epochs", "=3", "a b=3", "a..b=3", "", ".a=1"])
def test_a_malformed_set_shows_an_example(here, given):
    text = message(sets=[given])
    assert text.startswith(f"--set: {given!r} isn't of the form KEY=VALUE")
    assert "--set optimizer.weight_decay=0.1" in text


def test_a_set_value_that_is_no_yaml_says_so(here):
    assert message(sets=["widths=[1, 2"]).startswith("--set: '[1, 2' can't be used as the value of 'widths'")


def test_a_value_that_is_overridden_is_not_complained_about(here):
    resolved = resolve(ToyConfig, config_file=write("c.yaml", "epochs: many"), flags={"epochs": 3})
    assert resolved.config.epochs == 3


def test_the_file_of_another_model_names_both(here):
    text = in_file("epochs: 3\nmodel_id: melodytransformer\nvocabulary: 3\n")
    assert text.startswith(
        "toy.yaml:2: model_id: this configures 'melodytransformer', but the model asked for is 'toymodel'"
    )


def test_changes_list_value_default_and_origin(here):
    resolved = resolve(
        ToyConfig,
        package_default={"epochs": 7},
        config_file=write("c.yaml", "seed: 0\nmel:\n  n_mels: 32\nwidths: [4]\n"),
        flags={"epochs": 9},
    )
    assert describe_changes(resolved) == [
        Change("epochs", 9, 7, "--epochs"),
        Change("widths", [4], [], "c.yaml:4"),
        Change("mel.n_mels", 32, 64, "c.yaml:3"),
    ]


def test_every_setting_has_an_origin(here):
    resolved = resolve(ToyConfig, sets=["split.by=fold", "widths=[1]"])
    given = {key: origin for key, origin in resolved.origins.items() if origin != "package default"}
    assert given == {"split.by": "--set", "widths": "--set"}
    assert {"epochs", "names", "mel.top", "other.top", "checkpoint.keep"} <= set(resolved.origins)


def test_a_stored_configuration_comes_back_equal():
    config = ToyConfig(epochs=3, widths=[5], learning_rate=0.1 + 0.2, other=Mel(rate=48000.0))
    assert load_stored(ToyConfig, json.loads(json.dumps(dump(config)))) == config


def test_a_stored_configuration_that_no_longer_fits_says_where_it_was_stored():
    with pytest.raises(ConfigError, match=r"run 17: epochz: unknown key; did you mean 'epochs'\?"):
        load_stored(ToyConfig, {"epochz": 3}, where="run 17")


def test_the_workspace_file_is_found_under_any_name_of_the_model(here):
    names = ("toy", "toymodel", "toy_model")
    assert workspace_file(here, names) is None
    (here / "toy_model.yaml").touch()
    assert workspace_file(here, names) == here / "toy_model.yaml"
    (here / "toy.yaml").touch()
    with pytest.raises(ConfigError, match=r"two configurations: toy\.yaml and toy_model\.yaml"):
        workspace_file(here, names)
