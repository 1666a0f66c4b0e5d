"""Every error has a code, every code an explanation: code, command and page can't drift apart."""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from kelly_core import cli, errors
from kelly_core.cli.app import COMMANDS
from kelly_core.errors import DataError, KellyError, UserError
from kelly_core.explain import explanations

ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted([*ROOT.glob("packages/*/src/**/*.py"), *ROOT.glob("examples/*/src/**/*.py")])
CODE = re.compile(r"[a-z]+(-[a-z]+)*(\.[a-z]+(-[a-z]+)*)?")


def texts(node):
    return {one.value for one in ast.walk(node) if isinstance(one, ast.Constant) and isinstance(one.value, str)}


def stated(tree):
    """(where the code stands, the code): `code=` of an error, `code = ` of a class, and positional ones."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and node.name.endswith("Error"):
            for line in node.body:
                if isinstance(line, ast.Assign) and ast.unparse(line.targets[0]) == "code":
                    yield node.name, line.value.value
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func).rpartition(".")[2]
        if called.endswith("Error"):
            for keyword in node.keywords:
                if keyword.arg == "code":
                    yield from ((called, code) for code in texts(keyword.value))
        elif called in {"fail", "Flaw", "_refuse"} and len(node.args) > 1:
            yield from ((called, code) for code in texts(node.args[-1]) if code in explanations())


def used():
    found = {}
    for file in SOURCES:
        tree = ast.parse(file.read_text(encoding="utf-8"))
        for where, code in stated(tree):
            found.setdefault(code, set()).add(where)
        if file.name in {"flaws.py", "translate.py", "plugins.py", "yaml_source.py"}:
            # Codes that are chosen there and raised elsewhere.
            for code in texts(tree) & set(explanations()):
                found.setdefault(code, set()).add(file.name)
    return found


USED = used()
CODE_OF = {name: one.code for name, one in vars(errors).items() if name.endswith("Error")}


def test_every_code_in_the_source_has_an_explanation():
    assert len(SOURCES) > 200
    assert sorted(set(USED) - set(explanations())) == []


def test_every_explanation_is_of_a_code_in_the_source():
    assert sorted(set(explanations()) - set(USED)) == []


def test_a_code_begins_with_that_of_its_class():
    wrong = [
        (code, where)
        for code, places in USED.items()
        for where in places & set(CODE_OF)
        if code not in {CODE_OF[where], "internal"} and not code.startswith(f"{CODE_OF[where]}.")
    ]
    assert wrong == []


@pytest.mark.parametrize("code", explanations())
def test_an_explanation_says_what_it_means_and_what_to_do(code):
    about = explanations()[code]
    assert CODE.fullmatch(code)
    assert about.next
    for sentence in (about.means, *about.causes, *about.next):
        assert sentence[0].isupper() or sentence[0] in "`$", sentence
        assert sentence.endswith((".", "`")), sentence
        assert set(re.findall(r"`kelly ([a-z]+)", sentence)) <= set(COMMANDS)


def test_errors_keep_their_codes():
    assert DataError("it is empty").code == "data"
    finer = DataError("it is empty", where="a.wav", hint="leave it out", code="data.sound")
    assert finer.as_dict() == {
        "code": "data.sound",
        "message": "it is empty",
        "where": "a.wav",
        "hint": "leave it out",
    }
    assert DataError("another").code == "data"
    assert KellyError("some failure").code in explanations()


class TuningError(UserError):
    """As a plugin has it that knows nothing of codes."""


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (TuningError("it is flat", hint="tune it"), "usage"),
        (TuningError("it is flat", hint="tune it", code="tuning.flat"), "tuning.flat"),
    ],
)
def test_an_error_of_a_plugin_needs_no_code_that_kelly_knows(capsys, monkeypatch, error, code):
    def fail():
        raise error

    monkeypatch.setattr("kelly_core.cli.app.build", fail)
    assert cli.run(["list", "--json"]) == 2
    said = capsys.readouterr()
    assert said.err == f"error[{code}]: it is flat\n  -> tune it\n"
    assert json.loads(said.out) == {
        "error": {"code": code, "message": "it is flat", "where": None, "hint": "tune it"}
    }


def test_a_failure_is_json_where_json_was_asked_for(capsys, tmp_path):
    missing = tmp_path / "gone"
    assert cli.run(["train", "emotion", "--data", str(missing), "--json"]) == 2
    said = capsys.readouterr()
    assert said.err.startswith("error[data.no-folder]: there is no such folder\n")
    error = json.loads(said.out)["error"]
    assert error == {
        "code": "data.no-folder",
        "message": "there is no such folder",
        "where": str(missing),
        "hint": "check the path; `--data demo` uses the built-in set",
    }


@pytest.mark.parametrize(
    ("setting", "code"),
    [
        ("epocs: 3", "config.unknown-key"),
        ("epochs: many", "config.value"),
        ("epochs: ${UNSET_FOR_SURE}", "config.variable"),
        ("epochs: [", "config.yaml"),
        ("model_id: groovepredictor", "config.other-model"),
    ],
)
def test_wrong_settings_have_codes_of_their_own(capsys, tmp_path, setting, code):
    file = tmp_path / "emotion.yaml"
    file.write_text(setting)
    assert cli.run(["config", "emotion", "--check", str(file)]) == 2
    assert capsys.readouterr().err.startswith(f"error[{code}]: ")


def test_kelly_explain_shows_what_the_page_shows(capsys):
    page = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
    for code, about in explanations().items():
        assert cli.run(["explain", code]) == 0
        shown = capsys.readouterr().out
        section = page.split(f"### {code}\n")[1].split("\n##")[0]
        for sentence in (about.means, *about.causes, *about.next):
            assert sentence in shown
            assert sentence in section


def test_kelly_explain_takes_what_was_printed_and_lists_everything(capsys):
    assert cli.run(["explain", "error[data.label]:"]) == 0
    assert capsys.readouterr().out.startswith("data.label: ")
    assert cli.run(["explain", "--json"]) == 0
    assert [one["code"] for one in json.loads(capsys.readouterr().out)] == list(explanations())


def test_an_unknown_code_names_the_nearest(capsys):
    assert cli.run(["explain", "data.labels"]) == 2
    assert "did you mean 'data.label'?" in capsys.readouterr().err
    assert cli.run(["explain", "data.of-my-own-plugin"]) == 2
    assert "`kelly explain data`" in capsys.readouterr().err


def test_kelly_explain_imports_nothing_heavy():
    program = (
        "import sys\nfrom kelly_core import cli\ncode = cli.run(['explain', 'data.label'])\n"
        "heavy = {'torch', 'numpy', 'scipy', 'pydantic', 'librosa', 'onnx', 'matplotlib', 'yaml'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\nsys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
