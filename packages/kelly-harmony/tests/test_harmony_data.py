"""POP909, Nottingham, MIDI folders and the demo set: layouts, beats, keys, chords; bad input is named."""

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kelly_core.data import Item
from kelly_core.errors import ConfigError, DataError, KellyError, UserError
from kelly_core.features.midi import make_notes, read_bytes, read_midi, write_notes
from kelly_core.features.midi.write import encode
from kelly_harmony.chords import N_CHORDS, NONE, symbol_of
from kelly_harmony.data.cached import pack, read_item, read_items, unpack
from kelly_harmony.data.midi import beat_quarters, beats_of, lead_of, read_lead
from kelly_harmony.data.nottingham import open_nottingham
from kelly_harmony.data.nottingham import recognises as is_nottingham
from kelly_harmony.data.pop909 import open_pop909, read_song, recognises
from kelly_harmony.data.source import HarmonySource
from kelly_harmony.data.tracks import melody_track
from kelly_harmony.demo import open_demo
from kelly_harmony.lead import (
    MELODY,
    METRE,
    SOUNDING,
    bars_of_downbeats,
    chord_per_beat,
    melody_features,
    metre_features,
)
from kelly_harmony.metrics import METRICS, as_ratios, chord_sums
from kelly_harmony.prior import count_prior, no_prior

FOUND = "packs" if "KELLY_SHARED" in os.environ else ""


def write_song(folder: Path, name: str = "001", *, names=("MELODY", "BRIDGE", "PIANO")):
    """Eight beats of half a second in POP909's layout: C major, two beats on each chord."""
    place = folder / name
    place.mkdir(parents=True)
    notes = [make_notes([60, 64, 67, 72], np.arange(4) * 960, 900, 80, track=0)]
    notes.append(make_notes([48], [0], 900, 80, track=1))
    notes.append(make_notes([36, 40], [0, 960], 900, 80, track=2))
    write_notes(place / f"{name}.mid", np.concatenate(notes), 120.0, names=names)
    (place / "beat_midi.txt").write_text("".join(f"{at / 2} {at % 2} {at % 4 == 0:.1f}\n" for at in range(8)))
    chords = ["C:maj", "A:min7/b3", "F:sus2", "N"]
    (place / "chord_midi.txt").write_text("".join(f"{at}\t{at + 1}\t{c}\n" for at, c in enumerate(chords)))
    (place / "key_audio.txt").write_text("0.0\t2.0\tC:maj\n2.0\t4.0\tA:min\n")
    return place


def test_a_song_in_the_published_layout(tmp_path):
    write_song(tmp_path / "POP909")
    assert recognises(tmp_path)
    dataset = open_pop909(tmp_path, {})
    assert [item.group for item in dataset.items] == ["001"]
    lead = read_item(dataset.items[0])
    assert [symbol_of(int(chord)) for chord in lead.chords[::2]] == ["C", "Am7", "Fsus2", "N.C."]
    assert lead.key.tolist() == [0] * 4 + [19] * 4
    assert lead.melody[0, 0] == pytest.approx(1.0)
    assert lead.metre[:, 0].tolist() == [1, 0, 0, 0, 1, 0, 0, 0]
    assert lead.labels == ("C:maj", "A:min7/b3", "F:sus2", "N")


def test_versions_of_a_song_are_one_group(tmp_path):
    write_song(tmp_path, "017")
    write_song(tmp_path, "018")
    assert {item.group for item in open_pop909(tmp_path, {}).items} == {"017"}


@pytest.mark.parametrize(
    ("file", "text", "reason"),
    [
        ("chord_midi.txt", "0 1 C:maj\n1 x G:maj\n", "begin with two times"),
        ("chord_midi.txt", "0 1 C:nice\n", "unknown quality"),
        ("chord_midi.txt", "3 4 C:maj\n0 1 C:maj\n", "don't ascend"),
        ("chord_midi.txt", "0 nan C:maj\n", "begin with two times"),
        ("beat_midi.txt", "0 1 1\n0 0 0\n", "don't ascend"),
        ("beat_midi.txt", "", "don't ascend"),
        ("beat_midi.txt", "0 1\n", "3 columns"),
        ("key_audio.txt", "0 2 H:maj\n", "no key"),
        ("key_audio.txt", "", "no key"),
        ("001.mid", "no midi", "MIDI"),
    ],
)
def test_damaged_annotations_are_named(tmp_path, file, text, reason):
    place = write_song(tmp_path)
    (place / file).write_text(text)
    with pytest.raises(UserError, match=reason):
        read_song(place / "001.mid")


