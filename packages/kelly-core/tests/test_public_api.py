"""What plugin authors may import stays what it is; ours, the templates and the example import nothing else.

`python packages/kelly-core/tests/test_public_api.py` writes `public_api.txt` anew. It refuses where something
has gone or changed, unless API_VERSION was raised, or `--compatible` says that old callers still work.
"""

import ast
import importlib
import inspect
import re
import sys
from pathlib import Path

import pytest

from kelly_core import API_VERSION
from kelly_core.api import AREAS, PUBLIC
from kelly_core.api.describe import describe, lines

ROOT = Path(__file__).resolve().parents[3]
KEPT = Path(__file__).with_name("public_api.txt")
TEMPLATES = ROOT / "packages" / "kelly-core" / "src" / "kelly_core" / "authoring" / "templates"
PLACEHOLDER = re.compile(r"@[A-Z_]+@")


def plugin_files():
    """Every source file of a plugin: ours, the example's, and what the templates write."""
    ours = [path for path in (ROOT / "packages").glob("*/src") if path.parent.name != "kelly-core"]
    for folder in [*ours, *(ROOT / "examples").glob("kelly-*/src"), *(ROOT / "examples").glob("kelly-*/tests")]:
        yield from sorted(folder.rglob("*.py"))
    yield from sorted(TEMPLATES.rglob("*.py.tmpl"))


def imported(text):
    """(module, name) of everything that a source imports, or names by LazyRef, from kelly_core."""
    tree = ast.parse(PLACEHOLDER.sub("placeholder", text))
    modules = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "kelly_core":
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                if whole in PUBLIC:
                    modules[alias.asname or alias.name] = whole
                else:
                    yield node.module, alias.name
        elif isinstance(node, ast.Import):
            yield from ((alias.name, "*") for alias in node.names if alias.name.split(".")[0] == "kelly_core")
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found = re.fullmatch(r"(kelly_core[\w.]*):(\w+)", node.value)
            if found:
                yield found[1], found[2]
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in modules:
            yield modules[node.value.id], node.attr


def kept():
    first, *rest = KEPT.read_text(encoding="utf-8").splitlines()
    return int(first.removeprefix("API_VERSION = ")), rest


@pytest.mark.parametrize("file", list(plugin_files()), ids=lambda file: file.relative_to(ROOT).as_posix())
def test_plugins_import_public_names_only(file):
    text = file.read_text(encoding="utf-8")
    foreign = {f"{module}.{name}" for module, name in imported(text) if name not in PUBLIC.get(module, ())}
    assert sorted(foreign) == [], "import public names (docs/reference/api.md), or add these to kelly_core.api"


def test_a_private_import_would_be_found():
    text = (
        "import kelly_core.plugins\nfrom kelly_core import atomic\nfrom kelly_core.task import Task as T, _x\n"
        "ref = LazyRef('kelly_core.pipeline.train:train')\natomic._umask()\natomic.write_text(1, 2)\n"
    )
    foreign = {(module, name) for module, name in imported(text) if name not in PUBLIC.get(module, ())}
    assert foreign == {
        ("kelly_core.plugins", "*"),
        ("kelly_core.task", "_x"),
        ("kelly_core.pipeline.train", "train"),
        ("kelly_core.atomic", "_umask"),
    }


def test_no_public_name_has_gone_or_changed():
    _, before = kept()
    lost = sorted(set(before) - set(lines()))
    assert lost == [], (
        "plugins that use these would break: keep the old way working and deprecate it, or raise API_VERSION "
        "(docs/reference/api.md); then see the head of this file"
    )


def test_every_public_name_is_guarded():
    _, before = kept()
    new = sorted(set(lines()) - set(before))
    assert new == [], f"new: run python {Path(__file__).relative_to(ROOT)}"


def test_a_change_would_be_found():
    assert "kelly_core.atomic.write_text(path: Path, text: str) -> None" in lines()
    assert "kelly_core.config.TrainConfig.epochs: int = 100" in lines()
    assert "kelly_core.task.Task.build(self, train: Source | None) -> nn.Module" in lines()
    assert "kelly_core.inference.InferenceResult.state -> dict[str, NDArray[Any]]" in lines()
    assert not any(" at 0x" in line for line in lines())
    with pytest.raises(AttributeError):
        list(describe("kelly_core.atomic", "gone"))


def test_every_public_name_is_there_once_and_documented():
    assert sum(len(area.modules) for area in AREAS) == len(PUBLIC)
    for module, names in PUBLIC.items():
        assert list(names) == sorted(set(names), key=lambda name: (not name.isupper(), name[0].islower(), name))
        loaded = importlib.import_module(module)
        for name in names:
            found = getattr(loaded, name)
            if inspect.isclass(found) or inspect.isfunction(found):
                assert inspect.getdoc(found), f"{module}.{name}"


def test_the_page_lists_every_public_name_with_a_sentence():
    page = (ROOT / "docs" / "reference" / "api.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| `([\w.]+)` \| (.*) \|$", page, re.MULTILINE)
    assert {(module, name) for name, module, _ in rows} == {
        (module, name) for module, names in PUBLIC.items() for name in names
    }
    assert [row for row in rows if not row[2].strip()] == []


def write(*, compatible):
    version, before = kept() if KEPT.exists() else (0, [])
    lost = sorted(set(before) - set(lines()))
    if lost and not compatible and version == API_VERSION:
        sys.exit("\n".join(["these have gone or changed; raise API_VERSION, or say --compatible:", *lost]))
    KEPT.write_text("\n".join([f"API_VERSION = {API_VERSION}", *lines(), ""]), encoding="utf-8")


if __name__ == "__main__":
    write(compatible="--compatible" in sys.argv)
