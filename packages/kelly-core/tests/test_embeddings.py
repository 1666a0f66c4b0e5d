"""Files as vectors, and the tables they are written to."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from kelly_core.data.metadata import read_metadata
from kelly_core.errors import UserError
from kelly_core.infer.embedding import write_table
from kelly_core.inference import FileEmbedding


def embedded(path, *numbers):
    """A file of two windows half a second long, 0.25 s apart."""
    windows = np.array([numbers, numbers], np.float32)
    return FileEmbedding(Path(path), 0.75, np.array(numbers, np.float32), windows, [(0.0, 0.5), (0.25, 0.75)])


@pytest.fixture
def found(tmp_path):
    return [embedded(tmp_path / "a" / "kick, low.wav", 1.0, -0.25), embedded("/elsewhere/b.wav", 0.0, 2.0)]


def rows(path):
    with path.open(newline="", encoding="utf-8") as lines:
        return list(csv.reader(lines))


def test_similarity_is_the_cosine():
    one, same, across = embedded("a", 1.0, 2.0), embedded("b", 2.0, 4.0), embedded("c", -2.0, 1.0)
    assert one.similarity(same) == pytest.approx(1.0)
    assert one.similarity(across) == pytest.approx(0.0)


def test_a_csv_names_files_as_metadata_does_and_can_be_one(tmp_path, found):
    path = tmp_path / "metadata.csv"
    assert write_table(path, [one.path for one in found], found) == 2
    assert rows(path) == [
        ["file", "seconds", "e0", "e1"],
        ["a/kick, low.wav", "0.75", "1.0", "-0.25"],
        ["/elsewhere/b.wav", "0.75", "0.0", "2.0"],
    ]
    write_table(path, [found[0].path], found[:1])
    (row,) = read_metadata(path, needed=("file",)).rows
    assert (row.path, dict(row.extra)) == (
        str(found[0].path),
        {"seconds": "0.75", "e0": "1.0", "e1": "-0.25"},
    )


def test_windows_are_rows_of_their_own(tmp_path, found):
    assert write_table(tmp_path / "w.csv", [], found, windows=True) == 4
    assert rows(tmp_path / "w.csv")[:3] == [
        ["file", "start", "end", "e0", "e1"],
        ["a/kick, low.wav", "0.0", "0.5", "1.0", "-0.25"],
        ["a/kick, low.wav", "0.25", "0.75", "1.0", "-0.25"],
    ]
    write_table(tmp_path / "w.json", [], found, windows=True)
    first = json.loads((tmp_path / "w.json").read_text())["samples"][0]
    assert first["file"] == "a/kick, low.wav"
    assert first["windows"][1] == {"start": 0.25, "end": 0.75, "embedding": [1.0, -0.25]}


@pytest.mark.parametrize("name", ["t.npz", "T.NPZ"])
def test_arrays_keep_which_window_is_whose(tmp_path, found, name):
    write_table(tmp_path / name, [], found)
    with np.load(tmp_path / name) as table:
        assert table["files"].tolist() == ["a/kick, low.wav", "/elsewhere/b.wav"]
        np.testing.assert_array_equal(table["embeddings"], [[1.0, -0.25], [0.0, 2.0]])
        assert table["window_file"].tolist() == [0, 0, 1, 1]
        assert table["window_end"].tolist() == [0.5, 0.75, 0.5, 0.75]
        assert table["windows"].shape == (4, 2)


def test_a_file_that_could_not_be_used_is_a_blank_row_where_rows_have_no_names(tmp_path, found):
    files = [found[0].path, tmp_path / "bad.wav", found[1].path]
    assert write_table(tmp_path / "t.npy", files, found) == 3
    blank = np.isnan(np.load(tmp_path / "t.npy")).all(axis=1)
    assert blank.tolist() == [False, True, False]


def test_what_cannot_be_written_is_one_clear_error(tmp_path, found):
    with pytest.raises(UserError, match=r"embeddings aren't written as \.txt"):
        write_table(tmp_path / "t.txt", [], found)
    (tmp_path / "taken.csv").mkdir()
    with pytest.raises(UserError, match="can't be written"):
        write_table(tmp_path / "taken.csv", [], found)
    assert [path.name for path in tmp_path.iterdir()] == ["taken.csv"]
