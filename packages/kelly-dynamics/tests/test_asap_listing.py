"""The asap dataset lists what can be used and names what can't."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from kelly_core.cli import run
from kelly_core.errors import DataError
from kelly_core.task import Context
from kelly_dynamics.config import DynamicsConfig
from kelly_dynamics.data.asap import open_asap, recognises
from kelly_dynamics.data.prepare import prepare
from kelly_dynamics.demo import open_demo
from kelly_dynamics.protocols import one_split, piece_folds

HEAD = "composer,title,xml_score,robust_note_alignment,match_file\n"


def _table(folder: Path, *rows: str) -> Path:
    (folder / "metadata.csv").write_text(HEAD + "".join(f"{row}\n" for row in rows))
    for name in ("a.match", "b.match", "c.match"):
        (folder / name).write_text("")
    return folder


def test_rows_become_items_grouped_by_piece(tmp_path: Path) -> None:
    found = open_asap(_table(tmp_path, "Bach,Fugue,s.xml,1.0,a.match", "Bach,Fugue,t.xml,1.0,b.match"), {})
    assert [Path(item.path).name for item in found.items] == ["a.match", "b.match"]
    assert {item.group for item in found.items} == {"Bach: Fugue"}
    assert recognises(tmp_path)


def test_weak_alignments_and_shared_pieces_are_left_out(tmp_path: Path) -> None:
    rows = ("Bach,Fugue,,1.0,a.match", "Chopin,Ballades_2,,1.0,b.match", "Chopin,Ballades_1,,0.0,c.match")
    found = open_asap(_table(tmp_path, *rows), {})
    assert [item.group for item in found.items] == ["Bach: Fugue"]
    assert len(found.notes) == 2


def test_missing_and_foreign_files_are_problems(tmp_path: Path) -> None:
    found = open_asap(_table(tmp_path, "B,F,,1.0,a.match", "B,G,,1.0,gone.match", "B,H,,1.0,../x.match"), {})
    assert len(found.items) == 1
    assert sorted(problem.reason for problem in found.problems) == [
        "the table names a file outside the data's folder",
        "the table names it, but it isn't there",
    ]


@pytest.mark.parametrize("text", ["", "composer,title\nBach,Fugue\n", HEAD])
def test_a_table_without_performances_is_an_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "metadata.csv").write_text(text)
    with pytest.raises(DataError):
        open_asap(tmp_path, {})


def test_no_table_is_an_error_and_not_recognised(tmp_path: Path) -> None:
    assert not recognises(tmp_path)
    with pytest.raises(DataError, match="no table"):
        open_asap(tmp_path, {})


def test_made_data_is_not_taken_for_the_real_set(tmp_path: Path) -> None:
    demo = open_demo(tmp_path, {"pieces": 5, "players": 1})
    assert not recognises(demo.root)
    assert not recognises(tmp_path)


def test_an_archive_of_the_repository_is_unpacked_where_training_looks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root = open_demo(tmp_path, {"pieces": 5, "players": 1}).root
    top = tmp_path / "asap-dataset-0123456789abcdef"
    shutil.copytree(root, top, ignore=shutil.ignore_patterns("complete.json"))
    archive = shutil.make_archive(str(tmp_path / "mine"), "zip", tmp_path, top.name)
    monkeypatch.setenv("KELLY_DATA_ROOT", str(tmp_path / "data"))
    words = ["--workspace", str(tmp_path / "work")]
    assert run([*words, "data", "get", "asap", "--from", archive]) == 0
    told = capsys.readouterr()
    assert "CC BY-NC-SA 4.0" in told.out
    assert "no checksum is known" in told.out + told.err
    assert run([*words, "data", "validate", "--model", "dynamics", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["dataset"] == "asap"
    assert (tmp_path / "data/raw/expression" / top.name / "metadata.csv").is_file()


def test_unusable_performances_are_left_out_with_a_reason(tmp_path: Path) -> None:
    demo = open_demo(tmp_path / "demo")
    Path(demo.items[0].path).write_text("nothing")
    split = {"train": np.array([0, 2]), "validation": np.array([4]), "test": np.array([6])}
    prepared = prepare(DynamicsConfig(), demo, split, Context(tmp_path / "cache"))
    assert [problem.path for problem in prepared.problems] == [demo.items[0].path]
    with pytest.raises(DataError):
        prepare(DynamicsConfig(strict_data=True), demo, split, Context(tmp_path / "cache"))


def test_pieces_never_stand_on_two_sides(tmp_path: Path) -> None:
    demo = open_demo(tmp_path)
    tested: list[int] = []
    for _, split in [*one_split(demo, 0), *piece_folds(demo, 3)]:
        sides = [{demo.items[int(i)].group for i in part} for part in split.values()]
        assert all(sides)
        assert len(set.union(*sides)) == sum(map(len, sides))
    for _, split in piece_folds(demo, 3):
        tested += split["test"].tolist()
    assert sorted(tested) == list(range(len(demo.items)))
