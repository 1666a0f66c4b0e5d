"""Each package's wheel works in an environment that has what it declares and nothing else."""

import json
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tools.workspace import clean_environment, make_environment, read_packages

ROOT = Path(__file__).resolve().parents[1]
MODELS = ("dynamics", "emotion", "groove", "harmony", "melody")
PACKAGES = tuple(read_packages(ROOT))

pytestmark = [pytest.mark.slow, pytest.mark.wheels]


def project_of(package):
    return tomllib.loads((ROOT / "packages" / package / "pyproject.toml").read_text())["project"]


def declared(package):
    """Kind and name of every plugin that a package's entry points name."""
    return {
        (group.removeprefix("kelly.").removesuffix("s"), name)
        for group, names in project_of(package).get("entry-points", {}).items()
        if group.startswith("kelly.")
        for name in names
    }


@pytest.fixture
def install(distributions, tmp_path):
    """Makes an environment outside the repository with what is asked for; returns its `kelly`."""

    def make(*asked):
        python = make_environment(tmp_path / "env", asked, distributions.wheels)

        def kelly(*arguments):
            settings = {"KELLY_WORKSPACE": str(tmp_path / "workspace"), "OMP_NUM_THREADS": "1"}
            env = {**clean_environment(), **settings}
            command = [python.parent / "kelly", *arguments]
            return subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)

        return kelly

    return make


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_alone_lists_what_it_brings_and_says_what_is_missing(install, package):
    kelly = install(package)
    listed = kelly("list", "--json")
    assert listed.returncode == 0, listed.stderr
    assert listed.stderr == ""
    alone = {package, *(Requirement(line).name for line in project_of(package)["dependencies"])} & {*PACKAGES}
    names = {(row["kind"], row["name"]) for row in json.loads(listed.stdout)}
    assert names == set().union(*map(declared, alone))
    absent = kelly("config", "emotion" if package != "kelly-emotion" else "melody")
    assert (absent.returncode == 0) == (package == "kelly"), absent.stderr
    assert "Traceback" not in absent.stderr
    if package.removeprefix("kelly-") not in MODELS:
        return
    model = package.removeprefix("kelly-")
    for shows in (("config", model), ("predict", model, "--help")):
        assert kelly(*shows).returncode == 0
    train = kelly("train", model, "--data", "demo")  # without the extra: what to install
    assert train.returncode == 2
    assert "[train]" in train.stderr
    assert "Traceback" not in train.stderr


@pytest.mark.parametrize(
    ("package", "model"), [("kelly", "melody"), *((f"kelly-{model}", model) for model in MODELS)]
)
def test_a_model_trains_and_exports_with_what_its_package_declares(install, tmp_path, package, model):
    kelly = install(f"{package}[train]", "kelly-export")
    trained = kelly("train", model, "--data", "demo", "--epochs", "1", "--export-onnx", "--json")
    assert trained.returncode == 0, trained.stderr
    assert list((tmp_path / "workspace" / "models").glob("*.onnx"))
    assert json.loads((tmp_path / "workspace" / "models" / "registry.json").read_text())["models"]
    verified = kelly("verify", model)
    assert verified.returncode == 0, verified.stdout + verified.stderr


@pytest.mark.parametrize("asked", ["kelly-core[train]", "kelly-export"])
def test_a_package_without_a_model_keeps_the_rules_with_what_it_declares(install, asked):
    kelly = install(asked)
    checked = kelly("plugin", "check", asked.partition("[")[0], "--json")
    assert checked.returncode == 0, checked.stdout + checked.stderr
