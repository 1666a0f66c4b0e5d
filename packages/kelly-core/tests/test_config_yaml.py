"""YAML files that remember where each key stands."""

import math
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kelly_core.config.render import yaml_value
from kelly_core.config.yaml_source import load_yaml, parse_value
from kelly_core.errors import ConfigError


@pytest.fixture
def read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def read(text, **environ):
        Path("c.yaml").write_text(text, encoding="utf-8")
        return load_yaml(tmp_path / "c.yaml", environ)

    return read


def message(read, text, **environ):
    with pytest.raises(ConfigError) as caught:
        read(text, **environ)
    return str(caught.value)


def test_every_key_path_has_its_line_and_column(read):
    source = read("a: 1\n\nblock:\n  b: [1,\n      2]\n")
    assert source.values == {"a": 1, "block": {"b": [1, 2]}}
    assert source.where(("block", "b")) == "c.yaml:4"
    assert source.where(("block", "b", 1)) == "c.yaml:5"
    assert source.where(("block", "missing")) == "c.yaml:3"
    assert (source.positions["block", "b"].line, source.positions["block", "b"].column) == (4, 3)


@pytest.mark.parametrize("text", ["", "# only a comment\n", "---\n", "\ufeff", "null"])
def test_an_empty_file_has_no_values(read, text):
    assert read(text).values == {}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("1E5", 1e5),
        (".5", 0.5),
        ("-.inf", -math.inf),
        ("0x1F", 31),
        ("0o17", 15),
        ("012", 12),
        ("no", "no"),
        ("On", "On"),
        ("true", True),
        ("~", None),
        ("", None),
        ("2025-12-23", "2025-12-23"),
        ("1:30", "1:30"),
        ("'1'", "1"),
        ("[512, 256]", [512, 256]),
    ],
)
def test_scalars_follow_yaml_1_2(read, text, value):
    assert read(f"key: {text}").values == {"key": value}


def test_a_key_given_twice_names_both_lines(read):
    text = message(read, "epochs: 1\nsplit:\n  by: fold\n  by: group\nepochs: 2\n")
    assert "c.yaml:4: split.by: the key is there twice, first on line 3" in text
    assert "c.yaml:5: epochs: the key is there twice, first on line 1" in text


def test_a_syntax_error_has_line_and_column(read):
    assert message(read, "a: 1\nb: [1, 2\nc: 3\n").startswith("c.yaml:3:2: not valid YAML")
    assert "indent with spaces, not with tabs" in message(read, "a:\n\tb: 1\n")


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("- 1\n- 2\n", "expected `key: value` lines, found a list"),
        ("hello\n", "expected `key: value` lines, found only 'hello'"),
        ("a: &x [*x]\n", "contains itself"),
        ("a: !!python/object:os.system x\n", "isn't supported"),
        ("a: !!int many\n", "'many' isn't of the kind 'int'"),
        ("[1, 2]: 3\n", "a key must be a single word"),
        ("a: 1\n---\nb: 2\n", "single document"),
        ("a: \x00\n", "U+0000 isn't allowed"),
        ("[" * 3000, "nested too deeply"),
    ],
)
def test_what_is_no_configuration_is_refused(read, text, part):
    assert part in message(read, text)


def test_aliases_that_multiply_are_stopped(read):
    lines = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12)]
    assert "more than 100000 values" in message(read, "\n".join(lines))


def test_a_file_that_cannot_be_read_says_why(tmp_path):
    with pytest.raises(ConfigError, match="can't be read: No such file"):
        load_yaml(tmp_path / "absent.yaml")
    with pytest.raises(ConfigError, match=r"can't be read: Is a directory"):
        load_yaml(tmp_path)
    (tmp_path / "latin.yaml").write_bytes(b"a: \xe9\n")
    with pytest.raises(ConfigError, match="isn't UTF-8 text"):
        load_yaml(tmp_path / "latin.yaml")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("${HOME}/kelly", "/h/kelly"),
        ("${NONE:-/data}/x", "/data/x"),
        ("${EMPTY:-/data}", "/data"),
        ("${NONE:-}x", "x"),
        ("'${N}'", "12"),
        ("${N}", 12),
        ("${NONE:-1e-3}", 0.001),
        ("$${HOME}", "${HOME}"),
        ("$HOME", "$HOME"),
    ],
)
def test_variables_are_replaced(read, text, value):
    assert read(f"key: {text}", HOME="/h", EMPTY="", N="12").values == {"key": value}


def test_an_unset_variable_names_file_line_and_key(read):
    text = message(read, "a: 1\nb:\n  data_root: ${KELLY_NOWHERE}/x\n")
    assert text.startswith("c.yaml:3: b.data_root: the environment variable 'KELLY_NOWHERE' isn't set")
    assert "${VAR:-default}" in text
    assert "starts no variable" in message(read, "a: '${1}'\n")


def test_a_value_of_set_is_yaml():
    assert parse_value("[1, 2e-3]", "--set")[0] == [1, 0.002]
    assert parse_value("0o10", "--set") == (8, "0o10")


@given(st.text() | st.text(alphabet="ab:-[]{}#&*!|>'\"%@`, \n\t$0.1e", max_size=40))
def test_any_text_is_read_or_refused_with_a_message(text):
    with TemporaryDirectory() as folder:
        path = Path(folder, "c.yaml")
        path.write_text(text, encoding="utf-8")
        with suppress(ConfigError):
            assert isinstance(load_yaml(path, {}).values, dict)


plain = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()


@given(st.recursive(plain, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=12))
def test_a_rendered_value_reads_back_equal(value):
    assert parse_value(yaml_value(value), "value", {})[0] == value