def test_a_song_without_its_melody_or_its_files(tmp_path):
    place = write_song(tmp_path, names=("A", "B", "C"))
    with pytest.raises(DataError, match="MELODY"):
        read_song(place / "001.mid")
    write_song(tmp_path, "002")
    (place / "key_audio.txt").unlink()
    dataset = open_pop909(tmp_path, {})
    assert len(dataset.items) == 1
    assert "lacks key_audio.txt" in dataset.problems[0].reason
    with pytest.raises(DataError, match="numbered folders"):
        open_pop909(tmp_path / "nowhere", {})


def tune(path: Path, *, chords=True, key=None, names=("", ""), shift=0):
    pitch = np.array([67, 69, 71, 72, 74, 76, 78, 79, 71, 67, 74, 72]) + shift
    rng = np.random.default_rng(len(path.name))
    onset = np.cumsum(rng.choice([240, 480], len(pitch)))
    parts = [make_notes(pitch, onset, 220, 80)]
    if chords:
        block = [
            (note + shift, bar * 1920) for bar in range(3) for note in ((43, 47, 50), (38, 42, 45))[bar % 2]
        ]
        parts.append(make_notes(*np.array(block).T, 1920, 60, track=1))
    path.parent.mkdir(parents=True, exist_ok=True)
    write_notes(path, np.concatenate(parts), 100.0, names=names)
    return path


def test_nottingham_lists_tunes_with_chords_and_joins_those_that_are_one(tmp_path):
    tune(tmp_path / "MIDI" / "jigs1.mid")
    tune(tmp_path / "MIDI" / "jigs2.mid", shift=3)
    tune(tmp_path / "MIDI" / "xmas3.mid", chords=False)
    tune(tmp_path / "MIDI" / "other.mid")
    assert is_nottingham(tmp_path)
    dataset = open_nottingham(tmp_path, {})
    assert [Path(item.path).stem for item in dataset.items] == ["jigs1", "jigs2"]
    assert {item.group for item in dataset.items} == {"jigs1"}
    assert "no track of it plays chords" in dataset.problems[0].reason
    lead = read_item(dataset.items[0])
    assert [symbol_of(int(chord)) for chord in lead.chords[:8:4]] == ["G", "D"]


def test_nottingham_elsewhere_is_refused(tmp_path):
    assert not is_nottingham(tmp_path)
    with pytest.raises(DataError, match="MIDI"):
        open_nottingham(tmp_path, {})
    (tmp_path / "MIDI").mkdir()
    (tmp_path / "MIDI" / "jigs1.mid").write_bytes(b"nothing")
    with pytest.raises(DataError, match="no tune that can be used"):
        open_nottingham(tmp_path, {})


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda path: tune(path, chords=False), "plays chords"),
        (lambda path: path.write_bytes(b"MThd"), "MIDI"),
        (lambda path: write_notes(path, make_notes([48, 52, 55], [0, 0, 0], 480)), "no melody"),
        (lambda path: write_notes(path, make_notes([38], [0], 480, channel=9)), "plays chords"),
    ],
)
def test_files_without_melody_or_chords_are_refused(tmp_path, make, reason):
    path = tmp_path / "x.mid"
    make(path)
    with pytest.raises(DataError, match=reason):
        read_lead(path)


def test_tracks_are_found_by_name_then_by_what_they_play(tmp_path):
    plain = read_midi(tune(tmp_path / "a.mid"))
    assert melody_track(plain) == 1
    named = read_midi(tune(tmp_path / "b.mid", names=("Chords", "Vocal")))
    assert melody_track(named) == 2
    assert lead_of(plain, track="2")[0].melody.sum() > 0
    with pytest.raises(UserError, match="no track 'flute'"):
        lead_of(plain, track="flute")


def test_the_key_is_given_or_of_the_file_or_estimated(tmp_path):
    midi = read_midi(tune(tmp_path / "a.mid"))
    lead, source = lead_of(midi)
    assert (source, int(lead.key[0])) == ("estimated", 14)
    lead, source = lead_of(midi, key=3)
    assert (source, int(lead.key[0])) == ("given", 3)


