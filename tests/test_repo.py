"""The repository keeps its promises: fresh docs, one set of commands, whole packages, nobody's paths."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tools.workspace import find_package

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = sorted(path.parent for path in ROOT.glob("packages/*/pyproject.toml"))
TEXT = {".py", ".md", ".toml", ".yml", ".yaml", ".sh", ".lock", ".json", ".txt", ".cfg", ""}

pytestmark = pytest.mark.filterwarnings("error")


def read(*parts):
    return ROOT.joinpath(*parts).read_text(encoding="utf-8")


def tracked():
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    return [name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def by_name(path):
    return path.name


def test_generated_docs_are_fresh():
    script = [sys.executable, ROOT / "docs" / "generate.py", "--check"]
    done = subprocess.run(script, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_hook_is_in_the_docs_with_its_example():
    from kelly_core import hookspecs

    names = [name for name in vars(hookspecs) if name.startswith("kelly_")]
    page = read("docs", "reference", "hooks.md")
    assert len(names) >= 10
    for name in names:
        section = page.split(f"## {name}\n")[1].split("\n## ")[0]
        assert f"def {name}(" in section


def test_links_between_pages_lead_somewhere():
    broken = [
        f"{page.relative_to(ROOT)}: {link}"
        for page in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("packages/*/*.md")]
        for link in re.findall(r"\]\(([^)\s#]+)", page.read_text(encoding="utf-8"))
        if "://" not in link and not (page.parent / link).exists()
    ]
    assert broken == []


def test_every_make_command_in_the_pages_exists():
    targets = set(re.findall(r"^([a-z-]+):", read("Makefile"), re.MULTILINE))
    for page in [
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/**/*.md"),
        ROOT / ".ci/run",
        *ROOT.glob(".github/workflows/*"),
    ]:
        text = page.read_text(encoding="utf-8")
        commands = re.findall(r"`make ([^`\n]+)`|^(?:.*run: )?make ([a-z][^#\n]*)", text, re.MULTILINE)
        # Settings such as PACKAGE=kelly-emotion follow the target.
        named = {word for pair in commands for part in pair for word in part.split() if "=" not in word}
        assert named <= targets, page


def test_ci_runs_the_test_command_of_the_readme():
    block = re.search(r"^<!-- test -->\n```\w*\n(.*?)\n```", read("README.md"), re.MULTILINE | re.DOTALL)
    assert block is not None
    assert block[1].strip() == "make test"
    assert "<!-- test -->" in read(".ci", "run")


def test_every_command_in_the_pages_is_one_of_kelly():
    from kelly_core.cli.app import COMMANDS

    for page in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("packages/*/README.md")]:
        text = page.read_text(encoding="utf-8")
        named = set(
            re.findall(r"(?:^|`)kelly (?:--workspace \S+ |--no-plugins )?([a-z]+)\b", text, re.MULTILINE)
        )
        assert named <= set(COMMANDS), page


@pytest.mark.parametrize("package", PACKAGES, ids=by_name)
def test_a_package_is_described_licensed_and_versioned(package):
    project = tomllib.loads((package / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for field in ("name", "description", "readme", "license", "license-files", "requires-python", "authors"):
        assert project[field], field
    assert project["name"] == package.name
    assert project["requires-python"] == ">=3.11"
    assert (package / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()
    version = re.escape(str(find_package(ROOT, package.name).version))
    changelog = (package / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(rf"^<!-- releases -->\n\n## {version}( \([-\d]+\))?$", changelog, re.MULTILINE)
    readme = (package / "README.md").read_text(encoding="utf-8")
    extras = project.get("optional-dependencies", {})
    for requirement in [*project["dependencies"], *(one for extra in extras.values() for one in extra)]:
        name = re.match(r"[\w-]+", requirement)[0]
        assert f"| {name}" in readme or f" {name}" in readme, f"{package.name}: README doesn't say why {name}"


def test_the_workspace_knows_every_package():
    workspace = tomllib.loads(read("pyproject.toml"))
    names = {package.name for package in PACKAGES}
    assert set(workspace["tool"]["uv"]["sources"]) == names
    assert {re.match(r"[\w-]+", one)[0] for one in workspace["project"]["dependencies"]} == names


def test_the_lock_has_hashes_and_no_addresses():
    lock = read("requirements.lock")
    assert "://" not in lock
    assert "-e " not in lock
    pins = re.split(r"\n(?=\S)", lock.strip())
    assert len(pins) > 50
    assert [pin.split()[0] for pin in pins if "==" not in pin or "--hash=sha256:" not in pin] == []


def test_no_resolution_of_uv_is_tracked():
    assert "uv.lock" not in [Path(name).name for name in tracked()]
    assert tomllib.loads(read("pyproject.toml"))["tool"]["uv"]["exclude-newer"]


def test_no_tracked_file_names_a_machine_or_an_index():
    # Written with brackets, so that this file doesn't find itself.
    private = re.compile(
        r"/(?:[U]sers|[h]ome)/[a-z]\w+/|/[w]ork/|[p]ypi\.org|[p]ythonhosted\.org|[i]ndex-url|[f]ind-links"
    )
    found = []
    for name in tracked():
        if Path(name).suffix in TEXT:
            for number, line in enumerate(read(name).splitlines(), 1):
                if private.search(line):
                    found.append(f"{name}:{number}: {line.strip()[:100]}")
    assert found == []
