"""Dataset `ravdess`: file names tell everything; songs, copies and strange names are left out and said."""

import pytest

from kelly_core.config import SplitConfig
from kelly_core.data.splits import split_items
from kelly_core.errors import DataError
from kelly_emotion.data.ravdess import FOLDS, open_ravdess, recognises


def speech_names(actor):
    for emotion in range(1, 9):
        for intensity in (1,) if emotion == 1 else (1, 2):
            for statement in (1, 2):
                for repetition in (1, 2):
                    fields = (3, 1, emotion, intensity, statement, repetition, actor)
                    yield "-".join(f"{field:02d}" for field in fields) + ".wav"


def fill(root, actors=range(1, 25)):
    for actor in actors:
        folder = root / f"Actor_{actor:02d}"
        folder.mkdir(parents=True)
        for name in speech_names(actor):
            (folder / name).touch()
    return root


@pytest.fixture(scope="module")
def official(tmp_path_factory):
    return fill(tmp_path_factory.mktemp("ravdess"))


def test_the_published_set_has_its_published_counts(official):
    dataset = open_ravdess(official, {})
    assert len(dataset.items) == 1248
    assert dataset.counts() == {
        **dict.fromkeys(("angry", "disgust", "fear", "happy", "sad", "surprise"), 192),
        "neutral": 96,
    }
    assert dataset.notes == ["192 calm clips left out"]
    assert dataset.problems == []
    assert dataset.licence == "CC BY-NC-SA 4.0"
    assert "Livingstone" in dataset.citation


def test_calm_can_be_neutral(official):
    dataset = open_ravdess(official, {"calm": "neutral"})
    assert dataset.counts()["neutral"] == 288
    assert dataset.notes == ["192 calm clips counted as neutral"]


def test_a_name_is_read_as_published(official):
    items = {item.path.rsplit("/", 1)[1]: item for item in open_ravdess(official, {}).items}
    item = items["03-01-06-02-01-02-12.wav"]
    assert (item.label, item.group, item.fold) == ("fear", "Actor_12", "2")
    assert item.extra == {
        "sex": "female",
        "emotion": "fearful",
        "intensity": "strong",
        "statement": "01",
        "repetition": "02",
    }
    assert items["03-01-01-01-01-01-01.wav"].extra["sex"] == "male"


def test_the_folds_hold_every_actor_once_and_split_without_a_leak(official):
    assert sorted(actor for fold in FOLDS for actor in fold) == list(range(1, 25))
    items = open_ravdess(official, {}).items
    for fold, actors in enumerate(FOLDS):
        split = split_items(items, SplitConfig(test_fold=str(fold)))
        groups = {side: {items[i].group for i in indices} for side, indices in split.items()}
        assert groups["test"] == {f"Actor_{actor:02d}" for actor in actors}
        assert not groups["train"] & (groups["validation"] | groups["test"])
        assert {items[i].extra["sex"] for i in split["validation"]} == {"male", "female"}


def test_a_nested_folder_of_flac_works_too(tmp_path):
    folder = tmp_path / "flac16k" / "Actor_03"
    folder.mkdir(parents=True)
    (folder / "03-01-05-01-01-01-03.flac").touch()
    assert recognises(tmp_path)
    assert recognises(tmp_path / "flac16k")
    assert [item.label for item in open_ravdess(tmp_path, {}).items] == ["angry"]


def test_songs_video_copies_and_strange_names_are_left_out_and_said(tmp_path):
    fill(tmp_path, [1])
    fill(tmp_path / "audio_speech_actors_01-24", [1])  # the widespread download holds everything twice
    actor = tmp_path / "Actor_01"
    for codes in ("03-02-03", "02-01-03", "03-01-09"):
        (actor / f"{codes}-01-01-01-01.wav").touch()
    (actor / "hello.wav").touch()
    (actor / "03-01-03-01-01-01-77.wav").touch()
    dataset = open_ravdess(tmp_path, {})
    assert len(dataset.items) == 52
    assert set(dataset.notes) == {
        "1 song clips left out",
        "1 video-only clips left out",
        "60 further copies of the same clips left out",
        "8 calm clips left out",
    }
    first, second, third = sorted(problem.reason for problem in dataset.problems)
    assert "no actor 77" in first
    assert "is not named as RAVDESS" in second
    assert "a code that RAVDESS doesn't define" in third


def test_other_folders_are_not_recognised_and_opening_them_says_why(tmp_path):
    (tmp_path / "Actor_01").mkdir()
    (tmp_path / "Actor_01" / "take1.wav").touch()
    assert not recognises(tmp_path)
    assert not recognises(tmp_path / "missing")
    with pytest.raises(DataError, match="holds no RAVDESS speech"):
        open_ravdess(tmp_path, {})
