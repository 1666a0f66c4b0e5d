"""Checks that the oldest kelly-core that a package allows is enough for it: `python -m tools.core_floor NAME`.

The package is installed with that core, in an environment of its own, and put through `kelly plugin check`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tarfile
import tempfile
from pathlib import Path

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from kelly_core.cli import console
from kelly_core.errors import UserError
from tools.command import finish
from tools.workspace import (
    CORE,
    Package,
    ToolError,
    build,
    clean_environment,
    find_package,
    git,
    make_environment,
    released,
    repository,
)


def main() -> int:
    """Check the packages that the arguments name."""
    parser = argparse.ArgumentParser(prog="python -m tools.core_floor", description=__doc__)
    parser.add_argument("packages", nargs="+", metavar="PACKAGE", help="kelly-emotion, say")
    root = repository()
    for name in parser.parse_args().packages:
        console.say(check_floor(root, find_package(root, name)))
    return 0


def check_floor(root: Path, package: Package) -> str:
    """Install a package with the oldest kelly-core it allows, and put it through Kelly's rules.

    Args:
        root: The repository, whose tags have the older cores.
        package: As it stands in the present tree.

    Returns:
        What was found, in a sentence.

    Raises:
        ToolError: It doesn't work with that core.
        UserError: No kelly-core is in its range.
    """
    asked = package.asks_of(CORE)
    if not asked or not package.declares_plugins:
        return f"{package.name} brings no plugin that asks for {CORE}: it has no floor to check"
    allowed = SpecifierSet(",".join({str(one.specifier) for one in asked}))
    oldest = oldest_core(root, allowed)
    with tempfile.TemporaryDirectory(prefix="kelly-floor-") as folder:
        place = Path(folder)
        wheels = build(root, package.name, place / "dist", sdist=False)
        wheels.append(_build_core(root, oldest, allowed, place))
        extra = "[train]" if "train" in package.extras else ""
        python = make_environment(place / "env", [f"{package.name}{extra}"], wheels, root=root)
        _try(package, python, oldest, place)
    if oldest is None:
        return (
            f"{package.name} works with {CORE} of this tree. That is all that could be tried: "
            f"no tag {CORE}-v* is in its range {allowed}"
        )
    return f"{package.name} works with {CORE} {oldest}, the oldest that {allowed} allows"


def oldest_core(root: Path, allowed: SpecifierSet) -> Version | None:
    """The oldest kelly-core in a range that a tag of the repository has; None where no tag is in it."""
    return min(allowed.filter(released(root, CORE), prereleases=True), default=None)


def _build_core(root: Path, version: Version | None, allowed: SpecifierSet, place: Path) -> Path:
    """The wheel of kelly-core as it was at a tag, or of the present tree for None."""
    if version is None:
        present = find_package(root, CORE)
        if not allowed.contains(present.version, prereleases=True):
            raise UserError(
                f"no {CORE} is in the range {allowed}: none is tagged, and this tree has {present.version}",
                where="pyproject.toml",
                hint="widen the range, or raise the version of kelly-core first",
            )
        return build(root, CORE, place / "core", sdist=False)[0]
    tag = f"{CORE}-v{version}"
    git("archive", "--output", str(place / "tagged.tar"), tag, f"packages/{CORE}", cwd=root)
    with tarfile.open(place / "tagged.tar") as archive:
        archive.extractall(place / "tagged", filter="data")
    return build(place / "tagged", CORE, place / "core", sdist=False)[0]


def _try(package: Package, python: Path, core: Version | None, place: Path) -> None:
    with_core = f"{CORE} {core}" if core else f"{CORE} of this tree"
    console.note(f"checking {package.name} with {with_core}")
    command = [python.parent / "kelly", "plugin", "check", package.name, "--json"]
    done = subprocess.run(
        command, cwd=place, env=clean_environment(), capture_output=True, text=True, check=False
    )
    if done.returncode == 0:
        return
    raise ToolError(
        f"{package.name} {package.version} doesn't work with {with_core}, which it allows: "
        f"{_failures(done.stdout) or done.stderr.strip()[-2000:]}",
        where=str(package.folder / "pyproject.toml"),
        hint=f"raise the floor of {CORE} there to the first version that has what the package uses",
    )


def _failures(report: str) -> str:
    """The broken rules of a conformance report, a line each."""
    try:
        results = json.loads(report)["results"]
    except (ValueError, LookupError, TypeError):
        return ""
    broken = [one for one in results if one["verdict"] == "fail"]
    return "".join(f"\n  {one['plugin']}, {one['rule']}: {one['detail']}" for one in broken)


if __name__ == "__main__":
    finish(main)