@pytest.mark.parametrize(
    ("metre", "quarters", "length"),
    [
        ((4, 4), 1.0, 4),
        ((3, 4), 1.0, 3),
        ((6, 8), 1.5, 2),
        ((2, 2), 1.0, 4),
        ((7, 8), 0.5, 7),
        ((12, 8), 1.5, 4),
    ],
)
def test_beats_of_a_metre(metre, quarters, length):
    midi = read_bytes(encode(make_notes([60], [0], 480 * 12), 100.0, metre))
    assert beat_quarters(*metre) == quarters
    beats = beats_of(midi, 480 * 12)
    assert set(beats.length.tolist()) == {length}
    assert np.diff(beats.edges).tolist() == [480 * quarters] * len(beats.place)


def test_a_change_of_metre_begins_a_bar():
    midi = read_bytes(encode(make_notes([60], [0], 4800), 100.0, [(0, 4, 4), (1440, 3, 4)]))
    beats = beats_of(midi, 4800)
    assert beats.place.tolist() == [0, 1, 2, 0, 1, 2, 0, 1, 2, 0]
    assert beats.bar.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3]


def test_an_endless_file_is_refused():
    midi = read_bytes(encode(make_notes([60, 61], [0, 480 * 30_000], 480)))
    with pytest.raises(DataError, match="more than 20000 beats"):
        lead_of(midi)


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(st.floats(-1, 9), st.floats(0, 4), st.integers(0, 127)), max_size=12), st.integers(1, 8)
)
def test_features_stay_in_range(notes, beats):
    onset, length, pitch = np.array(notes, float).reshape(-1, 3).T
    melody = melody_features(onset, onset + length, pitch.astype(int), beats)
    assert melody.shape == (beats, MELODY)
    assert np.isfinite(melody).all()
    assert melody[:, :SOUNDING].min() >= 0
    assert melody[:, :SOUNDING].max() <= 1
    assert np.abs(melody[:, -2]).max() <= 6
    place, bar_length, bar = bars_of_downbeats(np.arange(beats) % 3 == 1)
    metre = metre_features(place, bar_length, bar, melody[:, -1])
    assert metre.shape == (beats, METRE)
    assert np.abs(metre).max() <= 2


@settings(max_examples=60, deadline=None)
@given(flips=st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=8))
def test_damaged_files_are_read_or_refused(flips):
    notes = make_notes([60, 64, 67, 72] * 4, np.arange(16) * 240, 200, 80)
    chords = make_notes([36, 40, 43] * 4, np.repeat(np.arange(4) * 960, 3), 960, 60, track=1)
    data = bytearray(encode(np.concatenate([notes, chords]), 110.0))
    for place, value in flips:
        data[place % len(data)] = value
    try:
        lead, _ = lead_of(read_bytes(bytes(data)))
    except KellyError:
        return  # any other error is a failure
    assert np.isfinite(lead.melody).all()
    assert len(lead.edges) == len(lead) + 1


def test_chords_lie_where_their_middle_is():
    edges = np.array([0.0, 1.0, 2.0, 3.0])
    intervals = np.array([[0.0, 1.4], [1.4, 2.4]])
    assert chord_per_beat(edges, intervals, np.array([3, 7]), NONE).tolist() == [3, 7, NONE]


def test_demo_is_synthetic_always_the_same_and_readable(tmp_path):
    dataset = open_demo(tmp_path, {"songs": 6, "bars": 4})
    assert dataset.synthetic
    assert {item.split for item in dataset.items} == {"train", "validation", "test"}
    before = [Path(item.path).read_bytes() for item in dataset.items]
    leads = [read_item(item) for item in dataset.items]
    assert {len(lead) for lead in leads} == {16}
    assert all((lead.chords[::4] < NONE).all() for lead in leads)
    again = open_demo(tmp_path / "b", {"songs": 6, "bars": 4})
    assert before == [Path(item.path).read_bytes() for item in again.items]
    with pytest.raises(ConfigError, match="songs"):
        open_demo(tmp_path, {"songs": 0})


