"""Releases in a repository of their own: version, changelog, commit, tag, and the floor on kelly-core."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from kelly_core.authoring import new_plugin
from kelly_core.errors import UserError
from tools import release
from tools.core_floor import check_floor
from tools.release import make_plan
from tools.tagged import tagged
from tools.workspace import ToolError, find_package

ROOT = Path(__file__).resolve().parents[1]
GIT = {
    "GIT_AUTHOR_NAME": "A maintainer",
    "GIT_AUTHOR_EMAIL": "maintainer@example.org",
    "GIT_COMMITTER_NAME": "A maintainer",
    "GIT_COMMITTER_EMAIL": "maintainer@example.org",
    "GIT_CONFIG_GLOBAL": os.devnull,
}


def git(root, *arguments):
    done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def commit(root, text="Change something"):
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "-m", text)


def note(root, package, text, name="+news.added.md"):
    file = root / "packages" / package / "changes" / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(f"{text}\n")


def replace(file, old, new):
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def run_release(root, *arguments):
    """`python -m tools.release` in a repository."""
    return subprocess.run(
        [sys.executable, "-m", "tools.release", *arguments],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(autouse=True)
def maintainer(monkeypatch):
    for name, value in GIT.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """Kelly with kelly-core 0.1.0 tagged, then 0.1.1 with a constant more, and a data set that reads it."""
    root = tmp_path_factory.mktemp("release") / "kelly"
    core = root / "packages" / "kelly-core"
    shutil.copytree(
        ROOT / "packages" / "kelly-core", core, ignore=shutil.ignore_patterns("__pycache__", "tests", "changes")
    )
    for name in ("pyproject.toml", "requirements.lock", ".gitignore"):
        shutil.copy(ROOT / name, root)
    finder = new_plugin("key-finder", "dataset", root / "packages")
    shutil.copy(ROOT / "LICENSE", finder)
    (finder / "CHANGELOG.md").write_text("# Changelog\n\n<!-- releases -->\n\n## 0.1.0\n\nThe first version.\n")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in GIT.items():
            patch.setenv(name, value)
        git(root, "init", "--quiet", "--initial-branch", "main")
        commit(root, "kelly-core as it was")
        git(root, "tag", "kelly-core-v0.1.0")
        (core / "src" / "kelly_core" / "tuning.py").write_text('"""Tuning."""\n\nA4_HZ = 440.0\n')
        replace(core / "src" / "kelly_core" / "__init__.py", '__version__ = "0.1.0"', '__version__ = "0.1.1"')
        commit(root, "kelly-core knows a pitch")
        git(root, "tag", "kelly-core-v0.1.1")
        module = finder / "src" / "kelly_key_finder" / "plugin.py"
        replace(module, "from kelly_core.hookspecs", "import kelly_core.tuning\nfrom kelly_core.hookspecs")
        commit(root, "The data set reads it")
    return root


@pytest.fixture
def root(original, tmp_path):
    """A copy of that repository to release from."""
    copy = tmp_path / "kelly"
    shutil.copytree(original, copy)
    return copy


def test_a_plan_needs_a_clean_tree_a_noted_change_and_a_version_that_is_newer(root):
    with pytest.raises(UserError, match="no change is noted"):
        make_plan(root, "kelly-core", "patch")
    note(root, "kelly-core", "A pitch.")
    with pytest.raises(UserError, match=r"the tree has changes:\n\?\? packages/kelly-core/changes"):
        make_plan(root, "kelly-core", "patch")
    commit(root)
    assert make_plan(root, "kelly-core", "patch").tag == "kelly-core-v0.1.2"
    with pytest.raises(UserError, match="is tagged"):
        make_plan(root, "kelly-core", "none")
    with pytest.raises(UserError, match="no package is called 'kelly-cor'"):
        make_plan(root, "kelly-cor", "patch")


def test_a_version_that_siblings_leave_out_is_refused_until_they_admit_it(root):
    note(root, "kelly-core", "A hook is gone.")
    commit(root)
    with pytest.raises(
        UserError, match=r"0\.2\.0 is outside the ranges .* kelly-key-finder asks for"
    ) as refused:
        make_plan(root, "kelly-core", "minor")
    assert "widen" in refused.value.hint
    replace(root / "packages" / "kelly-key-finder" / "pyproject.toml", "<0.2", "<0.3")
    commit(root)
    assert make_plan(root, "kelly-core", "minor").tag == "kelly-core-v0.2.0"


@pytest.mark.slow
def test_a_release_is_one_commit_and_a_tag_and_a_dry_run_is_neither(uv, root):
    note(root, "kelly-core", "A pitch to tune by.")
    note(root, "kelly-core", "Notes above C8.", "12.fixed.md")
    commit(root)
    before = git(root, "rev-parse", "HEAD")
    tried = run_release(root, "kelly-core", "patch", "--dry-run")
    assert tried.returncode == 0, tried.stderr
    assert "kelly-core 0.1.1 -> 0.1.2" in tried.stdout
    assert "- A pitch to tune by." in tried.stdout
    assert git(root, "rev-parse", "HEAD") == before
    assert git(root, "status", "--porcelain") == ""
    done = run_release(root, "kelly-core", "patch")
    assert done.returncode == 0, done.stderr
    assert "git push origin HEAD kelly-core-v0.1.2" in done.stdout
    assert git(root, "rev-parse", "HEAD~1") == before
    assert git(root, "rev-parse", "kelly-core-v0.1.2^{commit}") == git(root, "rev-parse", "HEAD")
    assert git(root, "status", "--porcelain") == ""
    assert str(find_package(root, "kelly-core").version) == "0.1.2"
    text = (root / "packages" / "kelly-core" / "CHANGELOG.md").read_text()
    new, old = text.index("## 0.1.2 ("), text.index("## 0.1.0")
    assert new < text.index("### Added\n\n- A pitch to tune by.") < text.index("- Notes above C8. (#12)") < old
    assert not list((root / "packages" / "kelly-core" / "changes").glob("*.md"))
    notes = git(root, "tag", "--list", "--format=%(contents)", "kelly-core-v0.1.2")
    assert notes.startswith("kelly-core 0.1.2\n\n### Added\n\n- A pitch to tune by.")
    assert tagged(root, "kelly-core-v0.1.2").name == "kelly-core"


def test_a_first_version_gets_its_date_and_what_was_noted_since(root):
    # The section as it is written before anything is released.
    note(root, "kelly-key-finder", "Keys of minor tunes.", "+minor.fixed.md")
    commit(root)
    plan = make_plan(root, "kelly-key-finder", "none")
    release._carry_out(root, plan)
    text = (root / "packages" / "kelly-key-finder" / "CHANGELOG.md").read_text()
    first = text.partition("\n## 0.1.0 (")[2]
    assert first.endswith(")\n\nThe first version.\n\n### Fixed\n\n- Keys of minor tunes.\n")
    assert text.count("## 0.1.0") == 1
    assert git(root, "tag", "--list", "kelly-key-finder-*") == "kelly-key-finder-v0.1.0"


def test_what_fails_half_way_leaves_the_tree_as_it_was(root):
    note(root, "kelly-core", "A pitch.", "+news.nonsense.md")
    commit(root)
    before = git(root, "rev-parse", "HEAD")
    with pytest.raises(ToolError, match=r"news\.nonsense\.md"):
        release._carry_out(root, make_plan(root, "kelly-core", "patch"))
    assert git(root, "rev-parse", "HEAD") == before
    assert git(root, "status", "--porcelain") == ""
    assert str(find_package(root, "kelly-core").version) == "0.1.1"


@pytest.mark.slow
def test_a_floor_that_is_too_low_stops_the_release_and_one_that_is_enough_does_not(uv, root):
    note(root, "kelly-key-finder", "Tuned to 440 Hz.")
    commit(root)
    refused = run_release(root, "kelly-key-finder", "patch")
    assert refused.returncode == 1
    assert "kelly-key-finder 0.1.0 doesn't work with kelly-core 0.1.0, which it allows:" in refused.stderr
    assert "dataset key-finder, imports: " in refused.stderr
    assert "No module named 'kelly_core.tuning'" in refused.stderr
    assert "raise the floor of kelly-core" in refused.stderr
    assert git(root, "tag", "--list", "kelly-key-finder-*") == ""
    replace(root / "packages" / "kelly-key-finder" / "pyproject.toml", "kelly-core>=0.1,", "kelly-core>=0.1.1,")
    commit(root)
    found = check_floor(root, find_package(root, "kelly-key-finder"))
    assert found.startswith("kelly-key-finder works with kelly-core 0.1.1, the oldest that ")


def test_a_tag_must_be_of_a_package_and_of_the_version_in_the_tree(root):
    assert tagged(root, "kelly-core-v0.1.1").name == "kelly-core"
    with pytest.raises(UserError, match=r"the tree has kelly-core-v0\.1\.1"):
        tagged(root, "kelly-core-v0.1.0")
    for tag in ("v0.1.1", "kelly-tea-v1.0.0", "kelly-core"):
        with pytest.raises(UserError):
            tagged(root, tag)


def test_every_noted_change_has_a_kind_that_the_changelog_knows_and_says_something():
    for file in ROOT.glob("packages/*/changes/*"):
        assert re.fullmatch(r"(\+[\w-]+|\d+)\.(added|changed|fixed|removed)\.md", file.name), file
        assert file.read_text(encoding="utf-8").strip()
