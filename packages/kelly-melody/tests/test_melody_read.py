"""From MIDI files to melodies: which part, rests, upbeats, keys; the dataset plugin and its bad input."""

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kelly_core.errors import DataError
from kelly_core.features.midi import encode, make_notes, read_bytes, read_midi
from kelly_melody.data.nottingham import open_nottingham, recognises
from kelly_melody.data.prepare import read_item
from kelly_melody.data.read import to_melody
from kelly_melody.features.position import bars_of
from kelly_melody.tokens import DURATIONS, LOW, REST, Metre


def midi_of(notes, metre=(4, 4), names=()):
    return read_bytes(encode(notes, 100.0, metre, names=names))


def lengths(melody):
    return [DURATIONS[at] for at in melody.duration]


def test_rests_and_an_upbeat():
    notes = make_notes([67, 72, 74, 76], [1440, 1920, 2400, 3360], [480, 480, 480, 480])
    melody = to_melody(midi_of(notes))
    assert melody.start == 72
    assert lengths(melody) == [24, 24, 24, 24, 24]
    assert (melody.pitch == REST).tolist() == [False, False, False, True, False]
    bar, place, _, _ = bars_of(melody.onsets(), melody.start, melody.metres)
    assert bar.tolist() == [-1, 0, 0, 0, 0, 1]
    assert place.tolist() == [72, 0, 24, 48, 72, 0]


def test_chords_give_their_highest_note_and_overlaps_end():
    notes = make_notes([60, 64, 67, 65], [0, 0, 0, 240], [960, 960, 960, 240])
    melody = to_melody(midi_of(notes))
    assert lengths(melody) == [12, 12]
    assert np.diff(melody.pitch).tolist() == [-2]


def test_a_length_without_a_token_is_struck_once():
    notes = make_notes([60, 62], [0, 2000], [2000, 480])
    melody = to_melody(midi_of(notes))
    assert sum(lengths(melody)[:-1]) == 100
    assert (melody.pitch != REST).sum() == 2


@pytest.mark.parametrize(("names", "pitch"), [(("melody", "flute"), 60), (("piano", "flute"), 84)])
def test_the_named_part_counts_else_the_highest_of_the_busy_ones(names, pitch):
    onsets = np.arange(8) * 480
    low, high = make_notes([60] * 8, onsets, 480), make_notes([84] * 8, onsets, 480, track=1)
    bell = make_notes([100], [0], 480, track=2)
    melody = to_melody(midi_of(np.concatenate([low, high, bell]), names=names))
    assert (melody.pitch + LOW - melody.key.shift == pitch).all()


def test_a_change_of_metre_starts_a_new_bar():
    notes = make_notes([60] * 7, np.arange(7) * 480, 480)
    data = encode(notes, 120.0, [(0, 3, 4), (1440, 4, 4)])
    melody = to_melody(read_bytes(data))
    assert melody.metres == ((0, Metre(3, 4)), (72, Metre(4, 4)))
    bar, place, length, _ = bars_of(melody.onsets(), melody.start, melody.metres)
    assert bar.tolist() == [0, 0, 0, 1, 1, 1, 1, 2]
    assert place.tolist() == [0, 24, 48, 0, 24, 48, 72, 0]
    assert length.tolist() == [72] * 3 + [96] * 5


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 127), st.integers(0, 4000), st.integers(0, 4000)), min_size=1, max_size=30
    )
)
def test_any_notes_become_tokens_that_fill_the_time(rows):
    pitch, onset, length = (np.array(column) for column in zip(*rows, strict=True))
    midi = midi_of(make_notes(pitch, onset, length))
    melody = to_melody(midi)
    assert len(melody.pitch) == len(melody.duration) > 0
    assert 0 <= melody.start < 96
    struck = np.unique(np.rint(midi.notes["onset_tick"] / 20).astype(int))
    onsets = melody.onsets()[:-1][melody.pitch != REST]
    assert len(onsets) == len(struck)
    if np.diff(struck).max(initial=0) < 300:
        assert np.diff(onsets).tolist() == np.diff(struck).tolist()


