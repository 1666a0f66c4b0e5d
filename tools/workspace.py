"""The packages of this repository: names, versions, and what each asks of the others."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from kelly_core.cli import console
from kelly_core.errors import KellyError, UserError

HERE = Path(__file__).resolve().parents[1]
CORE = "kelly-core"
VERSION_LINE = re.compile(r'^(?:__version__|version) = "([^"]+)"$', re.MULTILINE)


class ToolError(KellyError):
    """A program that was started ended with an error, or a check failed."""

    code = "tool"


@dataclass(frozen=True, slots=True)
class Package:
    """One package of the workspace.

    Attributes:
        name: Of the distribution; its folder is called the same.
        folder: Where its pyproject.toml lies.
        version_file: The file with the line that states the version.
        version: What that line states.
        extras: Names of its extras.
        requirements: What it asks for, extras included.
        module: What is imported; None for a package that has no code.
        declares_plugins: Whether it has entry points of Kelly's.
    """

    name: str
    folder: Path
    version_file: Path
    version: Version
    extras: tuple[str, ...]
    requirements: tuple[Requirement, ...]
    module: str | None
    declares_plugins: bool

    @property
    def tag(self) -> str:
        """The git tag of its version."""
        return f"{self.name}-v{self.version}"

    def asks_of(self, name: str) -> list[Requirement]:
        """Its requirements on one other package; extras that name others of its own are none."""
        return [one for one in self.requirements if canonicalize_name(one.name) == name != self.name]


def read_packages(root: Path) -> dict[str, Package]:
    """Every package below `packages/`, by name, sorted.

    Raises:
        UserError: There is none, or one states no version.
    """
    found = {file.parent.name: _read(file.parent) for file in sorted(root.glob("packages/*/pyproject.toml"))}
    if not found:
        raise UserError("no package lies below packages/", where=str(root), hint="run it in Kelly's repository")
    return found


def find_package(root: Path, name: str) -> Package:
    """The package of this name.

    Raises:
        UserError: There is none.
    """
    packages = read_packages(root)
    if name not in packages:
        known = ", ".join(packages)
        raise UserError(f"no package is called {name!r}", where="PACKAGE", hint=f"give one of {known}")
    return packages[name]


def repository(folder: Path | None = None) -> Path:
    """The root of the git repository around a folder, the current one by default.

    Raises:
        UserError: There is none.
    """
    place = folder or Path.cwd()
    try:
        return Path(git("rev-parse", "--show-toplevel", cwd=place).strip())
    except ToolError:
        hint = "run it in a clone of Kelly"
        raise UserError("is in no git repository", where=str(place), hint=hint) from None


def find_uv() -> str:
    """The project's own uv, else the one on the path.

    Raises:
        UserError: There is none.
    """
    own = HERE / ".uv" / "bin" / "uv"
    found = str(own) if own.exists() else shutil.which("uv")
    if found is None:
        raise UserError("uv is neither under .uv/ nor on the path", hint="`make setup` puts it there")
    return found


def clean_environment() -> dict[str, str]:
    """The process's environment without what redirects Python or keeps compiled files from being kept."""
    redirecting = {"PYTHONPATH", "VIRTUAL_ENV", "PYTHONDONTWRITEBYTECODE"}
    return {key: value for key, value in os.environ.items() if key not in redirecting}


def run(command: Sequence[str | Path], *, cwd: Path | None = None) -> str:
    """Run a program that no active virtual environment disturbs.

    Returns:
        What it wrote to stdout.

    Raises:
        ToolError: It ended with an error; the message has the end of what it said.
    """
    done = subprocess.run(
        [*command], cwd=cwd, env=clean_environment(), capture_output=True, text=True, check=False
    )
    if done.returncode:
        said = (done.stdout + done.stderr).strip()[-4000:]
        raise ToolError(f"`{' '.join(map(str, command))}` ended with {done.returncode}:\n{said}")
    return done.stdout


def git(*arguments: str, cwd: Path) -> str:
    """What a git command prints.

    Raises:
        ToolError: It ended with an error.
    """
    return run(["git", *arguments], cwd=cwd)


def released(root: Path, name: str) -> list[Version]:
    """Versions of a package that have a tag, in no order."""
    prefix = f"{name}-v"
    found = []
    for tag in git("tag", "--list", f"{prefix}*", cwd=root).split():
        try:
            found.append(Version(tag.removeprefix(prefix)))
        except InvalidVersion:
            console.warn(f"the tag {tag} states no version")
    return found


def build(root: Path, name: str, to: Path, *, sdist: bool = True) -> list[Path]:
    """Build one package the way its users' machines do: alone, siblings by range and not by path.

    Args:
        root: The repository.
        name: The package.
        to: Folder that gets the files.
        sdist: Whether to make the source distribution too, and the wheel from it.

    Returns:
        The files made: the wheel, then the source distribution.
    """
    package = find_package(root, name)
    uv = find_uv()
    only = [] if sdist else ["--wheel"]
    command = [uv, "build", "--quiet", "--no-sources", *only, "--python", sys.executable, "--out-dir", to]
    run([*command, package.folder])
    stem = f"{name.replace('-', '_')}-{package.version}"
    wheel, source = to / f"{stem}-py3-none-any.whl", to / f"{stem}.tar.gz"
    return [wheel, source] if sdist else [wheel]


def make_environment(folder: Path, asked: Sequence[str], wheels: Sequence[Path], *, root: Path = HERE) -> Path:
    """A clean environment with what is asked for and what that declares, and nothing else.

    Packages of ours come from `wheels` and from nowhere else; those of others in the locked versions.

    Args:
        folder: Where it is made; an environment that is there already gets the packages added.
        asked: Requirements such as `kelly-emotion[train]`.
        wheels: Our wheels; the ones that nothing asks for stay out.
        root: Repository whose requirements.lock is kept to.

    Returns:
        Its Python.

    Raises:
        ToolError: The requirements can't be met.
    """
    uv = find_uv()
    python = folder / "bin" / "python"
    if not python.exists():
        run([uv, "venv", "--quiet", "--python", sys.executable, folder])
    ours = folder / "ours.txt"
    lines = [f"{wheel.name.split('-')[0].replace('_', '-')} @ {wheel.resolve().as_uri()}" for wheel in wheels]
    ours.write_text("\n".join(lines) + "\n", encoding="utf-8")
    lock = root / "requirements.lock"
    pinned = ["--constraint", lock] if lock.exists() else []
    install = [uv, "pip", "install", "--quiet", "--python", python, "--constraint", ours, *pinned]
    # Elsewhere, so that no settings of this repository reach into it.
    run([*install, *asked], cwd=folder)
    return python


def _read(folder: Path) -> Package:
    settings = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))
    project = settings["project"]
    own = settings.get("tool", {}).get("hatch", {}).get("version", {}).get("path")
    version_file = folder / (own or "pyproject.toml")
    stated = VERSION_LINE.search(version_file.read_text(encoding="utf-8"))
    if stated is None:
        raise UserError("no line states the version", where=str(version_file), hint='write __version__ = "..."')
    extras = project.get("optional-dependencies", {})
    texts = [*project["dependencies"], *(one for extra in extras.values() for one in extra)]
    return Package(
        name=project["name"],
        folder=folder,
        version_file=version_file,
        version=Version(stated[1]),
        extras=tuple(extras),
        requirements=tuple(map(Requirement, texts)),
        module=version_file.parent.name if own else None,
        declares_plugins=any(group.startswith("kelly.") for group in project.get("entry-points", {})),
    )
