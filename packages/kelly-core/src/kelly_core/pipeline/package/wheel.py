"""From a plan to a wheel: a tree laid out like a workspace, built by hatchling, the same bytes every time."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

from kelly_core.cards import write_card
from kelly_core.errors import KellyError, UserError
from kelly_core.pipeline.package.names import require_packing
from kelly_core.pipeline.package.plan import Plan
from kelly_core.pipeline.package.texts import data_statement, readme, summary
from kelly_core.registry import Registry, changed, file_ref
from kelly_core.registry.store import write
from kelly_core.workspace import Workspace

INIT = '"""A trained model of Kelly: files, which Kelly reads where they lie, and nothing to import."""\n'


def write_wheel(plan: Plan, to: Path) -> Path:
    """Write the package; an earlier wheel of the same name and version is replaced in one step.

    Args:
        plan: What goes in.
        to: Folder that gets it; made if missing.

    Returns:
        The wheel.

    Raises:
        MissingExtraError: hatchling isn't installed.
        UserError: The folder can't be written to.
        KellyError: The wheel can't be built.
    """
    require_packing()
    to = to.expanduser().absolute()
    try:
        to.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=to, prefix=".kelly-package-") as folder:
            tree = Path(folder) / "tree"
            _write_tree(plan, tree)
            built = _build(tree, Path(folder) / "dist")
            target = to / built.name
            built.replace(target)
    except OSError as error:
        hint = "choose another folder with --to"
        raise UserError(
            f"can't be written ({error.strerror or error})", where=str(to), hint=hint, code="usage.output"
        ) from error
    return target


def _write_tree(plan: Plan, tree: Path) -> None:
    """A project of one package whose folder is laid out like a workspace."""
    package = tree / "src" / plan.module
    place = Workspace(package)
    place.models.mkdir(parents=True)
    for source in plan.files.values():
        _copy(source, place.models / source.name)
    if plan.checkpoint is not None:
        _copy(plan.checkpoint, place.checkpoints(plan.spec.model_id) / plan.checkpoint.name)
    contract = place.contract(plan.spec.model_id)
    plan.contract.save(contract)
    entry = changed(plan.card.entry, contract=file_ref(place.models, contract))
    write(place.registry, Registry(models=[entry]))
    card = write_card(plan.workspace, plan.card, to=place)
    about = summary(plan)
    texts = {
        "pyproject.toml": _project(plan, about),
        "README.md": readme(plan, about, card.read_text(encoding="utf-8")),
        "DATA.md": data_statement(plan),
        f"src/{plan.module}/__init__.py": INIT,
    }
    for name, text in texts.items():
        (tree / name).write_text(text, encoding="utf-8")


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        shutil.copyfile(source, target)


def _project(plan: Plan, about: str) -> str:
    """pyproject.toml; JSON's strings and lists are TOML's too."""
    quoted = partial(json.dumps, ensure_ascii=False)
    return f"""[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = {quoted(plan.distribution)}
version = {quoted(plan.version)}
description = {quoted(about)}
readme = "README.md"
license-files = ["DATA.md"]
requires-python = ">=3.11"
keywords = ["kelly", "music", "trained model", {quoted(plan.contract.task)}]
dependencies = {quoted(list(plan.requires))}

[project.entry-points."kelly.trained"]
{quoted(plan.spec.model_id)} = {quoted(plan.module)}

[tool.hatch.build]
ignore-vcs = true

[tool.hatch.build.targets.wheel]
packages = [{quoted(f"src/{plan.module}")}]
"""


def _build(tree: Path, to: Path) -> Path:
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(to)]
    done = subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False)
    wheels = list(to.glob("*.whl"))
    if done.returncode or len(wheels) != 1:
        last = ((done.stderr + done.stdout).strip().splitlines() or ["it says nothing"])[-1]
        raise KellyError(
            f"hatchling can't build the package: {last}",
            hint="`pip install -U hatchling` may help",
            code="failure.wheel",
        )
    return wheels[0]
