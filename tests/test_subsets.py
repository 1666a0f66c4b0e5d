"""Any package can be left out: what is installed works, and says nothing about what isn't."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MODELS = ("dynamics", "emotion", "groove", "harmony", "melody")
SUBSETS = [(), ("kelly-export",), *((f"kelly-{model}",) for model in MODELS), ("kelly-emotion", "kelly-groove")]

pytestmark = pytest.mark.slow


def run(*command, **environment):
    env = {key: value for key, value in os.environ.items() if key not in {"PYTHONPATH", "VIRTUAL_ENV"}}
    return subprocess.run(command, capture_output=True, text=True, check=False, env={**env, **environment})


@pytest.fixture(scope="module")
def uv():
    own = ROOT / ".uv" / "bin" / "uv"
    found = str(own) if own.exists() else shutil.which("uv")
    if found is None or run(found, "--version").returncode:
        pytest.skip("uv isn't on the path")
    return found


@pytest.fixture(scope="module")
def base(uv, tmp_path_factory):
    """A clean environment with core alone, which the others are copies of."""
    folder = tmp_path_factory.mktemp("base") / "env"
    assert run(uv, "venv", "--quiet", "--python", sys.executable, str(folder)).returncode == 0
    install = (uv, "pip", "install", "--quiet", "--python", str(folder / "bin" / "python"))
    done = run(*install, str(ROOT / "packages" / "kelly-core"))
    if done.returncode and "error sending request" in done.stderr.lower():
        pytest.skip("packages can't be downloaded here")
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.parametrize("packages", SUBSETS, ids=lambda names: "+".join(names) or "core alone")
def test_a_subset_works_by_itself(uv, base, packages, tmp_path):
    target = tmp_path / "site"
    python = str(base / "bin" / "python")
    for package in packages:
        source = str(ROOT / "packages" / package)
        install = (uv, "pip", "install", "--quiet", "--no-deps", "--python", python, "--target", str(target))
        done = run(*install, source)
        assert done.returncode == 0, done.stderr

    def kelly(*arguments):
        code = "from kelly_core.cli import main; main()"
        return run(python, "-c", code, *arguments, PYTHONPATH=str(target), KELLY_WORKSPACE=str(tmp_path / "w"))

    listed = kelly("list", "--json")
    assert listed.returncode == 0, listed.stderr
    assert listed.stderr == ""
    wanted = {model for model in MODELS if f"kelly-{model}" in packages}
    assert _names(json.loads(listed.stdout), "model") == wanted
    for model in MODELS:
        shown = kelly("config", model)
        assert (shown.returncode == 0) == (model in wanted), shown.stderr
        assert "Traceback" not in shown.stderr
    for model in wanted:
        assert kelly("predict", model, "--help").returncode == 0
        train = kelly("train", model, "--data", "demo")  # without the extra: what to install
        assert train.returncode == 2
        assert "train" in train.stderr
        assert "Traceback" not in train.stderr


def _names(listed, kind):
    return {row["name"] for row in listed if row["kind"] == kind}