def test_drums_alone_are_no_melody():
    with pytest.raises(DataError, match="no pitched note"):
        to_melody(midi_of(make_notes([36], [0], [100], channel=9)))


@pytest.fixture
def layout(tmp_path):
    """Two tunes in the published layout, one of them twice in different keys."""
    folder = tmp_path / "nottingham-dataset-master"
    (folder / "MIDI" / "melody").mkdir(parents=True)
    (folder / "ABC_cleaned").mkdir()
    rng = np.random.default_rng(0)
    tunes = [69 + rng.integers(-5, 6, 40), 69 + rng.integers(-5, 6, 40)]
    for number, pitches in enumerate([tunes[0], tunes[1], tunes[0] + 3], start=1):
        notes = make_notes(pitches, np.arange(40) * 240, 240)
        (folder / "MIDI" / "melody" / f"jigs{number}.mid").write_bytes(encode(notes, 120.0, (6, 8)))
    text = "X: 1\nT:One\nT:Another name\nM:6/8\nK:Am\nabc|\nK:D\n\nX:2\nT:Two\nK:nonsense\n\nX: x\n"
    (folder / "ABC_cleaned" / "jigs.abc").write_bytes(text.encode() + b"\xff\xfe")
    return folder


def test_the_published_layout_is_listed_with_names_and_keys(layout):
    assert recognises(layout)
    assert recognises(layout.parent)
    dataset = open_nottingham(layout.parent, {})
    assert [item.extra.get("title") for item in dataset.items] == ["One", "Two", None]
    assert [item.extra.get("key") for item in dataset.items] == ["Am", None, None]
    assert dataset.items[0].group == dataset.items[2].group != dataset.items[1].group
    assert read_item(dataset.items[0]).key.name == "A minor"
    assert read_item(dataset.items[1]).key.source == "estimated"


def test_bad_files_are_named_with_a_reason(layout):
    melodies = layout / "MIDI" / "melody"
    (melodies / "broken4.mid").write_bytes(b"no MIDI at all")
    (melodies / "empty5.mid").write_bytes(encode(make_notes([], [], [])))
    (layout / "ABC_cleaned" / "odd.abc").write_bytes(bytes(range(256)) * 10)
    dataset = open_nottingham(layout, {})
    assert len(dataset.items) == 3
    assert {Path(problem.path).name for problem in dataset.problems} == {"broken4.mid", "empty5.mid"}
    assert all(problem.reason for problem in dataset.problems)


def test_folders_without_the_layout_are_refused(tmp_path, layout):
    assert not recognises(tmp_path / "nothing")
    with pytest.raises(DataError, match="MIDI/melody"):
        open_nottingham(layout / "ABC_cleaned", {})
    for file in (layout / "MIDI" / "melody").iterdir():
        file.write_bytes(b"MThd")
    with pytest.raises(DataError, match="no MIDI file that can be used"):
        open_nottingham(layout, {})


def test_a_short_melody_is_left_out(layout):
    file = layout / "MIDI" / "melody" / "jigs1.mid"
    file.write_bytes(encode(make_notes([60, 62], [0, 480], 480)))
    with pytest.raises(DataError, match="2 notes"):
        read_item(open_nottingham(layout, {}).items[0])


@pytest.mark.skipif("KELLY_SHARED" not in os.environ, reason="KELLY_SHARED names no folder with the real tunes")
def test_a_real_tune_keeps_every_note(tmp_path):
    import tarfile

    with tarfile.open(Path(os.environ["KELLY_SHARED"]) / "data" / "nottingham.tar.xz") as archive:
        name = next(member for member in archive if member.name.endswith("MIDI/melody/jigs1.mid"))
        data = archive.extractfile(name).read()
    (tmp_path / "jigs1.mid").write_bytes(data)
    midi = read_midi(tmp_path / "jigs1.mid")
    melody = to_melody(midi)
    assert (melody.key.name, melody.metres[0][1].name, melody.start) == ("A major", "6/8", 60)
    sounding = melody.pitch != REST
    assert (melody.pitch[sounding] + LOW - melody.key.shift).tolist() == midi.notes["pitch"].tolist()
