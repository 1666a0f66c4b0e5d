"""Releases one package: version, changelog, commit and tag. Nothing is pushed.

`python -m tools.release kelly-emotion minor`; `make release PACKAGE=kelly-emotion BUMP=minor` does the same.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from packaging.version import Version

from kelly_core import atomic
from kelly_core.cli import console
from kelly_core.errors import UserError
from tools.check_packages import check_packages
from tools.command import finish
from tools.core_floor import check_floor
from tools.workspace import (
    VERSION_LINE,
    Package,
    ToolError,
    find_package,
    git,
    read_packages,
    released,
    repository,
    run,
)

BUMPS = ("major", "minor", "patch", "none")
FRAGMENTS = "changes"
"""Folder of each package with one file per change that its users will notice."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A release that may be made.

    Attributes:
        package: As it stands.
        version: The version it gets.
        fragments: The changes that go into the changelog.
    """

    package: Package
    version: Version
    fragments: tuple[Path, ...]

    @property
    def tag(self) -> str:
        """The git tag it gets."""
        return f"{self.package.name}-v{self.version}"


def main() -> int:
    """Make a release, or with `--dry-run` only show it."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.release",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="docs/how-to/releasing.md has the whole story.",
    )
    parser.add_argument("package", help="kelly-emotion, say")
    parser.add_argument(
        "bump",
        choices=BUMPS,
        help="which part of the version grows; none: the version that stands, never tagged",
    )
    parser.add_argument("--dry-run", action="store_true", help="check everything and show what would be done")
    given = parser.parse_args()
    root = repository()
    plan = make_plan(root, given.package, given.bump)
    console.say(f"{plan.package.name} {plan.package.version} -> {plan.version}")
    _check(root, plan)
    if given.dry_run:
        console.say(_draft(root, plan) or "the changelog stays as it is")
        console.say(f"it would be committed and tagged {plan.tag}; nothing was changed")
        return 0
    _carry_out(root, plan)
    console.say(f"committed and tagged {plan.tag}. Nothing was pushed; publish it with")
    console.say(f"  git push origin HEAD {plan.tag}")
    return 0


def make_plan(root: Path, name: str, bump: str) -> Plan:
    """What a release would be.

    Args:
        root: The repository.
        name: The package.
        bump: One of `BUMPS`.

    Raises:
        UserError: The tree has changes, nothing is new, the version is taken, or siblings exclude it.
    """
    package = find_package(root, name)
    changed = git("status", "--porcelain", cwd=root).rstrip()
    if changed:
        raise UserError(
            f"the tree has changes:\n{changed[:1000]}", where=str(root), hint="commit or stash them first"
        )
    version = _bumped(package, bump)
    newest = max(released(root, name), default=None)
    if newest is not None and newest >= version:
        hint = "choose a larger BUMP" if bump != "none" else "its changes need a BUMP of major, minor or patch"
        raise UserError(f"{name} {newest} is tagged; {version} would not be newer", where="BUMP", hint=hint)
    fragments = tuple(
        sorted(file for file in (package.folder / FRAGMENTS).glob("*") if not file.name.startswith("."))
    )
    if not fragments and bump != "none":
        raise UserError(
            "no change is noted: nothing to release",
            where=str(package.folder / FRAGMENTS),
            hint="write a file +topic.added.md there, or .changed, .fixed, .removed",
        )
    _must_be_admitted(root, package, version)
    return Plan(package, version, fragments)


def _bumped(package: Package, bump: str) -> Version:
    old = package.version
    if old.pre or old.post or old.dev or old.local:
        raise UserError(
            f"the version {old} isn't of the form 1.2.3",
            where=str(package.version_file),
            hint="write one that is",
        )
    return {
        "major": Version(f"{old.major + 1}.0.0"),
        "minor": Version(f"{old.major}.{old.minor + 1}.0"),
        "patch": Version(f"{old.major}.{old.minor}.{old.micro + 1}"),
        "none": old,
    }[bump]


