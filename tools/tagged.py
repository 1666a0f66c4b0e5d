"""Prints the package that a tag releases, once the tree agrees: `make tagged TAG=kelly-emotion-v0.2.0`."""

from __future__ import annotations

import argparse
from pathlib import Path

from kelly_core.cli import console
from kelly_core.errors import UserError
from tools.command import finish
from tools.workspace import Package, find_package, repository


def main() -> int:
    """Print the package's name."""
    parser = argparse.ArgumentParser(prog="python -m tools.tagged", description=__doc__)
    parser.add_argument("tag", help="kelly-emotion-v0.2.0, say")
    console.say(tagged(repository(), parser.parse_args().tag).name)
    return 0


def tagged(root: Path, tag: str) -> Package:
    """The package that a tag releases.

    Raises:
        UserError: The tag names no package, or another version than the tree has.
    """
    name, separator, _ = tag.rpartition("-v")
    if not separator:
        raise UserError(
            f"the tag {tag!r} releases nothing", hint="tags of releases are like kelly-emotion-v0.2.0"
        )
    package = find_package(root, name)
    if package.tag != tag:
        raise UserError(
            f"the tag is {tag}, but the tree has {package.tag}",
            where=str(package.version_file),
            hint="let `make release` write version and tag together",
        )
    return package


if __name__ == "__main__":
    finish(main)
