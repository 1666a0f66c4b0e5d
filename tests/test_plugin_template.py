"""The model template in an environment of its own: installed, listed, trained, exported, verified, checked."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from kelly_core.authoring import new_plugin

pytestmark = pytest.mark.slow


def run(*command, **environment):
    env = {key: value for key, value in os.environ.items() if key not in {"PYTHONPATH", "VIRTUAL_ENV"}}
    env |= {"OMP_NUM_THREADS": "1", **environment}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=env)


@pytest.fixture(scope="module")
def installed(uv, tmp_path_factory):
    """A generated package, built and installed alone; dependencies come from this environment."""
    place = tmp_path_factory.mktemp("stranger")
    folder = new_plugin("key-finder", "model", place / "src")
    built = run(uv, "build", "--quiet", "--wheel", "--out-dir", str(place / "dist"), str(folder))
    if built.returncode and "error sending request" in built.stderr.lower():
        pytest.skip("packages can't be downloaded here")
    assert built.returncode == 0, built.stderr
    (wheel,) = (place / "dist").glob("*.whl")
    target = place / "site"
    install = (
        uv,
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--python",
        sys.executable,
        "--target",
        str(target),
    )
    done = run(*install, str(wheel))
    assert done.returncode == 0, done.stderr

    def kelly(*arguments):
        code = "from kelly_core.cli import main; main()"
        environment = {"PYTHONPATH": str(target), "KELLY_WORKSPACE": str(place / "ws")}
        return run(sys.executable, "-c", code, *arguments, **environment)

    return kelly, target


def test_a_generated_model_is_listed_trained_exported_verified_checked_and_removed(installed):
    kelly, target = installed
    listed = kelly("list", "--json")
    assert listed.stderr == ""
    assert {"key-finder", "key-finder-demo"} <= {row["name"] for row in json.loads(listed.stdout)}
    trained = kelly("train", "key-finder", "--data", "demo", "--epochs", "6", "--json")
    assert trained.returncode == 0, trained.stderr
    exported = kelly("export", "key-finder", "--all", "--json")
    assert exported.returncode == 0, exported.stderr
    formats = {one["format"] for one in json.loads(exported.stdout)["exports"]}
    assert formats == {"onnx", "torchscript"}
    verified = kelly("verify", "key-finder")
    assert verified.returncode == 0, verified.stdout + verified.stderr
    checked = kelly("plugin", "check", "kelly-key-finder", "--json")
    report = json.loads(checked.stdout)
    assert checked.returncode == 0, [one for one in report["results"] if one["verdict"] == "fail"]
    passed = {one["rule"] for one in report["results"] if one["verdict"] == "pass"}
    assert {"killed-and-resumed-is-exact", "step-equals-whole", "exports-pass-parity"} <= passed
    shutil.rmtree(target)
    gone = kelly("config", "key-finder")
    assert gone.returncode == 2
    assert "no model named 'key-finder'" in gone.stderr
