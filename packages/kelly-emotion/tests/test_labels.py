"""Labels: the usual names and languages map onto the seven classes, anything else is listed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kelly_core.errors import DataError
from kelly_emotion.config import EMOTIONS as CONFIGURED
from kelly_emotion.labels import EMOTIONS, SYNONYMS, map_label, map_labels


@pytest.mark.parametrize(
    ("raw", "emotion"),
    [
        ("happy", "happy"),
        ("Joy", "happy"),
        ("HAPPINESS", "happy"),
        ("Fröhlich", "happy"),
        ("alegría", "happy"),
        ("gioia", "happy"),
        ("felicidade", "happy"),
        ("sadness", "sad"),
        ("Traurigkeit", "sad"),
        ("tristesse", "sad"),
        ("ANG", "angry"),
        ("colère", "angry"),
        ("Ärger", "angry"),
        ("rabbia", "angry"),
        ("raiva", "angry"),
        ("fearful", "fear"),
        ("Angst", "fear"),
        ("miedo", "fear"),
        ("paura", "fear"),
        ("surprised", "surprise"),
        ("Überraschung", "surprise"),
        ("pleasant_surprise", "surprise"),
        ("OAF_Pleasant_surprise", "surprise"),
        ("dégoût", "disgust"),
        ("nojo", "disgust"),
        ("Ekel", "disgust"),
        ("03_happy", "happy"),
        ("YAF_neutral", "neutral"),
        ("neutre", "neutral"),
    ],
)
def test_usual_names_are_known(raw, emotion):
    assert map_label(raw) == emotion


@given(
    st.sampled_from(EMOTIONS), st.sampled_from([str.upper, str.title, lambda s: f" {s} ", lambda s: f"{s}_"])
)
def test_writing_does_not_matter(emotion, write):
    assert map_label(write(emotion)) == emotion


def test_no_name_means_two_classes_and_all_classes_have_names():
    names = [name for synonyms in SYNONYMS.values() for name in synonyms]
    assert len(names) == len(set(names))
    assert tuple(SYNONYMS) == EMOTIONS == CONFIGURED


@pytest.mark.parametrize("raw", ["bored", "", "w", "7", "happy sad"])
def test_other_words_are_not_guessed(raw):
    assert map_label(raw) is None


def test_overrides_go_first():
    assert map_label("Joy", {"joy": "surprise"}) == "surprise"
    assert map_label("very bored", {"Very_Bored": "neutral"}) == "neutral"


def test_every_unknown_label_is_listed_with_its_count_and_what_to_do():
    with pytest.raises(DataError) as caught:
        map_labels({"happy": 5, "bored": 3, "excited": 2}, "/data")
    assert "'bored' (3), 'excited' (2)" in caught.value.message
    assert "labels: {synonyms: {bored: neutral}}" in caught.value.hint
    assert map_labels({"bored": 3}, "/data", {"bored": "sad"}) == {"bored": "sad"}


def test_calm_is_dropped_or_neutral_or_what_the_user_says():
    assert map_labels({"calm": 1}, "") == {"calm": None}
    assert map_labels({"02_Calm": 1}, "", calm="neutral") == {"02_Calm": "neutral"}
    assert map_labels({"calm": 1}, "", {"calm": "sad"}) == {"calm": "sad"}
