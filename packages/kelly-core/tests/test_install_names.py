"""`kelly install`, `uninstall`, `upgrade`: which packages are meant, by which installer, what is refused."""

import json
import sys
import sysconfig

import pytest

from kelly_core import cli, installer
from kelly_core.cli import packages
from kelly_core.errors import PluginError, UserError
from kelly_core.installed import find_installed, read_installed
from kelly_core.installer import Installer, named_in, requirement_of


@pytest.fixture
def pip(monkeypatch):
    """An environment whose pip is never run."""
    found = Installer("pip", ("python", "-m", "pip"))
    monkeypatch.setattr(packages, "find_installer", lambda: found)
    monkeypatch.setattr(packages, "require_own_environment", lambda options: None)
    monkeypatch.setattr(packages, "run_installer", lambda command: pytest.fail(f"ran {command}"))


@pytest.mark.parametrize(
    ("typed", "asked"),
    [
        ("emotion", "kelly-emotion"),
        ("Key_Finder", "kelly-key-finder"),
        ("emotion[train]", "kelly-emotion[train]"),
        ("emotion==0.1.0", "kelly-emotion==0.1.0"),
        ("emotion [train] >=0.1, <0.2", "kelly-emotion[train]>=0.1, <0.2"),
        ("kelly", "kelly"),
        ("kelly-emotion[train]~=0.1", "kelly-emotion[train]~=0.1"),
        ("git+https://example.org/tuner.git", "git+https://example.org/tuner.git"),
        ("tuner @ https://example.org/tuner.whl", "tuner @ https://example.org/tuner.whl"),
    ],
)
def test_a_short_name_means_a_package_of_kellys_and_the_rest_stays(typed, asked):
    assert requirement_of(typed) == asked


def test_exact_names_and_paths_that_exist_stay_as_they_are(tmp_path):
    assert requirement_of("tuner>=1", exact=True) == "tuner>=1"
    for name in ("folder", "tuner-1.0-py3-none-any.whl"):
        (tmp_path / name).mkdir()
        assert requirement_of(f"{tmp_path}/{name}") == f"{tmp_path}/{name}"
    assert requirement_of(f"{tmp_path}/folder[train]") == f"{tmp_path}/folder[train]"


@pytest.mark.parametrize("typed", ["", "--pre", "two words", "emotion[train", "./nothing", "nothing.whl"])
def test_what_is_no_package_is_refused_with_a_next_step(typed):
    with pytest.raises(UserError) as refused:
        requirement_of(typed)
    assert refused.value.hint


def test_the_name_in_a_path_is_found(tmp_path):
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "Kelly_Tuner"\n')
    assert named_in(str(tmp_path)) == "kelly-tuner"
    assert named_in("dist/kelly_tuner-0.1.0.tar.gz") == "kelly-tuner"
    assert named_in("dist/kelly_tuner-0.1.0-py3-none-any.whl") == "kelly-tuner"
    (tmp_path / "pyproject.toml").write_text("[project\n")
    assert named_in(str(tmp_path)) is None


def test_pip_and_uv_are_told_the_same():
    pip, uv = Installer("pip", ("pip",)), Installer("uv", ("uv", "pip"), ("--python", "P"))
    assert pip.command("install", ["a"], ["--pre"]) == ["pip", "install", "--pre", "a"]
    assert uv.command("install", ["a"], ["--pre"]) == ["uv", "pip", "install", "--python", "P", "--pre", "a"]
    assert pip.command("uninstall", ["a"]) == ["pip", "uninstall", "--yes", "a"]
    assert uv.command("uninstall", ["a"]) == ["uv", "pip", "uninstall", "--python", "P", "a"]
    assert pip.command("upgrade", ["a", "b"]) == ["pip", "install", "--upgrade", "a", "b"]
    # uv's --upgrade would fetch every dependency anew, PyTorch too.
    assert uv.command("upgrade", ["a"])[4:] == ["P", "--upgrade-package", "a", "a"]


def test_the_environments_pip_comes_first_then_uv_then_a_message(monkeypatch):
    def only(*modules):
        monkeypatch.setattr(installer.importlib.util, "find_spec", lambda name: name in modules or None)

    monkeypatch.setattr(installer.shutil, "which", lambda name: None)
    only("pip", "uv")
    assert installer.find_installer().start == (sys.executable, "-m", "pip")
    only("uv")
    assert installer.find_installer().start == (sys.executable, "-m", "uv", "pip")
    only()
    with pytest.raises(UserError, match="neither pip nor uv") as refused:
        installer.find_installer()
    assert "ensurepip" in refused.value.hint
    monkeypatch.setattr(installer.shutil, "which", lambda name: "/bin/uv")
    assert installer.find_installer().start == ("/bin/uv", "pip")
    assert installer.find_installer().target == ("--python", sys.executable)


