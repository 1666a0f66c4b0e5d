"""The dataset of any sound files: what is listed, what belongs together, what is wrong."""

import pytest

from kelly_core.data.sound_folder import open_sound_folder, recognises
from kelly_core.errors import DataError


def tree(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return open_sound_folder(root, {})


def test_files_of_a_folder_belong_together_where_there_are_enough_folders(tmp_path):
    few = tree(tmp_path / "few", "a/1.wav", "a/2.flac", "b/1.wav", "top.ogg")
    assert [item.group for item in few.items] == ["a/1", "a/2", "b/1", "top"]
    assert few.group_kind == "file"
    many = tree(tmp_path / "many", *(f"{name}/{at}.wav" for name in "abcde" for at in range(2)), "top.wav")
    assert [item.group for item in many.items] == [*"aabbccdde", "e", "top"]
    assert many.group_kind == "folder"


def test_metadata_says_who_is_heard(tmp_path):
    tree(tmp_path, "1.wav", "2.wav")
    table = tmp_path / "metadata.csv"
    table.write_text("file,speaker,mood\n1.wav,anna,calm\n2.wav,ben,\n")
    opened = open_sound_folder(tmp_path, {})
    assert [(item.group, dict(item.extra)) for item in opened.items] == [
        ("anna", {"mood": "calm"}),
        ("ben", {}),
    ]
    assert opened.group_kind == "speaker"
    table.write_text("file,speaker,session\n1.wav,anna,one\n2.wav,ben,one\n")
    opened = open_sound_folder(tmp_path, {})
    assert ([item.group for item in opened.items], opened.group_kind) == (["one", "one"], "session")


def test_what_cannot_be_read_is_told(tmp_path):
    opened = tree(tmp_path, "a.wav", "b.m4a", "notes.txt")
    assert [item.path for item in opened.items] == [str(tmp_path / "a.wav")]
    assert [str(problem) for problem in opened.problems] == [
        f"{tmp_path / 'b.m4a'}: .m4a isn't read directly; convert with `kelly data import`"
    ]
    assert recognises(tmp_path)
    (tmp_path / "a.wav").unlink()
    assert not recognises(tmp_path)
    with pytest.raises(DataError, match="no sound file"):
        open_sound_folder(tmp_path, {})
