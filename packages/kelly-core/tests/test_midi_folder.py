"""The dataset of any MIDI files, and what it takes for one tune."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kelly_core.data import Dataset, Item
from kelly_core.data.discover import _recognise
from kelly_core.data.leaks import build_fingerprints, find_leaks
from kelly_core.data.midi_folder import open_midi_folder, recognises
from kelly_core.data.stats import dataset_stats
from kelly_core.errors import DataError
from kelly_core.features.midi import make_notes, write_notes
from kelly_core.features.midi.tunes import same_tunes, tune_runs
from kelly_core.specs import DatasetSpec, LazyRef, ModelSpec


def tune(seed, *, shift=0, stretch=1, extra=0):
    rng = np.random.default_rng(seed)
    pitch = 60 + np.cumsum(rng.integers(-4, 5, size=60)) % 24 + shift
    onset = np.cumsum(rng.choice([120, 240, 480], size=60)) * stretch
    pitch[:extra] += 1
    return make_notes(pitch, onset, 100)


@given(st.integers(-12, 12), st.sampled_from([1, 2, 3]), st.integers(0, 8))
def test_a_tune_stays_itself_in_another_key_and_tempo(shift, stretch, changed):
    runs = [
        tune_runs(notes) for notes in (tune(1), tune(2), tune(1, shift=shift, stretch=stretch, extra=changed))
    ]
    assert same_tunes(runs) == [0, 1, 0]


def test_different_tunes_stay_apart():
    runs = [tune_runs(tune(seed)) for seed in range(30)]
    assert same_tunes(runs) == list(range(30))


def test_drum_parts_are_one_only_when_identical():
    parts = [make_notes([36, 38, 36, 38], np.arange(4) * at, 50, channel=9) for at in (240, 240, 250)]
    assert same_tunes([tune_runs(part) for part in parts]) == [0, 0, 2]


def test_any_tree_of_files_is_listed_with_what_is_wrong(tmp_path):
    for name, notes in {
        "rock/a": tune(1),
        "rock/b": tune(2),
        "jazz/c": tune(1, shift=5),
        "empty": tune(1)[:0],
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        write_notes(tmp_path / f"{name}.mid", notes)
    (tmp_path / "bad.mid").write_bytes(b"nothing")
    (tmp_path / "notes.txt").write_text("x")
    assert recognises(tmp_path)
    opened = open_midi_folder(tmp_path, {})
    assert [item.extra["folder"] for item in opened.items] == ["jazz", "rock", "rock"]
    assert [item.group for item in opened.items] == ["jazz/c", "jazz/c", "rock/b"]
    assert {problem.reason for problem in opened.problems} == {
        "it holds no notes",
        "it does not start with a MIDI header ('MThd')",
    }
    assert "2 files" in opened.notes[0]


def test_metadata_names_groups_splits_and_more(tmp_path):
    for at in range(3):
        write_notes(tmp_path / f"{at}.mid", tune(at))
    (tmp_path / "metadata.csv").write_text(
        "file,song,split,style\n0.mid,x,train,funk\n1.mid,x,train,\n2.mid,,test,jazz\ngone.mid,,,\n"
    )
    opened = open_midi_folder(tmp_path, {})
    assert [item.group for item in opened.items] == ["x", "x", "2"]
    assert opened.items[2].split == "test"
    assert opened.items[0].extra["style"] == "funk"
    assert "isn't there" in opened.problems[0].reason


def test_a_folder_without_music_is_refused(tmp_path):
    assert not recognises(tmp_path)
    with pytest.raises(DataError, match="no MIDI file"):
        open_midi_folder(tmp_path, {})


@pytest.mark.parametrize("known_to_its_own", [True, False])
def test_a_reader_made_for_the_model_goes_before_a_general_one(tmp_path, known_to_its_own):
    write_notes(tmp_path / "a.mid", tune(1))
    opener = LazyRef("kelly_core.data.midi_folder:open_midi_folder")
    own = LazyRef("builtins:bool" if known_to_its_own else "os.path:islink")
    special = DatasetSpec("special", "a layout", ("groove",), opener, own)
    general = DatasetSpec("general", "any", (), opener, LazyRef("kelly_core.data.midi_folder:recognises"))
    ref = LazyRef("nowhere:Nothing")
    model = ModelSpec("groove", "groovepredictor", "t", "s", ref, ref, datasets=("general",))
    host = SimpleNamespace(specs=lambda kind, cls: [general, special])
    chosen = _recognise(host, model, tmp_path)
    assert chosen is (special if known_to_its_own else general)


def test_leaks_and_lengths_of_notes_are_found(tmp_path):
    songs = {"a": tune(1), "b": tune(1), "c": tune(1, shift=3), "d": tune(2)}
    for name, notes in songs.items():
        write_notes(tmp_path / f"{name}.mid", notes)
    items = [Item(str(tmp_path / f"{name}.mid"), group=name) for name in songs]
    prints = build_fingerprints(items, tmp_path / "cache")
    leaks = find_leaks(items, {"train": np.array([0, 3]), "test": np.array([1, 2])}, prints)
    assert [(leak.kind, leak.second[-5:]) for leak in leaks] == [
        ("same notes", "b.mid"),
        ("same tune", "c.mid"),
    ]
    found = dataset_stats(Dataset("x", tmp_path, items))
    assert found.formats == {"MIDI format 1": 4}
    assert found.overall.shortest_s > 10
