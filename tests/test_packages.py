"""Each package builds alone, and what would be published is whole; what isn't, is found out."""

import shutil
import zipfile
from pathlib import Path

import pytest

from tools.check_packages import Built, licensed, ranged, whole
from tools.workspace import find_package, read_packages

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.slow
def test_every_package_builds_alone_and_its_files_pass_the_checks(distributions):
    assert distributions.problems == []
    sources = list(distributions.folder.glob("*.tar.gz"))
    assert len(distributions.wheels) == len(sources) == len(read_packages(ROOT))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("package", "file"),
    [
        ("kelly-core", "kelly_core/cards/MODEL_CARD_TEMPLATE.md"),
        ("kelly-core", "kelly_core/authoring/templates/common/pyproject.toml.tmpl"),
        ("kelly-export", "kelly_export/cpp/kernels.hpp"),
        ("kelly-emotion", "kelly_emotion/py.typed"),
    ],
)
def test_a_wheel_without_one_of_its_files_is_refused(distributions, tmp_path, package, file):
    broken = without(distributions, tmp_path, package, file)
    assert file in "\n".join([*whole(broken), *licensed(broken)])


@pytest.mark.slow
def test_a_wheel_without_its_licence_is_refused(distributions, tmp_path):
    broken = without(distributions, tmp_path, "kelly-groove", "kelly_groove-0.1.0.dist-info/licenses/LICENSE")
    assert [problem for problem in licensed(broken) if "no LICENSE" in problem]


@pytest.mark.parametrize(
    ("asked", "problem"),
    [
        ("kelly-core>=0.1,<0.2", None),
        ("kelly-core~=0.1.0", None),
        ("kelly-core[train]>=0.1,<0.2 ; extra == 'train'", None),
        ("numpy", None),
        ("kelly-core @ file:///packages/kelly-core", "no address"),
        ("kelly-core>=0.1", "both ends"),
        ("kelly-core", "both ends"),
        ("kelly-core<0.2", "both ends"),
        ("kelly_core>=0.0.1,<0.1", "leaves out this tree's"),
        ("kelly-core>=7,<8", "leaves out this tree's"),
    ],
)
def test_a_sibling_is_asked_for_by_a_range_that_holds_its_version(tmp_path, asked, problem):
    wheel = tmp_path / "kelly_emotion-0.1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        text = f"Metadata-Version: 2.4\nName: kelly-emotion\nVersion: 0.1.0\nRequires-Dist: {asked}\n"
        archive.writestr("kelly_emotion-0.1.0.dist-info/METADATA", text)
    packages = read_packages(ROOT)
    found = list(ranged(Built(packages["kelly-emotion"], wheel, wheel), packages))
    assert len(found) == (problem is not None)
    assert problem is None or problem in found[0]


def test_the_meta_package_names_every_other_one():
    packages = read_packages(ROOT)
    named = {one.name for one in packages["kelly"].requirements}
    assert named == set(packages)


def without(distributions, tmp_path, package, file):
    """A built package whose wheel lacks a file, in list and record too."""
    (wheel,) = (one for one in distributions.wheels if one.name.startswith(f"{package.replace('-', '_')}-"))
    broken = tmp_path / wheel.name
    with zipfile.ZipFile(wheel) as old, zipfile.ZipFile(broken, "w") as new:
        assert file in old.namelist()
        for name in old.namelist():
            data = old.read(name)
            if name.endswith("/RECORD"):
                lines = data.decode().splitlines(keepends=True)
                data = "".join(line for line in lines if not line.startswith(f"{file},")).encode()
            if name != file:
                new.writestr(name, data)
    (source,) = distributions.folder.glob(f"{package.replace('-', '_')}-*.tar.gz")
    return Built(find_package(ROOT, package), broken, Path(shutil.copy(source, tmp_path)))
