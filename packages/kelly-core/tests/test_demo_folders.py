from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from kelly_core.data.demo import Demo, checksum, read_table, sides_of, write_table
from kelly_core.errors import ConfigError, DataError


@dataclass(frozen=True)
class Tunes:
    tunes: int = 3
    seed: int = 0


def write(folder, options):
    (folder / "tunes").mkdir()
    for number in range(options.tunes):
        (folder / "tunes" / f"{number}.txt").write_text(f"{number} {options.seed}")
    write_table(folder / "metadata.csv", [{"file": f"tunes/{n}.txt", "key": "é"} for n in range(options.tunes)])


DEMO = Demo("toy-demo", version=2, options=Tunes, write=write)


def test_a_folder_is_named_for_its_version_and_options(tmp_path):
    root = DEMO.open(tmp_path / "new", {"tunes": 2, "batch_size": 4})
    assert root == tmp_path / "new" / "toy-demo-v2-2-seed0"
    assert [row["key"] for row in read_table(root / "metadata.csv")] == ["é", "é"]
    assert DEMO.open(tmp_path / "new", {"seed": 1}).name == "toy-demo-v2-3-seed1"
    assert sorted(path.name for path in (tmp_path / "new").glob("*")) == [
        ".toy-demo.lock", "toy-demo-v2-2-seed0", "toy-demo-v2-3-seed1",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "harm", ["missing", "changed", "extra", "marker gone", "marker broken", "other version"]
)
def test_a_damaged_folder_is_made_again(tmp_path, harm):
    root = DEMO.open(tmp_path)
    good, file, marker = checksum(root), root / "tunes" / "0.txt", root / "complete.json"
    if harm == "missing":
        file.unlink()
    elif harm == "changed":
        file.write_text("other")
    elif harm == "extra":
        file.with_name("more.txt").write_text("more")
    elif harm == "marker gone":
        marker.unlink()
    else:
        marker.write_text("{" if harm == "marker broken" else marker.read_text().replace(": 2", ": 1"))
    assert not DEMO.is_complete(root)
    assert DEMO.open(tmp_path) == root
    assert DEMO.is_complete(root)
    assert checksum(root) == good


def test_the_folder_itself_can_be_opened_as_long_as_it_is_whole(tmp_path):
    root = DEMO.open(tmp_path)
    assert DEMO.recognises(root)
    assert DEMO.open(root) == root
    (root / "tunes" / "0.txt").write_text("mine")
    with pytest.raises(DataError, match="isn't what was made there"):
        DEMO.open(root)
    assert (root / "tunes" / "0.txt").read_text() == "mine"


def test_it_is_written_once_however_many_open_it(tmp_path):
    calls = []
    demo = Demo("toy-demo", 1, Tunes, lambda folder, options: (calls.append(1), write(folder, options)))
    with ThreadPoolExecutor(4) as pool:
        roots = set(pool.map(lambda _: demo.open(tmp_path), range(8)))
    assert len(roots) == len(calls) == 1


def test_a_writer_that_fails_leaves_nothing(tmp_path):
    def broken(folder, _):
        (folder / "half").write_text("half")
        raise DataError("no")

    with pytest.raises(DataError):
        Demo("toy-demo", 1, Tunes, broken).open(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [".toy-demo.lock"]


@pytest.mark.parametrize("bad", [{"tunes": 0}, {"tunes": "3"}, {"tunes": True}, {"seed": -1}, {"tunes": 1001}])
def test_options_out_of_range_are_refused(tmp_path, bad):
    with pytest.raises(ConfigError, match=next(iter(bad))):
        DEMO.open(tmp_path, bad)


def test_sides_hold_out_the_last_groups():
    names = [f"g{n}" for n in range(10)]
    sides = sides_of(names, one_in=5)
    assert list(sides.values()) == ["train"] * 6 + ["validation"] * 2 + ["test"] * 2
    assert sides_of(names[:4], one_in=5) == {}
