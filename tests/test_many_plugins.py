"""Fifty plugins of strangers, five of them broken, are listed from their metadata alone."""

import importlib.util
import json
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[1] / "benchmarks" / "list_many_plugins.py"


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """The benchmark's code, its folder of distributions, and the plugins' names."""
    spec = importlib.util.spec_from_file_location("list_many_plugins", SCRIPT)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    folder = tmp_path_factory.mktemp("site")
    return script, folder, script.install(folder)


def test_all_are_listed_and_none_is_imported(many):
    script, folder, names = many
    done = script.run_list(folder, "--json")
    listed = {row["name"]: row for row in json.loads(done.stdout)}
    assert len(names) == 50
    assert set(names) <= set(listed)
    assert listed["third-party-07"]["version"] == "1.7.0"
    assert listed["third-party-49"]["summary"] == "Number 49 of what strangers brought"
    assert done.stderr == ""
    assert list(folder.rglob("imported")) == []
    assert list(folder.rglob("__pycache__")) == []


def test_what_is_made_is_a_plugin_and_what_is_broken_fails_each_in_its_way(many, monkeypatch):
    from kelly_core.catalog import read_catalog
    from kelly_core.plugins import PluginHost

    script, folder, names = many
    monkeypatch.syspath_prepend(folder)
    entries = [entry for entry in read_catalog() if entry.name in names]
    hangs = names[len(names) - script.BROKEN + script.WAYS.index("hangs")]
    host = PluginHost([entry for entry in entries if entry.name != hangs], on_failure=lambda _: None)
    failures = {entry.name: host.probe(entry) for entry in host.entries}
    broken = {name: str(failure.error) for name, failure in failures.items() if failure is not None}
    assert len(broken) == script.BROKEN - 1
    assert (folder / "kelly_third_party_00" / "imported").exists()
    for part in ("no licence key", "invalid syntax", "KELLY_API = 99", "No module named"):
        assert any(part in said for said in broken.values()), part
