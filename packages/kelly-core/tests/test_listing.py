"""Listing files: by suffix, at any depth, never round in circles."""

import os
import sys
from pathlib import Path

import pytest

from kelly_core.data.listing import find_files, sub_folders
from kelly_core.errors import DataError


def touch(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def test_files_are_found_by_suffix_whatever_its_case_and_hidden_ones_are_not(tmp_path):
    touch(tmp_path, "a.wav", "x/b.WAV", "x/y/c.wav", "x/notes.txt", ".hidden.wav", ".cache/d.wav")
    found = set(find_files(tmp_path, {".wav"}))
    assert found == {str(tmp_path / name) for name in ("a.wav", "x/b.WAV", "x/y/c.wav")}
    assert list(find_files(tmp_path, {".wav"}, max_depth=0)) == [str(tmp_path / "a.wav")]
    assert sub_folders(tmp_path) == ["x"]


def test_a_link_to_a_folder_above_is_not_followed_but_one_elsewhere_is(tmp_path):
    touch(tmp_path, "here/a.wav", "there/b.wav")
    (tmp_path / "here" / "loop").symlink_to(tmp_path)
    (tmp_path / "here" / "other").symlink_to(tmp_path / "there")
    names = sorted(Path(path).name for path in find_files(tmp_path / "here", {".wav"}))
    assert names == ["a.wav", "b.wav"]


def test_a_folder_that_cannot_be_listed_is_named(tmp_path):
    with pytest.raises(DataError, match="can't be listed") as caught:
        list(find_files(tmp_path / "nothing", {".wav"}))
    assert caught.value.where == str(tmp_path / "nothing")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux takes any bytes for a name")
def test_a_name_that_is_no_text_is_refused_in_words_that_can_be_printed(tmp_path):
    (tmp_path / os.fsdecode(b"caf\xe9.wav")).touch()
    with pytest.raises(DataError, match="isn't valid UTF-8") as caught:
        list(find_files(tmp_path, {".wav"}))
    str(caught.value).encode()