def test_batches_are_padded_and_long_tunes_cut(tmp_path):
    leads = [read_item(item) for item in open_demo(tmp_path, {"songs": 6, "bars": 4}).items]
    source = HarmonySource(leads, [lead.name for lead in leads], np.array(list("abcdef")), 9)
    batch = source.fetch(np.array([0, 3]), np.random.default_rng(0))
    assert batch["melody"].shape == (2, 9, MELODY)
    whole = HarmonySource(leads, source.paths, source.groups, 100).fetch(np.array([1]), None)
    assert whole["chords"][0].tolist() == leads[1].chords.tolist()


def test_the_prior_is_a_distribution_that_follows_the_counts(tmp_path):
    leads = [read_item(item) for item in open_demo(tmp_path, {"songs": 6, "bars": 4}).items]
    prior = count_prior(leads)
    for minor in range(2):
        for strength in range(3):
            assert np.exp(prior.after(minor, strength)).sum(axis=-1) == pytest.approx(1.0, abs=1e-4)
    within_a_bar = np.exp(prior.after(0, 2))
    assert within_a_bar[0, 0] > 0.5  # in major, a tonic triad stays
    assert within_a_bar[0, 0] > np.exp(prior.after(0, 0))[0, 0]  # at a bar line it is readier to go


def test_without_tunes_every_chord_is_as_likely():
    for table in (no_prior().after(0, 1), no_prior().after(1, 0)):
        np.testing.assert_allclose(np.exp(table), 1 / N_CHORDS, rtol=1e-4)


def test_right_chords_score_1_and_root_ignores_the_mode(tmp_path):
    lead = read_item(open_demo(tmp_path, {"songs": 6, "bars": 4}).items[0])
    sure = np.zeros((len(lead), 25))
    from kelly_harmony.chords import reduced

    known = reduced(lead.chords)
    sure[np.arange(len(lead)), np.maximum(0, known)] = 1.0
    right, size = chord_sums(lead, sure, lead.chords)
    figures = as_ratios(right[None], size[None])
    assert figures["accuracy"] == figures["chord_accuracy"] == figures["majmin"] == 1.0
    swapped = sure[:, [at ^ 1 for at in range(24)] + [24]]
    right, size = chord_sums(lead, swapped, lead.chords)
    figures = as_ratios(right[None], size[None])
    assert figures["accuracy"] == figures["majmin"] == 0.0
    assert set(figures) == set(METRICS)


def test_packed_tunes_are_the_same_and_files_are_read_once(tmp_path, monkeypatch):
    place = write_song(tmp_path)
    items = dict(enumerate(open_pop909(tmp_path, {}).items))
    before = read_item(items[0])
    again = unpack(pack(before))
    for name in ("melody", "metre", "key", "chords", "edges", "intervals"):
        assert np.array_equal(getattr(before, name), getattr(again, name))
    assert (again.labels, again.name) == (before.labels, before.name)
    assert len(list(read_items(items, tmp_path / "cache"))) == 1
    with monkeypatch.context() as patched:
        patched.setattr("kelly_harmony.data.cached.read_item", None)  # would fail if it were called
        (_, cached), *_ = read_items(items, tmp_path / "cache")
    assert np.array_equal(cached.chords, before.chords)
    (place / "chord_midi.txt").write_text("0 4 G:maj\n")
    (_, changed), *_ = read_items(items, tmp_path / "cache")
    assert symbol_of(int(changed.chords[0])) == "G"
    (place / "chord_midi.txt").unlink()
    (_, error), *_ = read_items(items, tmp_path / "cache")
    assert isinstance(error, DataError)


@pytest.mark.skipif(not FOUND, reason="KELLY_SHARED names no folder with the real sets")
@pytest.mark.parametrize("name", ["pop909", "nottingham"])
def test_real_files_are_read_without_problems(tmp_path, name):
    archive = Path(os.environ["KELLY_SHARED"]) / "data" / f"{name}.tar.xz"
    if not archive.is_file():
        pytest.skip(f"{archive} isn't there")
    wanted = ["*/001/*", "*/002/*", "*/500/*"] if name == "pop909" else ["*/MIDI/jigs1*.mid"]
    subprocess.run(["tar", "-xf", archive, "-C", tmp_path, "--wildcards", *wanted], check=True)
    opened = (open_pop909 if name == "pop909" else open_nottingham)(tmp_path / name, {})
    assert len(opened.items) >= 3
    for item in [*opened.items][:5]:
        assert isinstance(item, Item)
        lead = read_item(item)
        assert len(lead) > 20
        assert (lead.chords < NONE).mean() > 0.8
