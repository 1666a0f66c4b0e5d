"""`kelly plugin new`: what it writes, and what it refuses."""

import shutil
import subprocess
import sys
import tomllib

import pytest

from kelly_core.authoring import KINDS, new_plugin
from kelly_core.cli import run
from kelly_core.errors import UserError
from kelly_core.testing import check_plugin


@pytest.mark.parametrize("kind", KINDS)
def test_a_new_package_is_whole_python_with_matching_names(kind, tmp_path):
    folder = new_plugin("key-finder", kind, tmp_path)
    files = [file for file in folder.rglob("*") if file.is_file()]
    names = {str(file.relative_to(folder)) for file in files}
    assert {"pyproject.toml", "README.md", ".gitignore", ".github/workflows/ci.yml"} <= names
    assert "src/kelly_key_finder/plugin.py" in names
    assert "tests/test_kelly_key_finder.py" in names
    for file in files:
        text = file.read_text()
        left = [
            word for word in ("@NAME@", "@MODULE@", "@CLASS@", "@PACKAGE@", "@API@", "@CORE") if word in text
        ]
        assert not left, file
        if file.suffix == ".py":
            compile(text, file, "exec")
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    assert project["entry-points"][f"kelly.{kind}s"]["key-finder"] == "kelly_key_finder.plugin"


@pytest.mark.parametrize("kind", KINDS)
def test_what_plugin_py_returns_is_what_the_package_declares(kind, tmp_path):
    folder = new_plugin("key-finder", kind, tmp_path)
    code = (
        "import sys, kelly_key_finder.plugin as p; from kelly_core import API_VERSION\n"
        f"print([spec.name for spec in p.kelly_{kind}s()], p.KELLY_API == API_VERSION, 'torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder / "src", capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "['key-finder'] True False"


@pytest.mark.parametrize("kind", ["dataset", "exporter", "device"])
def test_a_new_package_keeps_the_rules(kind, fakes, tmp_path):
    folder = new_plugin("key-finder", kind, tmp_path / "src")
    shutil.copytree(folder / "src" / "kelly_key_finder", fakes.folder / "kelly_key_finder")
    info = fakes.folder / "kelly_key_finder-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: kelly-key-finder\nVersion: 0.1.0\n")
    (info / "entry_points.txt").write_text(f"[kelly.{kind}s]\nkey-finder = kelly_key_finder.plugin\n")
    report = check_plugin("kelly-key-finder")
    assert report.passed, str(report)


@pytest.mark.parametrize(
    "name", ["", "Key", "key_finder", "-key", "key--finder", "../key", "1key", "kelly-key", "core", "k" * 41]
)
def test_a_bad_name_is_refused_and_nothing_written(name, tmp_path):
    with pytest.raises(UserError) as refused:
        new_plugin(name, "model", tmp_path / "to")
    assert refused.value.hint
    assert not (tmp_path / "to").exists()


def test_a_name_that_is_installed_is_refused(fakes, tmp_path):
    fakes.write_model("fake-key", "key")
    with pytest.raises(UserError, match=r"fake-key 1\.0 already brings"):
        new_plugin("key", "model", tmp_path / "to")


def test_a_folder_that_is_there_stays_as_it_was(tmp_path, capsys):
    (tmp_path / "kelly-key-finder").mkdir()
    (tmp_path / "kelly-key-finder" / "mine.txt").write_text("mine")
    assert run(["plugin", "new", "key-finder", "--to", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error[usage.output]: is there already")
    assert "Traceback" not in said
    assert [file.name for file in tmp_path.rglob("*")] == ["kelly-key-finder", "mine.txt"]


def test_the_command_says_what_comes_next(tmp_path, capsys):
    assert run(["plugin", "new", "key-finder", "--kind", "dataset", "--to", str(tmp_path)]) == 0
    said = capsys.readouterr()
    assert said.out.strip() == f"wrote {tmp_path / 'kelly-key-finder'}"
    assert "kelly plugin check kelly-key-finder" in said.err


def test_an_unknown_kind_is_refused(tmp_path, capsys):
    assert run(["plugin", "new", "key-finder", "--kind", "colour", "--to", str(tmp_path)]) == 2
    assert "model, dataset, exporter, device" in capsys.readouterr().err
