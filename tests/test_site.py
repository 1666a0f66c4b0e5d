"""The site of docs/ builds without a warning, needs no other server, and its menu has every page."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", folder]
    env = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    return folder


def test_every_page_of_the_docs_is_built_and_in_the_menu(site):
    pages = {file.relative_to(ROOT / "docs").with_suffix(".html") for file in ROOT.glob("docs/**/*.md")}
    assert {file.relative_to(site) for file in site.rglob("*.html")} - {Path("404.html")} == pages


def test_nothing_comes_from_another_server(site):
    loaded = re.compile(r"<(?:script|link|img|iframe)\b[^>]*(?:src|href)=[\"']?((?:https?:)?//[^\"'> ]+)")
    found = {url for file in site.rglob("*.html") for url in loaded.findall(file.read_text(encoding="utf-8"))}
    assert found == set()
    assert not any("class=mermaid" in file.read_text(encoding="utf-8") for file in site.rglob("*.html"))


def test_the_public_api_is_on_it_name_by_name(site):
    from kelly_core.api import PUBLIC

    page = (site / "reference" / "python.html").read_text(encoding="utf-8")
    ids = set(re.findall(r'id="?([\w.]+)', page))
    assert {f"{module}.{name}" for module, names in PUBLIC.items() for name in names} - ids == set()
