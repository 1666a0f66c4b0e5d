"""Chord labels, symbols and classes; keys and their estimation; against mir_eval where it has a say."""

import mir_eval
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kelly_core.errors import UserError
from kelly_core.features.midi.keys import Key, estimate_key, parse_key
from kelly_harmony.chords import (
    N_CHORDS,
    N_QUALITIES,
    NAMES,
    NONE,
    QUALITIES,
    UNKNOWN,
    chord_of,
    label_of,
    parse_label,
    reduced,
    symbol_of,
    transposed,
)
from kelly_harmony.keys import key_name, key_number

chords = st.integers(0, N_CHORDS - 1)


@given(chords)
def test_labels_are_read_back(chord):
    assert parse_label(label_of(chord)) == chord


@pytest.mark.parametrize("chord", range(N_CHORDS))
def test_mir_eval_hears_the_same_notes(chord):
    root, bitmap, _ = mir_eval.chord.encode(label_of(chord))
    if chord == NONE:
        assert root == -1
    else:
        assert root == chord // N_QUALITIES
        assert np.flatnonzero(bitmap).tolist() == sorted(QUALITIES[NAMES[chord % N_QUALITIES]])


@pytest.mark.parametrize("chord", range(N_CHORDS))
def test_classes_leave_out_what_majmin_leaves_out(chord):
    compared = mir_eval.chord.majmin([label_of(chord)], ["C:maj"])[0]
    assert (reduced(np.array([chord]))[0] < 0) == (compared < 0)


@pytest.mark.parametrize(
    ("label", "same"),
    [
        ("C", "C:maj"),
        ("A:min7/b3", "A:min7"),
        ("Eb:sus4(b7)", "Eb:sus4"),
        ("F#:maj9", "Gb:maj7"),
        ("Cb:maj(9)", "B:maj"),
        ("D:min(11)/5", "D:min"),
        ("B#:minmaj7", "C:min"),
        ("G:dim7", "G:dim"),
        ("N", "N"),
    ],
)
def test_labels_reduce_to_the_vocabulary(label, same):
    assert label_of(parse_label(label)) == label_of(parse_label(same))


def test_unknown_is_neither_a_chord_nor_none():
    assert parse_label("X") == UNKNOWN
    assert reduced(np.array([UNKNOWN, NONE])).tolist() == [-1, 24]


@pytest.mark.parametrize("label", ["H:maj", "C:nice", "", "maj", "C:maj;", "1:maj"])
def test_what_is_no_label_is_refused(label):
    with pytest.raises(ValueError, match=r"label|quality"):
        parse_label(label)


@given(chords.filter(lambda chord: chord != NONE))
def test_spelled_chords_are_recognised(chord):
    root, tones = chord // N_QUALITIES, QUALITIES[NAMES[chord % N_QUALITIES]]
    assert chord_of([(root + tone) % 12 for tone in tones], root) == chord


def test_incomplete_and_crowded_chords_are_the_nearest_ones():
    assert symbol_of(chord_of([0, 4], 0)) == "C"
    assert symbol_of(chord_of([7, 11, 2, 5, 9], 7)) == "G7"
    assert chord_of([], 0) == NONE
    assert chord_of([0, 1, 2], 0) == UNKNOWN


@given(chords, st.integers(0, 23))
def test_transposing_there_and_back(chord, semitones):
    there = transposed(np.array([chord, UNKNOWN]), semitones)
    assert transposed(there, -semitones).tolist() == [chord, UNKNOWN]


def test_symbols_are_spelled_as_the_key_is():
    chord = parse_label("F#:min7")
    assert symbol_of(chord, key_number(parse_key("D major"))) == "F#m7"
    assert symbol_of(chord, key_number(parse_key("Db major"))) == "Gbm7"
    assert symbol_of(NONE) == "N.C."


@pytest.mark.parametrize(
    ("text", "name"),
    [("G", "G major"), ("am", "A minor"), ("F# minor", "Gb minor"), ("Bb:maj", "Bb major"), ("Cb", "B major")],
)
def test_keys_as_people_write_them(text, name):
    assert key_name(key_number(parse_key(text))) == name


@pytest.mark.parametrize("text", ["", "H", "G dorian", "C## major", "7"])
def test_what_is_no_key_is_refused(text):
    with pytest.raises(UserError, match="no key"):
        parse_key(text)


def test_signatures():
    assert key_name(key_number(Key(2))) == "D major"
    assert key_name(key_number(Key(-3, minor=True))) == "C minor"


@given(st.integers(0, 11))
def test_a_scale_tells_its_key(tonic):
    durations = np.zeros(12)
    durations[[(tonic + step) % 12 for step in (0, 2, 4, 5, 7, 9, 11)]] = [4, 1, 2, 1, 3, 1, 1]
    assert key_number(estimate_key(durations)) == 2 * tonic


def test_silence_is_in_c():
    assert key_number(estimate_key(np.zeros(12))) == 0
