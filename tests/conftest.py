"""What tests across packages share: packages built and installed alone; C++ examples around a model."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from filelock import FileLock

from kelly_core.errors import UserError
from kelly_core.pipeline.code import write_code
from kelly_core.pipeline.export import export_model
from kelly_core.plugins import PluginHost
from kelly_core.testing import untrained
from kelly_core.workspace import Workspace
from kelly_export.cpp import why_not
from kelly_export.cpp.compiler import compilers
from tools.check_packages import check_packages
from tools.workspace import ToolError, find_uv

ROOT = Path(__file__).resolve().parents[1]


def run(*command):
    """Exit code and everything that a program says."""
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def built(folder, name, noise=0.0, **settings):
    """A network with random weights, exported, with the examples built around it."""

    def change(module):
        for weight in module.parameters():
            weight.add_(torch.randn_like(weight) * noise)

    host, workspace = PluginHost(), Workspace(folder)
    spec = host.model(name)
    trained = untrained(workspace, name, spec.config.resolve()(**settings), change=change)
    export_model(trained, workspace, host, ["cpp", "rtneural"])
    write_code(host, spec, ["cpp"], workspace.models)
    options = [f"-DKELLY_MODELS={workspace.models}", f"-DKELLY_MODEL={spec.model_id}"]
    if "RTNEURAL_DIR" in os.environ:
        options.append(f"-DRTNEURAL_DIR={os.environ['RTNEURAL_DIR']}")
    build = folder / "build"
    for command in (
        ["cmake", "-S", ROOT / "examples" / "cpp", "-B", build, *options],
        ["cmake", "--build", build],
    ):
        code, said = run(*command)
        assert code == 0, said
    return build, trained


def program_of(page, main, build, folder):
    """What the code of a page of docs/ says, compiled with a `main`."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    code = text.partition("<!-- compiled: header -->\n```cpp\n")[2].partition("```")[0]
    (folder / "plugin.cpp").write_text(code + main)
    flags = ["-std=c++17", "-Wall", "-Wextra", "-Werror", "-I", build.parent / "models"]
    code, said = run(compilers()[0], *flags, folder / "plugin.cpp", "-o", folder / "plugin")
    assert code == 0, said
    code, said = run(folder / "plugin")
    assert code == 0, said
    return said


@pytest.fixture(scope="session")
def cpp():
    """The functions above: `.built`, `.run` and `.program_of`."""
    reason = why_not() or ("" if shutil.which("cmake") else "there is no cmake")
    if reason:
        pytest.skip(f"not run here: {reason}")
    return SimpleNamespace(built=built, run=run, program_of=program_of)


@pytest.fixture(scope="session")
def uv():
    """The path of uv."""
    try:
        return find_uv()
    except UserError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def distributions(uv, tmp_path_factory):
    """Every package built alone and checked, once for all processes: `.folder`, `.wheels`, `.problems`."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "distributions"
    with FileLock(f"{folder}.lock"):
        report = folder / "problems.json"
        if not report.exists():
            try:
                problems = check_packages(ROOT, [], folder)
            except ToolError as error:
                if "error sending request" in error.message.lower():
                    pytest.skip("packages can't be downloaded here")
                raise
            report.write_text(json.dumps(problems))
    problems = json.loads(report.read_text())
    return SimpleNamespace(folder=folder, wheels=sorted(folder.glob("*.whl")), problems=problems)


def run_alone(*command, cwd=None, **environment):
    """A command without this project's own settings in its environment."""
    dropped = {"PYTHONPATH", "VIRTUAL_ENV", "KELLY_WORKSPACE", "KELLY_DATA_ROOT"}
    env = {key: value for key, value in os.environ.items() if key not in dropped}
    env |= {"OMP_NUM_THREADS": "1", **environment}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=env, cwd=cwd)


@dataclass(frozen=True)
class Stranger:
    """A plugin's package, installed; `kelly` and pytest see it, this process doesn't.

    Attributes:
        source: Its folder.
        target: Where it is installed.
        workspace: Where its commands work.
    """

    source: Path
    target: Path
    workspace: Path

    def kelly(self, *arguments):
        code = "from kelly_core.cli import main; main()"
        return run_alone(sys.executable, "-c", code, *arguments, **self._seen())

    def pytest(self, *arguments):
        """Its own tests, Kelly's rules among them."""
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments]
        return run_alone(*command, cwd=self.source, **self._seen())

    def uninstall(self):
        shutil.rmtree(self.target)

    def _seen(self):
        return {"PYTHONPATH": str(self.target), "KELLY_WORKSPACE": str(self.workspace)}


@pytest.fixture(scope="session")
def install_plugin(uv):
    """`install_plugin(source, place)`: build the wheel of a folder and install it, alone, below `place`.

    Its dependencies come from this environment.
    """

    def install(source, place):
        built = run_alone(uv, "build", "--quiet", "--wheel", "--out-dir", str(place / "dist"), str(source))
        if built.returncode and "error sending request" in built.stderr.lower():
            pytest.skip("packages can't be downloaded here")
        assert built.returncode == 0, built.stderr
        (wheel,) = (place / "dist").glob("*.whl")
        target = place / "site"
        options = ("--quiet", "--no-deps", "--python", sys.executable, "--target", str(target))
        done = run_alone(uv, "pip", "install", *options, str(wheel))
        assert done.returncode == 0, done.stderr
        return Stranger(source, target, place / "ws")

    return install
