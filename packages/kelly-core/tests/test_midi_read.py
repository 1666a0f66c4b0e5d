"""Reading MIDI files: well-formed, odd and damaged."""

import io
import random

import mido
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kelly_core.errors import DataError
from kelly_core.features.midi import make_notes, read_bytes, read_midi
from kelly_core.features.midi.smf import chunk, header
from kelly_core.features.midi.write import encode

END = bytes([0, 0xFF, 0x2F, 0])


def song(body: bytes, *more: bytes, division: int = 480, kind: int = 1) -> bytes:
    tracks = (body, *more)
    return header(kind, len(tracks), division) + b"".join(chunk(b"MTrk", track) for track in tracks)


def test_running_status_and_note_on_without_velocity_as_note_off():
    midi = read_bytes(song(bytes([0, 0x90, 60, 100, 96, 60, 0, 0, 62, 90, 96, 62, 0]) + END))
    assert midi.notes["pitch"].tolist() == [60, 62]
    assert midi.notes["duration_tick"].tolist() == [96, 96]
    assert midi.notes["onset"][1] == pytest.approx(0.1)
    assert midi.problems == ()


def test_tempo_changes_in_another_track_count():
    tempo = bytes([0, 0xFF, 0x51, 3]) + (500_000).to_bytes(3) + bytes([0x83, 0x60, 0xFF, 0x51, 3])
    tempo += (1_000_000).to_bytes(3) + END
    note = bytes([0x87, 0x40, 0x90, 60, 100, 0x83, 0x60, 0x80, 60, 0]) + END
    midi = read_bytes(song(tempo, note))
    assert midi.notes["onset"][0] == pytest.approx(0.5 + 1.0)
    assert midi.tempo_at([0, 480]).tolist() == [120, 60]
    assert midi.tick(midi.seconds([0, 100, 480, 900])).tolist() == [0, 100, 480, 900]


def test_bars_follow_changes_of_metre():
    notes = make_notes(60, np.arange(8) * 480, 10)
    midi = read_bytes(encode(notes, 120.0, [(0, 3, 4), (3 * 480, 2, 4), (7 * 480, 4, 4)]))
    bars = midi.bars(midi.notes["onset_tick"])
    assert bars.bar.tolist() == [0, 0, 0, 1, 1, 2, 2, 3]
    assert bars.position.tolist() == [0, 1, 2, 0, 1, 0, 1, 0]
    assert bars.length.tolist() == [3, 3, 3, 2, 2, 2, 2, 4]


def test_overlapping_notes_of_a_pitch_end_in_the_order_they_began():
    body = bytes([0, 0x90, 60, 100, 10, 60, 90, 10, 0x80, 60, 0, 10, 60, 0]) + END
    midi = read_bytes(song(body))
    assert midi.notes["duration_tick"].tolist() == [20, 20]
    assert "still sounds" in midi.problems[0]


def test_a_note_without_note_off_ends_with_its_track():
    midi = read_bytes(song(bytes([0, 0x90, 60, 100, 96, 0xFF, 0x2F, 0])))
    assert midi.notes["duration_tick"].tolist() == [96]
    assert "no note-off" in midi.problems[0]


def test_notes_of_no_length_are_kept_and_reported():
    midi = read_bytes(song(bytes([0, 0x99, 36, 100, 0, 0x89, 36, 0]) + END))
    assert midi.notes["duration_tick"].tolist() == [0]
    assert midi.notes["channel"].tolist() == [9]
    assert "no length" in midi.problems[0]


def test_time_code_gives_seconds():
    body = bytes([0, 0x90, 60, 100, 0x87, 0x68, 0x80, 60, 0]) + END  # 1000 ticks
    midi = read_bytes(song(body, division=((256 - 25) << 8) + 40))
    assert midi.notes["duration"][0] == pytest.approx(1.0)
    assert midi.ticks_per_beat == 500
    assert "SMPTE" in midi.problems[0]


def test_a_damaged_track_keeps_what_came_before_and_the_other_tracks():
    bad = bytes([0, 0x90, 60, 100, 96, 0x80, 60, 0, 0, 0x90, 200, 1]) + END
    good = bytes([0, 0x91, 64, 100, 96, 0x81, 64, 0]) + END
    midi = read_bytes(song(bad, good))
    assert midi.notes["pitch"].tolist() == [60, 64]
    assert "track 1 is damaged" in midi.problems[0]


def test_a_file_cut_off_keeps_what_there_is():
    whole = encode(make_notes(range(40, 60), np.arange(20) * 100, 50))
    midi = read_bytes(whole[:-60])
    assert 5 < len(midi.notes) < 20
    assert any("cut off" in problem for problem in midi.problems)


