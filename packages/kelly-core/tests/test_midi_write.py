"""Writing MIDI files: new ones, and read ones with changed notes."""

import io

import mido
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kelly_core.errors import UserError
from kelly_core.features.midi import make_notes, read_bytes, read_midi, rewritten, write_back, write_notes
from kelly_core.features.midi.smf import chunk, header
from kelly_core.features.midi.write import encode

NOTES = st.lists(
    st.tuples(st.integers(0, 3000), st.integers(0, 500), st.integers(60, 64), st.integers(1, 127)),
    min_size=1,
    max_size=20,
)


def odd_file() -> bytes:
    """Programs, controllers, pitch bend, sysex, a marker, text, running status and a foreign chunk."""
    body = bytes([0, 0xC0, 5, 0, 0xB0, 7, 100, 0, 0xF0, 3, 1, 2, 0xF7, 0, 0x90, 60, 100, 10, 62, 90])
    body += bytes(
        [20, 0xE0, 0, 64, 30, 0x80, 60, 0, 0, 62, 9, 5, 0xFF, 6, 2, 65, 66, 5, 0x90, 60, 80, 0, 60, 0]
    )
    body += bytes([9, 0x90, 61, 70, 40, 0xFF, 0x2F, 0])
    return header(1, 1, 96) + chunk(b"MTrk", body) + chunk(b"XFIH", b"karaoke")


def others(data: bytes) -> list:
    """Everything but notes, with its ticks."""
    out = []
    for number, track in enumerate(mido.MidiFile(file=io.BytesIO(data)).tracks):
        tick = 0
        for message in track:
            tick += message.time
            if message.type not in {"note_on", "note_off", "end_of_track"}:
                out.append((number, tick, bytes(message.bytes())))
    return out


def test_unchanged_notes_give_the_same_events():
    data = odd_file()
    again = rewritten(read_bytes(data))
    assert _all_events(again) == _all_events(data)
    assert again.endswith(chunk(b"XFIH", b"karaoke"))


def test_velocity_changes_nothing_else(tmp_path):
    midi = read_bytes(odd_file())
    write_back(midi, tmp_path / "out.mid", velocity=[1, 2, 3, 127])
    again = read_midi(tmp_path / "out.mid")
    assert again.notes["velocity"].tolist() == [1, 2, 3, 127]
    for name in ("onset_tick", "duration_tick", "pitch", "event", "off_event"):
        assert np.array_equal(again.notes[name], midi.notes[name])
    assert others((tmp_path / "out.mid").read_bytes()) == others(odd_file())


@given(NOTES, st.data())
def test_moved_notes_keep_number_and_order_and_never_overlap_anew(rows, data):
    onset, duration, pitch, velocity = np.array(rows).T
    midi = read_bytes(encode(make_notes(pitch, onset, duration, velocity), names=["piano"], programs={0: 3}))
    count = len(midi.notes)
    shift = np.array(data.draw(st.lists(st.integers(-200, 200), min_size=count, max_size=count)))
    longer = np.array(data.draw(st.lists(st.integers(-50, 300), min_size=count, max_size=count)))
    out = rewritten(
        midi,
        onset_tick=midi.notes["onset_tick"] + shift,
        duration_tick=midi.notes["duration_tick"] + longer,
        velocity=np.full(count, 64),
    )
    again = read_bytes(out)
    assert again.problems == ()  # nothing overlaps, hangs or is empty
    assert len(again.notes) == count
    assert sorted(again.notes["pitch"]) == sorted(midi.notes["pitch"])
    assert others(out) == others(rewritten(midi))


def test_moves_that_need_no_mending_are_exact():
    midi = read_bytes(encode(make_notes([60, 62, 60], [0, 480, 960], 240)))
    out = read_bytes(rewritten(midi, onset_tick=[20, 470, 990], duration_tick=[100, 300, 50]))
    assert out.notes["onset_tick"].tolist() == [20, 470, 990]
    assert out.notes["duration_tick"].tolist() == [100, 300, 50]


def test_odd_notes_survive_being_moved():
    midi = read_bytes(odd_file())  # one without length, one without note-off
    out = rewritten(midi, onset_tick=midi.notes["onset_tick"] + 3)
    again = read_bytes(out)
    assert again.notes["onset_tick"].tolist() == (midi.notes["onset_tick"] + 3).tolist()
    assert np.all(again.notes["off_event"] >= 0)
    assert again.notes["duration_tick"].tolist() == midi.notes["duration_tick"].tolist()
    assert others(out) == others(odd_file())


@pytest.mark.parametrize("velocity", [[0, 1, 1, 1], [1, 1, 1, 128], [1.0, np.nan, 1, 1], [1, 2]])
def test_values_that_no_file_holds_are_refused(velocity):
    with pytest.raises(UserError):
        rewritten(read_bytes(odd_file()), velocity=velocity)


@given(NOTES)
def test_new_files_read_back_without_problems(rows):
    onset, duration, pitch, velocity = np.array(rows).T
    notes = make_notes(pitch, onset, duration, velocity)
    again = read_bytes(encode(notes, [(0, 90.0), (480, 130.5)], [(0, 7, 8)]))
    assert again.problems == ()
    assert set(zip(onset.tolist(), pitch.tolist(), strict=True)) == set(
        zip(again.notes["onset_tick"].tolist(), again.notes["pitch"].tolist(), strict=True)
    )
    assert again.metre[["numerator", "denominator"]][0].tolist() == (7, 8)
    assert again.tempo_at([0, 480]) == pytest.approx([90.0, 130.5], abs=1e-3)


def test_no_notes_make_a_file_too(tmp_path):
    write_notes(tmp_path / "empty.mid", make_notes([], [], []))
    assert len(read_midi(tmp_path / "empty.mid").notes) == 0


@pytest.mark.parametrize(
    "change",
    [{"velocity": 0}, {"velocity": 128}, {"pitch": 128}, {"channel": 16}, {"onset_tick": -1}],
)
def test_notes_out_of_range_are_refused(change):
    columns = {"pitch": 60, "onset_tick": 0, "duration_tick": 5, "velocity": 5, "channel": 0}
    with pytest.raises(UserError):
        make_notes(**columns | change)
    notes = make_notes(**columns)
    for name, value in change.items():
        notes[name] = value
    with pytest.raises(UserError):
        encode(notes)


def test_real_files_are_rewritten_event_by_event(real_midi):
    for data in real_midi:
        midi = read_bytes(data)
        assert _all_events(rewritten(midi)) == _all_events(data)
        out = rewritten(midi, onset_tick=midi.notes["onset_tick"] + 5)
        assert others(out) == others(data)
        assert np.array_equal(read_bytes(out).notes["onset_tick"], midi.notes["onset_tick"] + 5)


def _all_events(data: bytes) -> list:
    tracks = mido.MidiFile(file=io.BytesIO(data)).tracks
    return [[(message.time, bytes(message.bytes())) for message in track] for track in tracks]
