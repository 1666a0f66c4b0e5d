"""The command starts light, fails in one line, and completes names without running plugin code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap

import pytest
import typer

from kelly_core import cli
from kelly_core.catalog import read_catalog
from kelly_core.cli import app, console
from kelly_core.cli.complete import complete_dataset, complete_device, complete_exporter, complete_model
from kelly_core.errors import TrainingError, UserError

BANNED = {
    "torch",
    "torchaudio",
    "librosa",
    "onnx",
    "onnxruntime",
    "coremltools",
    "lightning",
    "lightning_fabric",
    "numba",
    "matplotlib",
    "sklearn",
    "transformers",
    "huggingface_hub",
}
RUN = "import sys\nfrom kelly_core.cli import main\n"
REPORT = (
    "import json; sys.stderr.write('\\n' + json.dumps(sorted({name.split('.')[0] for name in sys.modules})))"
)
DISCOVER = (
    "from kelly_core.plugins import PluginHost\nhost = PluginHost()\n"
    "for entry in host.entries:\n    failure = host.probe(entry)\n    assert failure is None, str(failure)\n"
)


def imported(code, *arguments, **environment):
    """Top-level modules that were imported once the code has run, and what it printed."""
    script = f"{RUN}try:\n{textwrap.indent(code, '    ')}\nfinally:\n    {REPORT}"
    command = [sys.executable, "-c", script, *arguments]
    environment = {**os.environ, **environment}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert "Traceback" not in done.stderr, done.stderr
    return set(json.loads(done.stderr.splitlines()[-1])), done.stdout


@pytest.mark.parametrize(
    "arguments", [["--help"], ["list"], ["list", "--json"], ["list", "--details"], ["--version"]]
)
def test_help_and_list_import_nothing_heavy(arguments):
    modules, output = imported("main()", *arguments)
    assert modules & BANNED == set()
    assert output


def test_the_bare_list_needs_neither_pydantic_nor_rich_nor_a_plugin():
    modules, output = imported("main()", "list")
    plugins = {entry.module.split(".")[0] for entry in read_catalog()} - {"kelly_core"}
    assert modules & ({"pydantic", "rich", "numpy", "pluggy"} | plugins) == set()
    assert "cpu" in output


def test_loading_every_installed_plugin_imports_nothing_heavy():
    modules, _ = imported(DISCOVER)
    assert modules & BANNED == set()


@pytest.mark.parametrize(("words", "expected"), [("kelly do", "doctor"), ("kelly list --kind mo", "model")])
def test_completion_imports_nothing_heavy(words, expected):
    environment = {
        "_KELLY_COMPLETE": "complete_bash",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split()) - 1),
    }
    modules, output = imported("main()", **environment)
    assert modules & BANNED == set()
    assert output.split() == [expected]


def test_help_shows_every_command_without_importing_it():
    code = "import atexit\natexit.register(lambda: print(*sys.modules))\nmain()"
    _, output = imported(code, "--help", COLUMNS="120")
    for name, (module, _) in app.COMMANDS.items():
        assert f" {name} " in output
        assert module not in output.split()


@pytest.mark.parametrize("name", app.COMMANDS)
def test_every_command_has_help_with_examples(name, capsys):
    command = app.load(name)
    for words in [[name, child] for child in getattr(command, "commands", ())] or [[name]]:
        assert cli.run([*words, "--help"]) == 0
        shown = capsys.readouterr().out
        assert f"kelly {' '.join(words)}" in shown
        assert "Example" in shown, words


@pytest.fixture
def command(monkeypatch):
    """Make `kelly list` do something else."""

    def replace(function):
        monkeypatch.setattr("kelly_core.cli.list.command", function)

    return replace


def raising(error):
    def command() -> None:
        raise error

    return command


@pytest.mark.parametrize(
    ("error", "code", "shown"),
    [
        (
            UserError("no such file", where="a.wav:3", hint="check the path"),
            2,
            "at a.wav:3\n  -> check the path",
        ),
        (TrainingError("loss is NaN"), 1, "error[training]: loss is NaN"),
        (
            ValueError("two\nlines"),
            1,
            "error[internal]: internal error: ValueError: two lines (run again with",
        ),
        (KeyboardInterrupt(), 130, "interrupted"),
        (typer.Exit(7), 7, ""),
        (SystemExit("stop"), 1, "stop"),
    ],
)
def test_errors_reach_people_without_a_traceback(command, capsys, error, code, shown):
    command(raising(error))
    assert cli.run(["list"]) == code
    captured = capsys.readouterr()
    assert shown in captured.err
    assert "Traceback" not in captured.err
    assert captured.out == ""


@pytest.mark.parametrize("arguments", [["--debug", "list"], ["list", "--debug"]])
def test_debug_shows_the_traceback_wherever_it_stands(command, capsys, arguments):
    command(raising(ValueError("deep")))
    assert cli.run(arguments) == 1
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["nope"], ["list", "--nope"], ["list", "--kind", "nope"], ["--nope"]])
def test_a_wrong_command_line_exits_2(capsys, arguments):
    assert cli.run(arguments) == 2
    assert "nope" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["list"], ["--help"]])
def test_a_terminal_that_knows_only_ascii_is_served(arguments):
    _, output = imported("main()", *arguments, PYTHONIOENCODING="ascii")
    assert output.isascii()


def test_a_reader_that_leaves_early_is_no_error():
    command = f"{sys.executable} -c '{RUN}main()' list | head -n 0"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    assert done.stderr == ""


def test_global_options_hold_for_the_command_only(command, tmp_path, monkeypatch):
    monkeypatch.delenv("KELLY_WORKSPACE", raising=False)
    monkeypatch.setenv("KELLY_NO_PLUGINS", "0")
    seen = []
    command(lambda: seen.append((console.workspace().root, os.environ["KELLY_NO_PLUGINS"])))
    assert cli.run(["--workspace", str(tmp_path), "--no-plugins", "list"]) == 0
    assert seen == [(tmp_path.resolve(), "1")]
    assert "KELLY_WORKSPACE" not in os.environ
    assert os.environ["KELLY_NO_PLUGINS"] == "0"


def test_names_complete_from_metadata_alone(fakes):
    fakes.write("fake-key", "raise AssertionError", models=["zkey"], datasets=["zset"], exporters=["zfile"])
    assert complete_model("zk") == [("zkey", "fake-key 1.0")]
    assert complete_dataset("zs") == [("zset", "fake-key 1.0")]
    assert complete_exporter("zf") == [("zfile", "fake-key 1.0")]
    assert complete_device("au") == [("auto", "choose by measuring")]
    fakes.write("fake-two", "raise AssertionError", models=["zkey"])
    assert complete_model("fake-t") == [("fake-two:zkey", "fake-two 1.0")]


def test_a_piped_table_is_aligned_text(capsys):
    console.table(("name", "epochs"), [("emotion", 3), ("key", 12)], title="unseen")
    assert capsys.readouterr().out == "name     epochs\nemotion  3\nkey      12\n"


def test_piped_progress_is_a_few_lines(capsys):
    with console.progress() as bar:
        assert sum(bar.track(range(100), "adding")) == 4950
        assert list(bar.track(iter("ab"), "reading")) == ["a", "b"]
        bar.say("done")
    lines = capsys.readouterr().err.splitlines()
    assert lines[:2] == ["adding: 100 to do", "adding: 10/100"]
    assert lines[-2:] == ["reading ...", "done"]
    assert len(lines) == 13
