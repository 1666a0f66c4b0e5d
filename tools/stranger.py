"""What a stranger does, from wheels to a prediction on another machine: `python -m tools.stranger`.

A model plugin is written from the template, installed, tested, checked, trained, exported, verified and packed
in one environment. The package is installed into another one, without torch, and predicts there what it
predicted here; then both are removed. Each step says what it does, and the first that fails ends it.
"""

from __future__ import annotations

import argparse
import json
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kelly_core.cli import console
from tools.check_packages import check_packages
from tools.command import finish
from tools.workspace import ToolError, clean_environment, find_uv, make_environment, repository, run

NAME = "key-finder"
PLUGIN, MODEL_ID = f"kelly-{NAME}", NAME.replace("-", "")
MODEL = f"kelly-model-{MODEL_ID}"
AUTHOR_HAS = ("kelly-core[train,onnx]", "kelly-export", "pytest")
"""What the stranger installs to begin with."""
CLOSE = 1e-4
"""Largest difference of a probability between the two environments."""
HEAVY = ("torch", "onnxruntime", "onnx", "librosa")
LOOK = f"""
import json
from importlib.util import find_spec
print(json.dumps([name for name in {HEAVY} if find_spec(name)]))
"""
USE = f"""
import json
from kelly_core.inference import create_engine_by_name
engine = create_engine_by_name({NAME!r}).load()
print(json.dumps([engine.runtime, engine.infer_file("tune.mid").get_top_k()[0].label]))
"""


@dataclass(frozen=True)
class Machine:
    """An environment that has what was installed into it and nothing else, and a folder to work in.

    Attributes:
        python: The environment's Python.
        folder: Where commands run; the workspace too.
    """

    python: Path
    folder: Path

    def run(self, *words: str | Path, shown: str = "") -> str:
        """Run a program of the environment in the folder.

        Args:
            words: The program and its arguments.
            shown: What to show instead of them.

        Returns:
            What it wrote to stdout.

        Raises:
            ToolError: It ended with an error.
        """
        program, *arguments = words
        title = shown or shlex.join(map(str, words))
        env = {key: value for key, value in clean_environment().items() if not key.startswith("KELLY_")}
        env |= {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
        command = [self.python.parent / program, *arguments]
        with _step(title):
            done = subprocess.run(
                command, cwd=self.folder, env=env, capture_output=True, text=True, check=False
            )
        if done.returncode:
            said = (done.stdout + done.stderr).strip()[-4000:]
            raise ToolError(f"`{title}` ended with {done.returncode}:\n{said}")
        return done.stdout

    def json(self, *words: str | Path) -> Any:
        """What a command prints as JSON."""
        return json.loads(self.run(*words, "--json"))


def main() -> int:
    """Build the packages and do it all, in a temporary folder or in the one given."""
    parser = argparse.ArgumentParser(prog="python -m tools.stranger", description=__doc__)
    parser.add_argument("--wheels", type=Path, metavar="DIR", help="built packages (default: built now)")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="work there and leave everything")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="kelly-stranger-") as folder:
        place = (given.keep or Path(folder)).absolute()
        wheels = (given.wheels or place / "dist").absolute()
        if given.wheels is None:
            problems = check_packages(repository(), [], wheels)
            for problem in problems:
                console.fail(problem)
            if problems:
                return 1
        stranger(sorted(wheels.glob("*.whl")), place)
    return 0


def stranger(wheels: Sequence[Path], place: Path) -> None:
    """Everything from an empty environment to a prediction in another one.

    Args:
        wheels: Kelly's packages.
        place: Folder for environments and workspaces; made if missing.

    Raises:
        ToolError: A step failed, or gave something else than it has to.
    """
    author, plugin = _write_plugin(wheels, place)
    package = _train_and_pack(author)
    before = author.json("kelly", "predict", NAME, "tune.mid")
    user = _machine(place / "user", [MODEL, "pip"], [*wheels, plugin, package])
    user.run("python", "-m", "pip", "install", "--quiet", "--no-deps", "--force-reinstall", package)
    shutil.copy(author.folder / "tune.mid", user.folder)
    _use(user, before)
    console.say("\nwhat was trained in one environment predicts in the other")


