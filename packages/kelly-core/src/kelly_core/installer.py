"""Installs and removes packages with the pip or uv of the environment that Kelly runs in."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from kelly_core.catalog import HOST_DISTRIBUTION, normalise
from kelly_core.errors import InstallError, UserError

Job = Literal["install", "upgrade", "uninstall"]
ARCHIVES = (".whl", ".tar.gz", ".zip")
_REQUIREMENT = re.compile(r"([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)\s*(\[[^\]]*\])?\s*((?:[<>=!~;].*)?)")


@dataclass(frozen=True, slots=True)
class Installer:
    """A program that installs packages.

    Attributes:
        name: Which one it is.
        start: Its command line up to the verb.
        target: Options that name the environment, after the verb.
    """

    name: Literal["pip", "uv"]
    start: tuple[str, ...]
    target: tuple[str, ...] = ()

    def command(self, job: Job, names: Sequence[str], options: Sequence[str] = ()) -> list[str]:
        """The command line of a job.

        Args:
            job: What to do; an upgrade leaves packages alone that needn't change.
            names: Requirements for `install`, names of packages for the others.
            options: Of the user, passed on as they are.
        """
        words = {
            ("pip", "upgrade"): ["install", "--upgrade"],
            ("uv", "upgrade"): ["install", *(word for name in names for word in ("--upgrade-package", name))],
            ("pip", "uninstall"): ["uninstall", "--yes"],
        }
        verb, *flags = words.get((self.name, job), [job])
        return [*self.start, verb, *self.target, *flags, *options, *names]


def find_installer() -> Installer:
    """The environment's own pip, else uv.

    Raises:
        UserError: There is neither.
    """
    if importlib.util.find_spec("pip") is not None:
        return Installer("pip", (sys.executable, "-m", "pip"))
    target = ("--python", sys.executable)
    if found := shutil.which("uv"):
        return Installer("uv", (found, "pip"), target)
    if importlib.util.find_spec("uv") is not None:
        return Installer("uv", (sys.executable, "-m", "uv", "pip"), target)
    raise UserError(
        "neither pip nor uv is here to install with",
        where=sys.prefix,
        hint=f"`{sys.executable} -m ensurepip` gives this environment pip; or put uv on the path",
        code="usage.no-installer",
    )


def require_own_environment(options: Sequence[str]) -> None:
    """Refuse a Python whose packages belong to the operating system, as PEP 668 marks it.

    Args:
        options: Of the user for the installer; `--break-system-packages` among them overrules the mark.

    Raises:
        UserError: The environment is managed by something else.
    """
    mark = Path(sysconfig.get_path("stdlib")) / "EXTERNALLY-MANAGED"
    if sys.prefix != sys.base_prefix or not mark.exists() or "--break-system-packages" in options:
        return
    raise UserError(
        "this Python's packages belong to the operating system's package manager",
        where=sys.prefix,
        hint="install Kelly into an environment of its own: `python3 -m venv kelly-env`, then "
        f"`kelly-env/bin/pip install {HOST_DISTRIBUTION}`",
        code="usage.system-python",
    )


def requirement_of(text: str, *, exact: bool = False) -> str:
    """What to install for a name as people type it.

    Paths and addresses stay as they are, and so do names that begin with `kelly`. Any other name is short
    for `kelly-NAME`: looking for NAME itself too could install a stranger's package that happens to be
    called the same.

    Args:
        text: A short name, a requirement, a path or an address.
        exact: Leave every name as it is.

    Raises:
        UserError: It is none of these, or names a file that doesn't exist.

    >>> requirement_of("emotion[train]"), requirement_of("emotion==0.1.0")
    ('kelly-emotion[train]', 'kelly-emotion==0.1.0')
    >>> requirement_of("kelly-emotion"), requirement_of("git+https://example.org/tuner.git")
    ('kelly-emotion', 'git+https://example.org/tuner.git')
    >>> requirement_of("numpy", exact=True)
    'numpy'
    """
    if "://" in text or re.match(r"[\w.-]+(\[.*\])?\s*@", text):
        return text
    if _is_path(text):
        if not Path(re.sub(r"\[[^\]]*\]$", "", text)).exists():
            raise UserError(
                "there is no such file or folder", where=text, hint="check the path", code="usage.no-file"
            )
        return text
    found = _REQUIREMENT.fullmatch(text.strip())
    if found is None:
        raise UserError(
            f"{text!r} is no package's name, path or address",
            where="NAME",
            hint="give a name such as emotion or kelly-emotion[train]; options of the installer go after --",
        )
    if exact or _is_kellys(normalise(found[1])):
        return text
    return f"kelly-{normalise(found[1])}{found[2] or ''}{found[3]}"


def named_in(requirement: str) -> str | None:
    """The package that a requirement names, as far as that can be known without building it.

    >>> named_in("kelly-emotion[train]>=0.1"), named_in("dist/kelly_emotion-0.1.0-py3-none-any.whl")
    ('kelly-emotion', 'kelly-emotion')
    >>> named_in("git+https://example.org/tuner.git") is None
    True
    """
    if _is_path(requirement):
        return _named_by_path(Path(re.sub(r"\[[^\]]*\]$", "", requirement)))
    found = re.match(r"([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:$|[\[<>=!~;@ ])", requirement)
    return normalise(found[1]) if found else None


def run_installer(command: Sequence[str]) -> None:
    """Run an installer; what it says goes to stderr, where progress belongs.

    Raises:
        InstallError: It ended with an error, which it has explained itself.
    """
    code = subprocess.run(command, stdout=2, check=False).returncode
    if code:
        raise InstallError(
            f"the installer ended with exit code {code}; it says why above",
            where=" ".join(command),
            hint="check the names: a short NAME means kelly-NAME, and --exact takes names as they are",
        )


def _is_path(text: str) -> bool:
    return "/" in text or "\\" in text or text.startswith((".", "~")) or text.endswith(ARCHIVES)


def _is_kellys(name: str) -> bool:
    return name == "kelly" or name.startswith("kelly-")


def _named_by_path(path: Path) -> str | None:
    if path.suffix == ".whl":
        return normalise(path.name.partition("-")[0])
    if path.name.endswith(ARCHIVES):
        return normalise(re.split(r"-\d", path.name)[0])
    import tomllib

    try:
        name = tomllib.loads((path / "pyproject.toml").read_text(encoding="utf-8"))["project"]["name"]
    except (OSError, ValueError, LookupError, TypeError):
        return None
    return normalise(str(name))
