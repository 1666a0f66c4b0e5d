"""A track more in a MIDI file: what was there stays as it was, what is new can be read back."""

import mido
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kelly_core.errors import UserError
from kelly_core.features.midi import make_notes, read_bytes, with_track
from kelly_core.features.midi.write import encode

FIELDS = ["onset_tick", "duration_tick", "pitch", "velocity", "channel", "track"]


def song():
    return read_bytes(encode(make_notes([60, 62, 64], [0, 480, 960], 400, 90), 100.0, (3, 4), 480, ("tune",)))


def test_what_was_there_stays_and_the_new_track_is_read_back(tmp_path):
    midi = song()
    new = make_notes([48, 55, 48], [0, 0, 960], [960, 960, 480], 60, channel=1)
    texts = [(0, "lyric", "C"), (960, "marker", "F#m7"), (960, "lyric", "\u266d")]
    data = with_track(midi, new, name="chords", texts=texts, programs={1: 4})
    after = read_bytes(data)
    assert not after.problems
    assert after.names == (*midi.names, "chords")
    old = after.notes[after.notes["track"] < len(midi.names)]
    assert old[FIELDS].tolist() == midi.notes[FIELDS].tolist()
    assert after.tempo.tolist() == midi.tempo.tolist()
    assert len(after.notes) == 6
    (tmp_path / "song.mid").write_bytes(data)
    track = mido.MidiFile(tmp_path / "song.mid").tracks[-1]
    told = [(m.type, m.text) for m in track if m.type in {"lyrics", "marker"}]
    assert told == [("lyrics", "C"), ("marker", "F#m7"), ("lyrics", "?")]


def test_format_0_becomes_format_1():
    raw = bytearray(encode(make_notes([60], [0], 10, 90)))
    one = bytes(raw[:8]) + (0).to_bytes(2) + (1).to_bytes(2) + bytes(raw[12:14])
    at = raw.find(b"MTrk", 30)
    midi = read_bytes(one + bytes(raw[at:]))
    assert midi.raw.format == 0
    assert read_bytes(with_track(midi, make_notes([50], [0], 10))).raw.format == 1


def test_a_tick_below_0_is_refused():
    with pytest.raises(UserError, match="tick"):
        with_track(song(), make_notes([50], [0], 10), texts=[(-1, "lyric", "C")])


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 900), st.integers(30, 40)), max_size=20))
def test_no_note_of_a_pitch_overlaps_another(rows):
    columns = np.array(rows, np.int64).reshape(-1, 3).T
    notes = make_notes(columns[2], columns[0], columns[1])
    after = read_bytes(with_track(song(), notes))
    assert not [problem for problem in after.problems if "still sounds" in problem or "note-off" in problem]