def _write_plugin(wheels: Sequence[Path], place: Path) -> tuple[Machine, Path]:
    """The environment that the plugin is written in and installed into, and the plugin's wheel."""
    author = _machine(place / "author", AUTHOR_HAS, wheels)
    author.run("kelly", "plugin", "new", NAME, "--kind", "model")
    built = place / "built"
    with _step(f"uv build --wheel {PLUGIN}"):
        run([find_uv(), "build", "--quiet", "--wheel", "--out-dir", built, author.folder / PLUGIN])
    (plugin,) = built.glob("*.whl")
    _machine(place / "author", [PLUGIN], [*wheels, plugin])
    names = {row["name"] for row in author.json("kelly", "list")}
    _expect({NAME, f"{NAME}-demo"} <= names, f"`kelly list` shows only {sorted(names)}")
    author.run("python", "-m", "pytest", "-q", "-o", "kelly_plugins=", PLUGIN)
    report = author.json("kelly", "plugin", "check", PLUGIN)
    verdicts = [one["verdict"] for one in report["results"]]
    _expect(verdicts.count("pass") > 0 and "fail" not in verdicts, f"`kelly plugin check` says {verdicts}")
    return author, plugin


def _train_and_pack(author: Machine) -> Path:
    """The model's wheel; a tune of its demo data lies in the folder then."""
    author.run("kelly", "train", NAME, "--data", "demo", "--epochs", "6")
    formats = {one["format"] for one in author.json("kelly", "export", NAME, "--all")["exports"]}
    _expect(formats == {"onnx", "torchscript"}, f"`kelly export --all` wrote {sorted(formats)}")
    author.run("kelly", "verify", NAME)
    packed = author.json("kelly", "package", NAME, "--to", "dist")
    tune = next((author.folder / "data" / "cache").rglob("*-rises-1.mid"))
    shutil.copyfile(tune, author.folder / "tune.mid")
    return Path(packed["wheel"])


def _use(user: Machine, before: dict[str, Any]) -> None:
    """List, verify and predict where the model is only installed; then remove it, and its plugin.

    Args:
        user: The environment.
        before: What the model said about the same tune where it was trained.
    """
    there = json.loads(user.run("python", "-c", LOOK, shown=f"which of {', '.join(HEAVY)} are there?"))
    _expect(there == ["onnxruntime"], f"the environment has {there}")
    rows = {(row["kind"], row["name"]): row for row in user.json("kelly", "list")}
    _expect(rows["model", NAME]["status"] == "trained", "`kelly list` doesn't show the model as trained")
    _expect(rows["trained", MODEL_ID]["distribution"] == MODEL, "`kelly list` doesn't show whose it is")
    user.run("kelly", "verify", NAME)
    said = user.json("kelly", "predict", NAME, "tune.mid")
    _expect(said["model"]["package"] == MODEL, f"another model was used: {said['model']}")
    scores, other = _scores(said), _scores(before)
    largest = max(abs(scores[label] - other[label]) for label in other)
    _expect(largest < CLOSE, f"it says {scores}; where it was trained it said {other}")
    opened = f"create_engine_by_name({NAME!r}).load()"
    runtime, label = json.loads(user.run("python", "-c", USE, shown=opened))
    best = max(scores, key=scores.__getitem__)
    _expect((runtime, label) == ("onnx", best), f"the engine says {label} by {runtime}, the command {best}")
    user.run("kelly", "uninstall", MODEL)
    left = {row["name"]: row["status"] for row in user.json("kelly", "list", "--kind", "model")}
    _expect(left[NAME] is None, "the model counts as trained after its package was removed")
    user.run("kelly", "uninstall", PLUGIN)
    left = {row["name"] for row in user.json("kelly", "list")}
    _expect(NAME not in left, "the model is listed after its plugin was removed")


def _scores(said: dict[str, Any]) -> dict[str, float]:
    """Probabilities by label, from what `kelly predict --json` said about one file."""
    return {one["label"]: one["score"] for one in said["predictions"][0]["top"]}


def _machine(folder: Path, asked: Sequence[str], wheels: Sequence[Path]) -> Machine:
    work = folder / "work"
    work.mkdir(parents=True, exist_ok=True)
    with _step(f"pip install {shlex.join(asked)}    # into {folder.name}/"):
        return Machine(make_environment(folder / "env", asked, wheels), work)


@contextmanager
def _step(title: str) -> Iterator[None]:
    """Show what is done, and then how long it took."""
    console.say(f"\n$ {title}")
    sys.stdout.flush()
    started = time.monotonic()
    yield
    console.say(f"  {time.monotonic() - started:.1f} s")


def _expect(holds: bool, otherwise: str) -> None:
    if not holds:
        raise ToolError(otherwise)


if __name__ == "__main__":
    finish(main)
