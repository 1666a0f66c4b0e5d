"""Kelly's rules as tests of pytest: one per rule, failures with the remedy, nothing for those who don't ask."""

import os
import subprocess
import sys

import pytest

BROKEN = """
from kelly_core.hookspecs import hookimpl
from kelly_core.specs import *
KELLY_API = 1
@hookimpl
def kelly_datasets():
    return [DatasetSpec("key", "s", ("m",), LazyRef("fake_key:open_it"))]
def open_it(path, options):
    return 1 / 0
"""


@pytest.fixture
def project(fakes, tmp_path):
    """A project with one test of its own, and pytest run in it by `project(...)`."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "test_own.py").write_text("def test_own():\n    pass\n")

    def run(*arguments, settings=""):
        (folder / "pytest.ini").write_text(f"[pytest]\n{settings}\n")
        environment = {**os.environ, "PYTHONPATH": str(fakes.folder)}
        return subprocess.run(
            [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-rs", *arguments],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def test_each_rule_is_a_test_and_a_failure_says_what_why_and_how(fakes, project):
    fakes.write("fake-key", BROKEN, datasets=["key"])
    done = project("--kelly-plugin", "fake-key", "-v")
    assert done.returncode == 1
    assert "fake-key:key (dataset)::imports PASSED" in done.stdout
    assert "fake-key:key (dataset)::unusable-folders-are-errors-of-ours FAILED" in done.stdout
    assert "empty: it raised ZeroDivisionError" in done.stdout
    assert "why: a traceback tells a user nothing" in done.stdout
    assert "-> raise kelly_core.errors.DataError with `where` and `hint`" in done.stdout
    assert "Traceback" not in done.stdout
    assert "it needs a folder in its layout: --data FOLDER" in done.stdout
    assert "collected 9 items" in done.stdout


def test_the_project_may_name_its_plugin_once_and_choose_as_ever(fakes, project):
    fakes.write_model("fake-key", "key")
    done = project("-k", "names_agree or names-agree", settings="kelly_plugins = fake-key")
    assert "1 passed" in done.stdout, done.stdout
    single = project("test_own.py", "--collect-only", "-q", settings="kelly_plugins = fake-key")
    assert "names-agree" not in single.stdout


def test_processes_of_xdist_get_the_projects_plugin_too(fakes, project):
    pytest.importorskip("xdist")
    fakes.write("fake-key", BROKEN, datasets=["key"])
    done = project("-n", "1", "-k", "own or imports", settings="kelly_plugins = fake-key")
    assert "2 passed" in done.stdout, done.stdout


def test_behind_a_plugin_that_does_not_load_the_others_are_skipped(fakes, project):
    fakes.write("fake-key", "raise RuntimeError('no licence')", datasets=["key"])
    done = project("--kelly-plugin", "key")
    assert "1 failed, 1 passed, 7 skipped" in done.stdout, done.stdout
    assert "imports is broken" in done.stdout


def test_a_plugin_that_is_not_installed_is_a_usage_error(project):
    done = project("--kelly-plugin", "nothing")
    assert done.returncode == 4
    assert "no plugin or package 'nothing' is installed" in done.stderr
    assert "Traceback" not in done.stderr


def test_who_does_not_ask_gets_nothing_and_imports_nothing(project, fakes):
    (fakes.folder / "conftest_probe.py").write_text(
        "import sys\ndef pytest_unconfigure():\n"
        "    sys.__stdout__.write(f'LOADED {sorted(n for n in sys.modules if n.startswith(\"kelly_core\"))}')\n"
    )
    done = project("-p", "conftest_probe")
    assert "1 passed" in done.stdout
    assert "LOADED ['kelly_core', 'kelly_core.pytest_plugin']" in done.stdout
