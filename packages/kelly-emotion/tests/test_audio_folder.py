"""Dataset `audio-folder`: class folders and metadata files, lazily, with one message per mistake."""

import subprocess
import sys

import pytest

from kelly_core.errors import DataError
from kelly_emotion.data.audio_folder import open_folder, recognises


def touch(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_class_folders_give_labels_and_each_file_is_its_own_group(tmp_path):
    touch(
        tmp_path,
        "Joy/b.wav",
        "Joy/deep/a.FLAC",
        "Trauer/c.ogg",
        "Trauer/d.mp3",
        "Joy/notes.txt",
        ".cache/x.wav",
    )
    dataset = open_folder(tmp_path, {})
    assert [(item.path, item.label, item.group) for item in dataset.items] == [
        (str(tmp_path / "Joy/b.wav"), "happy", "Joy/b"),
        (str(tmp_path / "Joy/deep/a.FLAC"), "happy", "Joy/deep/a"),
        (str(tmp_path / "Trauer/c.ogg"), "sad", "Trauer/c"),
        (str(tmp_path / "Trauer/d.mp3"), "sad", "Trauer/d"),
    ]
    assert (dataset.name, dataset.group_kind) == ("audio-folder", "file")


def test_one_recording_in_two_formats_is_one_group(tmp_path):
    touch(tmp_path, "happy/a.wav", "happy/a.flac")
    assert {item.group for item in open_folder(tmp_path, {}).items} == {"happy/a"}


def test_formats_that_need_import_are_problems(tmp_path):
    touch(tmp_path, "happy/a.wav", "happy/b.m4a")
    (problem,) = open_folder(tmp_path, {}).problems
    assert "kelly data import" in problem.reason


def test_a_folder_that_is_no_class_is_listed_and_can_be_mapped(tmp_path):
    touch(tmp_path, "happy/a.wav", "bored/b.wav", "bored/c.wav", "empty/readme.txt")
    with pytest.raises(DataError, match=r"'bored' \(2\)"):
        open_folder(tmp_path, {})
    assert open_folder(tmp_path, {"synonyms": {"bored": "neutral"}}).counts() == {"happy": 1, "neutral": 2}


def test_metadata_gives_speakers_folds_splits_and_extras(tmp_path):
    (tmp_path / "metadata.csv").write_text(
        "file,label,speaker,fold,split,key\nx/a.wav,joy,anna,0,train,C\nx/b.wav,calm,ben,1,test,D\n"
    )
    dataset = open_folder(tmp_path, {})
    (item,) = dataset.items
    assert (item.label, item.group, item.fold, item.split, item.extra) == (
        "happy",
        "anna",
        "0",
        "train",
        {"key": "C"},
    )
    assert dataset.group_kind == "speaker"
    assert dataset.notes == ["1 clips labelled calm left out"]
    assert open_folder(tmp_path, {"calm": "neutral"}).counts() == {"happy": 1, "neutral": 1}


def test_json_works_alone_and_is_passed_over_beside_a_csv(tmp_path):
    (tmp_path / "metadata.json").write_text('{"samples": [{"file": "a.wav", "label": "sad"}]}')
    assert open_folder(tmp_path, {}).counts() == {"sad": 1}
    (tmp_path / "metadata.csv").write_text("file,label\nb.wav,happy\n")
    dataset = open_folder(tmp_path, {})
    assert dataset.counts() == {"happy": 1}
    assert dataset.notes == ["metadata.json is passed over, metadata.csv counts"]


def test_an_empty_folder_says_how_to_arrange_files(tmp_path):
    with pytest.raises(DataError, match="no sub-folders with sound") as caught:
        open_folder(tmp_path, {})
    assert "metadata.csv" in caught.value.hint


def test_a_layout_is_recognised_by_class_names_or_metadata(tmp_path):
    assert not recognises(tmp_path / "missing")
    assert not recognises(tmp_path)
    (tmp_path / "Actor_01").mkdir()
    assert not recognises(tmp_path)
    (tmp_path / "Joy").mkdir()
    assert recognises(tmp_path)
    other = tmp_path / "other"
    touch(other, "metadata.json")
    assert recognises(other)


LARGE = """
import re, resource, sys
from pathlib import Path
from kelly_emotion.data.audio_folder import open_folder
dataset = open_folder(Path(sys.argv[1]), {})
status = Path("/proc/self/status")  # on Linux, getrusage would count what the parent had used
kilobytes = (
    int(re.search(r"VmHWM:\\s+(\\d+)", status.read_text())[1])
    if status.exists()
    else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
)
print(len(dataset.items), kilobytes // 1024)
"""


def test_a_hundred_thousand_rows_open_without_touching_a_file_in_little_memory(tmp_path):
    rows = (f"clips/{i:06d}.wav,happy,{i % 90 / 10},spk{i % 500},pop\n" for i in range(100_000))
    (tmp_path / "metadata.csv").write_text("file,label,duration,speaker,genre\n" + "".join(rows))
    command = [sys.executable, "-c", LARGE, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    items, megabytes = map(int, done.stdout.split())
    assert items == 100_000
    assert megabytes < 300
