"""Metadata files: both formats of the guidelines, and each mistake with file and line."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kelly_core.data.metadata import find_metadata, read_metadata
from kelly_core.errors import DataError

CSV = """\
file,label,duration,emotion,genre,tempo,key
happy/audio_001.wav,happy,3.5,happy,pop,120,C
sad/audio_002.wav,sad,4.2,sad,ballad,80,Am
"""
JSON = """\
{
  "samples": [
    {
      "file": "happy/audio_001.wav",
      "label": "happy",
      "duration": 3.5,
      "emotion": "happy",
      "tags": ["upbeat", "major"]
    },
    {
      "file": "sad/audio_002.wav",
      "label": "sad"
    }
  ]
}
"""


def csv_file(folder, text):
    path = folder / "metadata.csv"
    path.write_text(text, encoding="utf-8")
    return path


def json_file(folder, text):
    path = folder / "metadata.json"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_guidelines_csv_is_read_with_every_column(tmp_path):
    found = read_metadata(csv_file(tmp_path, CSV))
    first, second = found.rows
    assert first.path == str(tmp_path / "happy" / "audio_001.wav")
    assert (first.label, first.group, first.fold, first.split) == ("happy", "happy/audio_001", None, None)
    assert first.extra == {"duration": "3.5", "emotion": "happy", "genre": "pop", "tempo": "120", "key": "C"}
    assert second.line == 3
    assert not found.has_speakers


def test_the_guidelines_json_is_read_with_every_column(tmp_path):
    first, second = read_metadata(json_file(tmp_path, JSON)).rows
    assert first.extra == {"duration": "3.5", "emotion": "happy", "tags": "upbeat, major"}
    assert (second.path, second.label, second.extra) == (str(tmp_path / "sad" / "audio_002.wav"), "sad", {})


def test_speaker_fold_and_split_are_understood(tmp_path):
    text = "file;emotion;speaker_id;fold;split\na.wav;happy;anna;2;dev\nb.wav;sad;;;Train\n"
    found = read_metadata(csv_file(tmp_path, text))
    assert found.has_speakers
    assert [(row.group, row.fold, row.split) for row in found.rows] == [
        ("anna", "2", "validation"),
        ("b", None, "train"),
    ]


def test_quotes_blank_lines_a_byte_order_mark_and_umlauts_are_fine(tmp_path):
    path = tmp_path / "metadata.csv"
    path.write_text('file,label\n"a, b.wav",fröhlich\n\nc.wav,Ärger\n', encoding="utf-8-sig")
    rows = read_metadata(path).rows
    assert [(row.path, row.label, row.line) for row in rows] == [
        (str(tmp_path / "a, b.wav"), "fröhlich", 2),
        (str(tmp_path / "c.wav"), "Ärger", 4),
    ]


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("name,label\na.wav,happy\n", 1, "no column 'file'"),
        ("file,mood\na.wav,happy\n", 1, "no column 'label'; its columns are 'file', 'mood'"),
        ("file,label,key,key\na.wav,happy,C,C\n", 1, "column 'key' twice"),
        ("file,label\na.wav,happy\n,sad\n", 3, "has no file"),
        ("file,label\na.wav,\n", 2, "has no label"),
        ("file,label\na.wav\n", 2, "has no label"),
        ("file,label\na.wav,happy,pop\n", 2, "has 3 cells, the header has 2"),
        ("file,label\na.wav,happy\nb.wav,sad\n./a.wav,sad\n", 4, "'./a.wav', which .*metadata.csv:2 names"),
        ("file,label\n../a.wav,happy\n", 2, "outside"),
        ("file,label\n/etc/passwd,happy\n", 2, "outside"),
        ("file,label,split\na.wav,happy,monday\n", 2, "split 'monday'"),
        ('file,label\n"a.wav"b,happy\n', 2, "not proper CSV"),
    ],
)
def test_a_mistake_in_a_csv_is_named_by_its_line(tmp_path, text, line, message):
    path = csv_file(tmp_path, text)
    with pytest.raises(DataError, match=message) as caught:
        read_metadata(path)
    assert caught.value.where == f"{path}:{line}"


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        (JSON.replace('"label": "sad"', '"label": "sad",'), 13, "not proper JSON"),
        ('{"files": []}', 1, "no list named 'samples'"),
        ("[1, 2]", 1, "no list named 'samples'"),
        (JSON.replace('"label": "sad"', '"label": ""'), 10, "has no label"),
        (JSON.replace("sad/audio_002", "happy/audio_001"), 10, r"which .*metadata.json:3 names already"),
        (JSON.replace("sad/audio", "../../audio"), 10, "outside"),
        ('{"samples": [{"file": "a.wav", "label": "sad"},\n 7]}', 2, "sample 2 is no object but 7"),
    ],
)
def test_a_mistake_in_a_json_is_named_by_its_line(tmp_path, text, line, message):
    path = json_file(tmp_path, text)
    with pytest.raises(DataError, match=message) as caught:
        read_metadata(path)
    assert caught.value.where == f"{path}:{line}"


def test_a_file_without_rows_or_in_another_encoding_is_refused(tmp_path):
    with pytest.raises(DataError, match="describes no files"):
        read_metadata(csv_file(tmp_path, "file,label\n"))
    (tmp_path / "metadata.csv").write_bytes("file,label\nä.wav,happy\n".encode("latin-1"))
    with pytest.raises(DataError, match="not UTF-8"):
        read_metadata(tmp_path / "metadata.csv")


def test_the_csv_goes_before_the_json(tmp_path):
    assert find_metadata(tmp_path) is None
    json_file(tmp_path, JSON)
    assert find_metadata(tmp_path).suffix == ".json"
    csv_file(tmp_path, CSV)
    assert find_metadata(tmp_path).suffix == ".csv"


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused_with_a_place(tmp_path_factory, text):
    folder = tmp_path_factory.mktemp("meta")
    for path, content in ((folder / "metadata.csv", f"file,label\n{text}"), (folder / "metadata.json", text)):
        path.write_text(content, encoding="utf-8", errors="replace")
        where = str(path)
        try:
            where = read_metadata(path).rows[0].path
        except DataError as error:
            where = error.where
        assert where.startswith(str(folder))


LABEL = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=9).filter(str.strip)


@given(st.lists(LABEL, min_size=1, max_size=5))
def test_whatever_json_labels_are_they_come_back(tmp_path_factory, labels):
    samples = [{"file": f"{i}.wav", "label": label} for i, label in enumerate(labels)]
    path = tmp_path_factory.mktemp("meta") / "metadata.json"
    path.write_text(json.dumps({"samples": samples}))
    assert [row.label for row in read_metadata(path).rows] == [label.strip() for label in labels]