def test_empty_tracks_and_foreign_chunks_are_no_trouble():
    data = song(END, b"", bytes([0, 0x90, 60, 9, 5, 0x80, 60, 0]) + END) + chunk(b"XFIH", b"karaoke")
    midi = read_bytes(data)
    assert len(midi.notes) == 1
    assert midi.raw.foreign == (chunk(b"XFIH", b"karaoke"),)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"RIFF....WAVE" * 20, "header"),
        (header(1, 0, 480), "no tracks"),
        (header(2, 1, 480) + chunk(b"MTrk", END), "independent"),
        (header(1, 1, 0) + chunk(b"MTrk", END), "0 ticks"),
        (header(1, 1, 0x8000 | 77) + chunk(b"MTrk", END), "time code"),
    ],
)
def test_what_is_no_music_is_refused_with_the_reason(data, reason):
    with pytest.raises(DataError, match=reason):
        read_bytes(data)


def test_a_missing_file_is_a_data_error_with_its_path(tmp_path):
    with pytest.raises(DataError, match=r"can't be read") as caught:
        read_midi(tmp_path / "none.mid")
    assert str(tmp_path) in str(caught.value)


@pytest.mark.slow
def test_ten_megabytes_are_read_and_so_are_damaged_ones(tmp_path):
    body = b"".join(bytes([1, 0x90, 40 + i % 40, 99, 1, 0x80, 40 + i % 40, 0]) for i in range(40)) * 8_000
    big = song(body + END, *[body + END] * 3)
    assert len(big) > 10_000_000
    (tmp_path / "big.mid").write_bytes(big)
    assert len(read_midi(tmp_path / "big.mid").notes) == 4 * 320_000
    rng, damaged = random.Random(0), bytearray(big)
    for _ in range(200):
        damaged[rng.randrange(len(damaged))] = rng.randrange(256)
    _reads_or_refuses(bytes(damaged))
    _reads_or_refuses(big[:100] + rng.randbytes(len(big)))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_garbage_after_a_header_never_crashes(body):
    for data in (body, header(1, 1, 96) + body, song(body)):
        _reads_or_refuses(data)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), min_size=1, max_size=8))
def test_flipped_bytes_never_crash(changes):
    data = bytearray(encode(make_notes(range(50, 80), np.arange(30) * 60, 70), 90.0, (6, 8)))
    for at, value in changes:
        data[at % len(data)] = value
    _reads_or_refuses(bytes(data))


def test_mutated_real_files_never_crash(real_midi):
    rng = random.Random(0)
    for whole in real_midi:
        for _ in range(5):
            data = bytearray(whole)
            for _ in range(rng.randint(1, 20)):
                at = rng.randrange(len(data))
                data[at : at + rng.randint(0, 3)] = rng.randbytes(rng.randint(0, 3))
            _reads_or_refuses(bytes(data))


def test_notes_of_real_files_are_those_that_mido_reads(real_midi):
    for data in real_midi:
        _same_as_mido(data)


@given(
    st.lists(
        st.tuples(st.integers(0, 5000), st.integers(0, 500), st.integers(0, 127), st.integers(1, 127)),
        min_size=1,
        max_size=20,
    )
)
def test_notes_are_those_that_mido_reads(rows):
    onset, duration, pitch, velocity = np.array(rows).T
    _same_as_mido(encode(make_notes(pitch, onset, duration, velocity, track=pitch % 3)))


def _reads_or_refuses(data: bytes) -> None:
    try:
        midi = read_bytes(data)
    except DataError:
        return
    notes = midi.notes
    assert np.all(notes["duration_tick"] >= 0)
    assert np.all(np.isfinite(notes["onset"]))
    assert np.all(notes["duration"] >= 0)
    assert np.all(notes["velocity"] > 0)
    assert np.all(np.diff(notes["onset_tick"]) >= 0)
    midi.bars(notes["onset_tick"])


def _same_as_mido(data: bytes) -> None:
    theirs = []
    for track in mido.MidiFile(file=io.BytesIO(data)).tracks:
        tick = 0
        for message in track:
            tick += message.time
            if message.type == "note_on" and message.velocity:
                theirs.append((tick, message.note, message.velocity, message.channel))
    notes = read_bytes(data).notes
    names = ("onset_tick", "pitch", "velocity", "channel")
    ours = list(zip(*(notes[name].tolist() for name in names), strict=True))
    assert sorted(ours) == sorted(theirs)
