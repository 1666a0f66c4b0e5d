"""Builds each package alone and checks what would be published: `python -m tools.check_packages`."""

from __future__ import annotations

import argparse
import email
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from kelly_core.cli import console
from tools.command import finish
from tools.workspace import Package, ToolError, build, find_package, read_packages, repository, run


@dataclass(frozen=True, slots=True)
class Built:
    """A package and the files made from it."""

    package: Package
    wheel: Path
    source: Path


def main() -> int:
    """Build and check what the arguments name; 1 when something is wrong."""
    parser = argparse.ArgumentParser(prog="python -m tools.check_packages", description=__doc__)
    parser.add_argument("packages", nargs="*", metavar="PACKAGE", help="only these (default: all)")
    parser.add_argument("--out-dir", type=Path, help="keep the built files here (default: nowhere)")
    given = parser.parse_args()
    root = repository()
    with tempfile.TemporaryDirectory() as folder:
        problems = check_packages(root, given.packages, given.out_dir or Path(folder))
    for problem in problems:
        console.fail(problem)
    if not problems:
        console.say("nothing is wrong with them")
    return 1 if problems else 0


def check_packages(root: Path, names: Sequence[str], to: Path) -> list[str]:
    """Build packages into a folder, say what was built, and check the files.

    Args:
        root: The repository.
        names: The packages; none means all.
        to: Folder that gets wheels and source distributions.

    Returns:
        What is wrong, each beginning with the package or file that it is wrong with.

    Raises:
        UserError: A package isn't there.
        ToolError: A package can't be built.
    """
    packages = read_packages(root)
    wanted = [find_package(root, name) for name in names] or list(packages.values())
    with ThreadPoolExecutor(max_workers=2) as pool:
        built = list(pool.map(lambda one: Built(one, *build(root, one.name, to)), wanted))
        for one in built:
            console.say(
                f"built {one.wheel.name} ({one.wheel.stat().st_size / 1024:.0f} KiB) and {one.source.name}"
            )
        missing = [problem for found in pool.map(whole, built) for problem in found]
    # The index's own check: it takes the metadata, and can show the README.
    files = [file for one in built for file in (one.wheel, one.source)]
    refused = _refusal("twine", "check", "--strict", *files)
    rest = [problem for one in built for problem in (*licensed(one), *ranged(one, packages))]
    return [*refused, *missing, *rest]


def licensed(built: Built) -> Iterator[str]:
    """Licence and type marker are in the wheel, and what a reader needs is in the source distribution."""
    with zipfile.ZipFile(built.wheel) as archive:
        names = archive.namelist()
    if not any(name.endswith(".dist-info/licenses/LICENSE") for name in names):
        yield f"{built.wheel.name}: it has no LICENSE"
    marker = f"{built.package.module}/py.typed"
    if built.package.module and marker not in names:
        yield f"{built.wheel.name}: it has no {marker}"
    with tarfile.open(built.source) as archive:
        inside = {name.partition("/")[2] for name in archive.getnames()}
    for wanted in ("LICENSE", "README.md", "CHANGELOG.md", "pyproject.toml"):
        if wanted not in inside:
            yield f"{built.source.name}: it has no {wanted}"


def ranged(built: Built, packages: dict[str, Package]) -> Iterator[str]:
    """Siblings are asked for by a range with both ends that holds the version of this tree, never by path."""
    with zipfile.ZipFile(built.wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = email.message_from_bytes(archive.read(name))
    for text in metadata.get_all("Requires-Dist") or ():
        asked = Requirement(text)
        sibling = packages.get(canonicalize_name(asked.name))
        if sibling is None or sibling.name == built.package.name:
            continue
        operators = {one.operator for one in asked.specifier}
        if asked.url:
            yield f"{built.wheel.name}: it asks for {text!r}: give a range, no address"
        elif not (operators & {">=", "~="} and operators & {"<", "~="}):
            yield f"{built.wheel.name}: it asks for {text!r}: give the range both ends"
        elif not asked.specifier.contains(sibling.version, prereleases=True):
            yield f"{built.wheel.name}: it asks for {text!r}, which leaves out this tree's {sibling.version}"


def whole(built: Built) -> list[str]:
    """The wheel has every file of the package's source, and nothing that belongs elsewhere."""
    folder, module = built.package.folder, built.package.module
    tree = ("--src-dir", folder / "src", "--toplevel", module) if module else ()
    return _refusal("check_wheel_contents", "--config", folder / "pyproject.toml", *tree, built.wheel)


def _refusal(module: str, *arguments: str | Path) -> list[str]:
    """What a checker says when it refuses, else nothing."""
    try:
        run([sys.executable, "-m", module, *arguments])
    except ToolError as error:
        return [error.message]
    return []


if __name__ == "__main__":
    finish(main)
