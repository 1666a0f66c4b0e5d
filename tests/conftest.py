"""What tests across packages share: C++ examples around a model, a stranger's package installed by itself."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from kelly_core.pipeline.code import write_code
from kelly_core.pipeline.export import export_model
from kelly_core.plugins import PluginHost
from kelly_core.testing import untrained
from kelly_core.workspace import Workspace
from kelly_export.cpp import why_not
from kelly_export.cpp.compiler import compilers

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
    """The functions above."""
    reason = why_not() or ("" if shutil.which("cmake") else "there is no cmake")
    if reason:
        pytest.skip(f"not run here: {reason}")
    return SimpleNamespace(built=built, run=run, program_of=program_of)


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
def install_plugin():
    """`install_plugin(source, place)`: build the wheel of a folder and install it, alone, below `place`.

    Its dependencies come from this environment.
    """
    own = ROOT / ".uv" / "bin" / "uv"
    uv = str(own) if own.exists() else shutil.which("uv")

    def install(source, place):
        if uv is None or run_alone(uv, "--version").returncode:
            pytest.skip("uv isn't on the path")
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
