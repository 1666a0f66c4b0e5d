"""The workflow that publishes: which tags start it, what it may do, and which commands it runs."""

import re
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
import yaml

from tools.workspace import read_packages

ROOT = Path(__file__).resolve().parents[1]
RELEASE = yaml.safe_load((ROOT / ".github" / "workflows" / "release.yml").read_text(encoding="utf-8"))
ON = RELEASE[True]  # YAML 1.1 reads the key `on` as true
JOBS = RELEASE["jobs"]


def commands(job):
    """Every shell line of a job."""
    return [line.strip() for step in job["steps"] for line in step.get("run", "").splitlines()]


def test_the_tag_of_every_package_starts_it_and_other_tags_do_not():
    assert list(ON) == ["push"]
    patterns = ON["push"]["tags"]
    for package in read_packages(ROOT).values():
        assert any(fnmatchcase(package.tag, pattern) for pattern in patterns), package.tag
    for other in ("v0.2.0", "main", "kelly-0.2.0", "tool-v1"):
        assert not any(fnmatchcase(other, pattern) for pattern in patterns), other


def test_only_the_job_that_publishes_can_identify_itself_and_it_runs_no_code_of_ours():
    assert RELEASE["permissions"] == {"contents": "read"}
    may = {name: job.get("permissions", {}) for name, job in JOBS.items()}
    assert may == {"build": {}, "publish": {"id-token": "write"}, "attach": {"contents": "write"}}
    publish = JOBS["publish"]
    assert publish["environment"]
    assert commands(publish) == []
    used = [step["uses"].partition("@")[0] for step in publish["steps"]]
    assert used == ["actions/download-artifact", "pypa/gh-action-pypi-publish"]
    secrets = re.findall(r"secrets\.\w+|password", str(RELEASE))
    assert secrets == []


def test_what_is_published_is_what_was_checked():
    assert JOBS["publish"]["needs"] == "build"
    assert JOBS["attach"]["needs"] == "publish"
    lines = commands(JOBS["build"])
    targets = [re.match(r"(?:package=\"\$\()?make (?:--silent )?([a-z-]+)", line) for line in lines]
    ran = [found[1] for found in targets if found]
    # check-packages comes last: its files in dist/ are the ones that are uploaded.
    assert ran == ["setup", "tagged", "test-wheels", "check-floor", "check-packages"]
    known = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(ran) <= known
    names = [
        step["with"]["name"]
        for job in JOBS.values()
        for step in job["steps"]
        if "artifact" in step.get("uses", "")
    ]
    assert names == ["dist"] * 3


def test_the_oldest_core_can_be_built_from_its_tag():
    checkout = JOBS["build"]["steps"][0]
    assert checkout["uses"].startswith("actions/checkout@")
    assert checkout["with"]["fetch-depth"] == 0


@pytest.mark.parametrize("job", JOBS)
def test_no_command_is_put_together_from_what_a_tag_says(job):
    for line in commands(JOBS[job]):
        assert "${{" not in line


def test_every_push_builds_all_packages_and_tries_them():
    steps = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())["jobs"]["packages"]["steps"]
    wanted = {"make check-packages", "make test-wheels", "make test-thorough", "make stranger"}
    assert wanted <= {step.get("run") for step in steps}