def _must_be_admitted(root: Path, package: Package, version: Version) -> None:
    """Siblings whose range leaves the new version out would make the workspace and `pip install kelly` fail."""
    excluding = [
        f"{one.name} asks for {asked}"
        for one in read_packages(root).values()
        for asked in one.asks_of(package.name)
        if one.name != package.name and not asked.specifier.contains(version, prereleases=True)
    ]
    if excluding:
        raise UserError(
            f"{package.name} {version} is outside the ranges of packages here: {'; '.join(excluding)}",
            where="packages/*/pyproject.toml",
            hint=f"widen the ranges of those that work with it, note that in their {FRAGMENTS}/, and commit",
        )


def _check(root: Path, plan: Plan) -> None:
    with tempfile.TemporaryDirectory() as folder:
        problems = check_packages(root, [plan.package.name], Path(folder))
    if problems:
        raise ToolError("it can't be published as it is:\n  " + "\n  ".join(problems))
    console.say(check_floor(root, plan.package))


def _draft(root: Path, plan: Plan) -> str:
    """The changelog's new section, its title included; empty without changes."""
    return _towncrier(root, plan, "--draft").strip() if plan.fragments else ""


def _towncrier(root: Path, plan: Plan, *options: str) -> str:
    where = ("--config", root / "pyproject.toml", "--dir", plan.package.folder)
    return run([sys.executable, "-m", "towncrier", "build", *where, "--version", str(plan.version), *options])


def _carry_out(root: Path, plan: Plan) -> None:
    """Write, commit and tag; what fails before the tag leaves the tree as it was."""
    before = git("rev-parse", "HEAD", cwd=root).strip()
    try:
        _write_version(plan)
        notes = _write_changelog(root, plan)
        git("add", "--all", str(plan.package.folder), cwd=root)
        git("commit", "-m", f"Release {plan.package.name} {plan.version}", cwd=root)
        # The workflow shows this message as the release's notes; a changelog's headings are no comments.
        message = f"{plan.package.name} {plan.version}\n\n{notes}"
        git("tag", "--cleanup=whitespace", "-a", plan.tag, "-m", message, cwd=root)
    except BaseException:
        git("reset", "--hard", before, cwd=root)
        raise


def _write_version(plan: Plan) -> None:
    file = plan.package.version_file
    text = file.read_text(encoding="utf-8")
    line = VERSION_LINE.search(text)
    assert line is not None
    atomic.write_text(file, text[: line.start(1)] + str(plan.version) + text[line.end(1) :])


def _write_changelog(root: Path, plan: Plan) -> str:
    """Put the changes under the version's heading, delete their files, and return what stands there now."""
    file = plan.package.folder / "CHANGELOG.md"
    start, end = _section(file.read_text(encoding="utf-8"), plan.version)
    if end is None:
        _towncrier(root, plan, "--yes")
        text = file.read_text(encoding="utf-8")
    else:
        # A first version has its section before anything is released; what came since goes to its end.
        text = file.read_text(encoding="utf-8")
        body = text[start:end].strip().partition("\n")[2].strip()
        changes = _draft(root, plan).partition("\n")[2].strip()
        title = f"## {plan.version} ({datetime.now(UTC):%Y-%m-%d})"
        text = f"{text[:start]}{title}\n\n{body}\n\n{changes}\n\n{text[end:]}".rstrip() + "\n"
        for fragment in plan.fragments:
            fragment.unlink()
    text = re.sub(r"\n{3,}", "\n\n", text)
    atomic.write_text(file, text)
    start, end = _section(text, plan.version)
    return text[start:end].partition("\n")[2].strip()


def _section(text: str, version: Version) -> tuple[int, int | None]:
    """Where a version's section begins and ends in a changelog; the end is None where it has none."""
    found = re.search(rf"^## {re.escape(str(version))}( \(|$).*?(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    return (found.start(), found.end()) if found else (0, None)


if __name__ == "__main__":
    finish(main)
