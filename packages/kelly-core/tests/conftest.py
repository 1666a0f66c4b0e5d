"""Fixtures of kelly-core's tests: distributions that exist on disk but are not installed."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import textwrap
from pathlib import Path

import pytest

GOOD_MODEL = """
from kelly_core.hookspecs import hookimpl
from kelly_core.specs import LazyRef, ModelSpec
KELLY_API = 1

@hookimpl
def kelly_models():
    ref = LazyRef("nowhere:Nothing")
    names = {"name": "{name}", "model_id": "{name}finder", "aliases": ("{name}_finder",)}
    return [ModelSpec(**names, task="a task", summary="a model", config=ref, task_class=ref)]
"""


class FakePackages:
    """A folder on the import path that fake distributions are written to."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, distribution, code, version="1.0", **points):
        """Write a module and its metadata.

        Args:
            distribution: Its name; the module is called the same with underscores.
            code: The module's source.
            version: Its version.
            points: Names by group, e.g. `models=["key"]`.
        """
        module = distribution.replace("-", "_")
        (self.folder / f"{module}.py").write_text(textwrap.dedent(code))
        info = self.folder / f"{module}-{version}.dist-info"
        info.mkdir()
        header = f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\nSummary: a fake\n"
        (info / "METADATA").write_text(header)
        lines = []
        for group, names in points.items():
            lines += [f"[kelly.{group}]", *(f"{name} = {module}" for name in names)]
        (info / "entry_points.txt").write_text("\n".join(lines) + "\n")

    def write_model(self, distribution, name):
        """Write a working model plugin."""
        self.write(distribution, GOOD_MODEL.replace("{name}", name), models=[name])

    def kelly(self, *arguments, **environment):
        """Run `kelly` in a process that sees the fakes."""
        code = "from kelly_core.cli import main; main()"
        env = {**os.environ, "PYTHONPATH": str(self.folder), "KELLY_WORKSPACE": str(self.folder), **environment}
        return subprocess.run(
            [sys.executable, "-c", code, *arguments], env=env, capture_output=True, text=True, check=False
        )


@pytest.fixture
def fakes(tmp_path, monkeypatch):
    """Fake distributions, visible to this process and to `fakes.kelly(...)`; forgotten afterwards."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    for name in (
        "KELLY_PLUGINS",
        "KELLY_NO_PLUGINS",
        "KELLY_STRICT_PLUGINS",
        "KELLY_WORKSPACE",
        "KELLY_DATA_ROOT",
    ):
        monkeypatch.delenv(name, raising=False)
    before = set(sys.modules)
    yield FakePackages(folder)
    for name in set(sys.modules) - before:
        if str(folder) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


@pytest.fixture(scope="session")
def real_midi():
    """The bytes of forty real MIDI files of drummers, read out of the data pack."""
    pack = Path(os.environ.get("KELLY_SHARED", "")) / "data" / "groove_gmd.tar.xz"
    if "KELLY_SHARED" not in os.environ or not pack.is_file():
        pytest.skip("KELLY_SHARED names no folder with data/groove_gmd.tar.xz")
    found = []
    with tarfile.open(pack) as archive:
        for member in archive:
            if member.name.endswith(".mid"):
                found.append(archive.extractfile(member).read())
            if len(found) == 40:
                break
    return found