def test_a_python_of_the_operating_system_is_left_alone_unless_told_otherwise(tmp_path, monkeypatch):
    monkeypatch.setattr(sysconfig, "get_path", lambda name: str(tmp_path))
    monkeypatch.setattr(sys, "prefix", sys.base_prefix)
    installer.require_own_environment([])
    (tmp_path / "EXTERNALLY-MANAGED").touch()
    with pytest.raises(UserError, match="operating system") as refused:
        installer.require_own_environment([])
    assert "python3 -m venv" in refused.value.hint
    installer.require_own_environment(["--break-system-packages"])
    monkeypatch.setattr(sys, "prefix", str(tmp_path))  # a virtual environment made from it
    installer.require_own_environment([])


def test_a_dry_run_prints_the_command_and_runs_nothing(pip, capsys):
    assert cli.run(["install", "emotion", "./", "--dry-run", "--", "--index", "a b", "--json"]) == 0
    assert capsys.readouterr().out == "python -m pip install --index 'a b' --json kelly-emotion ./\n"
    assert cli.run(["install", "--dry-run", "--json", "--", "-e", "."]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown == {"command": ["python", "-m", "pip", "install", "-e", "."], "dry_run": True}


def test_packages_to_remove_are_named_with_or_without_kelly(fakes):
    fakes.write_model("kelly-tuner", "key")
    fakes.write_model("other", "tune")
    (fakes.folder / "kelly-1.0.dist-info").mkdir()  # the other project of that name
    (fakes.folder / "kelly-1.0.dist-info" / "METADATA").write_text("Name: kelly\nVersion: 1.0\n")
    packages = read_installed()
    assert find_installed(packages, "tuner").name == "kelly-tuner"
    assert find_installed(packages, "Kelly_Tuner").brings == {"model": ["key"]}
    assert find_installed(packages, "other").name == "other"
    with pytest.raises(PluginError, match="'key'") as refused:  # one plugin of what may be many
        find_installed(packages, "key")
    assert "kelly-tuner" in refused.value.hint
    for name in ("numpy", "nothing", "kelly"):
        with pytest.raises(PluginError, match="no installed package of Kelly's"):
            find_installed(packages, name)


@pytest.mark.parametrize("name", ["core", "kelly-core", "Kelly_Core"])
def test_core_does_not_remove_itself(pip, capsys, name):
    assert cli.run(["uninstall", name]) == 2
    assert "pip uninstall kelly-core" in capsys.readouterr().err


@pytest.mark.parametrize("job", ["install", "uninstall"])
def test_a_command_without_a_name_says_where_examples_are(pip, capsys, job):
    assert cli.run([job]) == 2
    assert f"kelly {job} --help" in capsys.readouterr().err


def test_an_upgrade_leaves_packages_from_elsewhere_alone(fakes, pip, capsys):
    fakes.write_model("kelly-tuner", "key")
    fakes.write_model("kelly-made", "tune")
    info = fakes.folder / "kelly_made-1.0.dist-info"
    (info / "direct_url.json").write_text('{"url": "file:///src/kelly-made", "dir_info": {"editable": true}}')
    assert cli.run(["upgrade", "--dry-run"]) == 0
    shown = capsys.readouterr()
    assert "kelly-tuner" in shown.out.split()
    assert "kelly-made" not in shown.out
    assert "kelly-made is left alone: it was installed from file:///src/kelly-made" in shown.err
    assert cli.run(["upgrade", "made", "--dry-run"]) == 2
    assert "not from an index" in capsys.readouterr().err


def test_list_by_package_shows_what_each_brought(fakes):
    fakes.write("kelly-tuner", "raise AssertionError", models=["key", "tune"], datasets=["tunes"])
    listed = fakes.kelly("list", "--by", "package", KELLY_PLUGINS="kelly-tuner")
    lines = [line.split(None, 3) for line in listed.stdout.splitlines()]
    at = next(i for i, line in enumerate(lines) if line[0] == "kelly-tuner")
    assert lines[at] == ["kelly-tuner", "1.0", "model", "key, tune"]
    assert lines[at + 1] == ["dataset", "tunes"]
    records = json.loads(fakes.kelly("list", "--by", "package", "--json").stdout)
    assert {
        "distribution": "kelly-tuner",
        "version": "1.0",
        "summary": "a fake",
        "brings": {"model": ["key", "tune"], "dataset": ["tunes"]},
    } in records
    assert fakes.kelly("list", "--by", "package", "--details").returncode == 2
