"""The token grid: lengths, pitches, keys, metres."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kelly_core.errors import UserError
from kelly_core.features.midi.keys import Key, estimate_key, parse_key
from kelly_melody.tokens import (
    DURATIONS,
    LOW,
    REST,
    Metre,
    midi_pitch,
    parse_metre,
    pitch_index,
    split_length,
)

SCALES = {False: (0, 2, 4, 5, 7, 9, 11), True: (0, 2, 3, 5, 7, 8, 10)}


@given(st.integers(0, 5000))
def test_every_length_is_a_sum_of_durations(ticks):
    assert sum(DURATIONS[at] for at in split_length(ticks)) == ticks


@given(st.integers(0, 127), st.integers(-7, 7), st.booleans())
def test_a_pitch_survives_up_to_octaves_and_exactly_in_the_usual_range(pitch, fifths, minor):
    shift = Key(fifths, minor).shift
    index = pitch_index(pitch, shift)
    back = midi_pitch(index, shift)
    assert 0 <= index < REST
    assert (back - pitch) % 12 == 0
    if LOW + 6 <= pitch <= 100:
        assert back == pitch


@given(st.integers(-7, 7), st.booleans())
def test_a_key_reads_back_by_its_name_and_moves_to_c(fifths, minor):
    key = Key(fifths, minor, "asked")
    assert parse_key(key.name) == key
    assert (key.major_tonic + key.shift) % 12 == 0
    assert -6 <= key.shift <= 5


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("C", "C major"),
        ("am", "A minor"),
        ("F#m", "F# minor"),
        ("Bbmaj", "Bb major"),
        ("E♭ minor", "Eb minor"),
        ("G#", "Ab major"),
        ("Cbm", "B minor"),
    ],
)
def test_keys_are_read_as_people_write_them(text, name):
    assert parse_key(text).name == name


@pytest.mark.parametrize("text", ["", "H", "C##", "minor", "C dorian"])
def test_what_is_no_key_is_refused(text):
    with pytest.raises(UserError, match="no key"):
        parse_key(text)


@given(st.integers(0, 11), st.booleans())
def test_a_scale_that_rests_on_its_tonic_has_that_key(tonic, minor):
    pitches = [60 + tonic + step for step in SCALES[minor]]
    lasting = np.bincount([pitch % 12 for pitch in pitches], minlength=12)
    lasting[tonic] += 4
    key = estimate_key(lasting)
    assert (key.major_tonic - 3 * minor) % 12 == tonic
    assert key.minor == minor
    assert key.source == "estimated"


def test_metres():
    assert parse_metre("6/8") == Metre(6, 8)
    assert parse_metre("6/8").ticks == 72
    for text in ("", "4", "4/3", "0/4", "a/4", "4/4/4", "65/4"):
        with pytest.raises(UserError, match="no metre"):
            parse_metre(text)
