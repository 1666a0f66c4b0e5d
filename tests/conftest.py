"""What tests of the C++ examples share: building them around a model, running them, code of the docs."""

from __future__ import annotations

import os
import shutil
import subprocess
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
