"""`kelly install`, `upgrade` and `uninstall` in an environment of their own, with pip and with uv."""

import json
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

from kelly_core.authoring import new_plugin
from tools.workspace import clean_environment, make_environment, run

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def shelf(uv, tmp_path_factory):
    """A folder of wheels of small plugins: kelly-tuner 0.1.0 and 0.2.0, and kelly-crashing."""
    place = tmp_path_factory.mktemp("shelf")
    tuner = new_plugin("tuner", "dataset", place / "src")
    crashing = new_plugin("crashing", "exporter", place / "src")
    module = crashing / "src" / "kelly_crashing" / "plugin.py"
    module.write_text(f"{module.read_text()}\nraise RuntimeError('no licence')\n")

    def build(folder):
        run([uv, "build", "--quiet", "--wheel", "--out-dir", place / "wheels", folder])

    for folder in (tuner, crashing):
        build(folder)
    init = tuner / "src" / "kelly_tuner" / "__init__.py"
    init.write_text(init.read_text().replace('"0.1.0"', '"0.2.0"'))
    build(tuner)
    return SimpleNamespace(wheels=place / "wheels", tuner=tuner)


@pytest.fixture(scope="module", params=[pytest.param("pip", marks=pytest.mark.thorough), "uv"])
def environment(request, uv, distributions, tmp_path_factory):
    """An environment with kelly-core, and pip or else uv on the path; runs `kelly` there."""
    folder = tmp_path_factory.mktemp(request.param) / "env"
    python = make_environment(
        folder, ["kelly-core", *(["pip"] if request.param == "pip" else [])], distributions.wheels
    )

    def kelly(*arguments, **settings):
        env = clean_environment() | {"KELLY_WORKSPACE": str(folder.parent), **settings}
        if request.param == "uv":
            env["PATH"] = f"{Path(uv).parent}:{env['PATH']}"
        command = [python.parent / "kelly", *arguments]
        return subprocess.run(command, cwd=folder.parent, env=env, capture_output=True, text=True, check=False)

    return kelly


def test_a_package_comes_is_upgraded_and_goes_and_each_time_it_is_said_what(environment, shelf):
    kelly = environment
    shop = ("--", "--no-index", "-f", str(shelf.wheels))
    came = kelly("install", "tuner==0.1.0", *shop)
    assert came.returncode == 0, came.stderr
    assert came.stdout.splitlines() == ["kelly-tuner  0.1.0 installed", "    dataset   tuner"]
    assert "kelly-tuner==0.1.0" in came.stderr
    assert {row["name"] for row in json.loads(kelly("list", "--json").stdout)} >= {"tuner"}
    newer = kelly("upgrade", "tuner", *shop)
    assert newer.returncode == 0, newer.stderr
    assert newer.stdout.splitlines() == ["kelly-tuner  0.1.0 -> 0.2.0", "    dataset   tuner"]
    again = kelly("upgrade", "--json", *shop)  # kelly-core came from a file, so this is all there is
    assert again.returncode == 0, again.stderr
    (package,) = json.loads(again.stdout)["packages"]
    assert package == {
        "distribution": "kelly-tuner",
        "before": "0.2.0",
        "after": "0.2.0",
        "brings": {"dataset": ["tuner"]},
    }
    gone = kelly("uninstall", "tuner")
    assert gone.returncode == 0, gone.stderr
    assert gone.stdout.splitlines() == ["kelly-tuner  0.2.0 removed", "    dataset   tuner"]
    assert "tuner" not in kelly("list").stdout


def test_a_broken_plugin_is_found_at_once(environment, shelf):
    (wheel,) = shelf.wheels.glob("kelly_crashing-*.whl")
    done = environment("install", str(wheel), "--json", "--", "--no-deps")
    assert done.returncode == 1
    report = json.loads(done.stdout)
    assert report["packages"][0]["brings"] == {"exporter": ["crashing"]}
    (broken,) = report["broken"]
    assert broken["message"] == "failed at import: RuntimeError: no licence"
    assert "kelly uninstall kelly-crashing" in broken["hint"]
    shown = environment("install", str(wheel), "--", "--no-deps")
    assert "was there" in shown.stdout
    assert (
        "error[plugin.broken]: kelly-crashing 0.1.0: failed at import: RuntimeError: no licence" in shown.stderr
    )
    assert environment("uninstall", "crashing").returncode == 0


def test_what_an_index_does_not_have_ends_with_the_command_and_a_hint(environment, shelf):
    done = environment("install", "no-such-plugin", "--", "--no-index", "-f", str(shelf.wheels))
    assert done.returncode == 1
    assert done.stdout == ""
    assert "error[install]: the installer ended with exit code 1" in done.stderr
    assert "a short NAME means kelly-NAME" in done.stderr
