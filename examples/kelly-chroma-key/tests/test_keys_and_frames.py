"""Keys as numbers, a file as frames, the layouts and the demo; bad files are named."""

import numpy as np
import pytest
from kelly_core.data import Item
from kelly_core.errors import DataError
from kelly_core.features.midi import Key, make_notes, read_midi, write_notes

from kelly_chroma_key.baselines import guesses
from kelly_chroma_key.chroma import frames_of, read_tune
from kelly_chroma_key.demo import open_demo
from kelly_chroma_key.folders import open_pop909, open_signatures, recognises_pop909, recognises_signatures
from kelly_chroma_key.keys import KEYS, LABELS, nearness, number_of, transposed
from kelly_chroma_key.source import Tunes

SCALE = [60, 62, 64, 65, 67, 69, 71, 72]


def tune(path, *, shift=0, key=None, seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    melody = np.random.default_rng(seed).choice(SCALE, 48) + shift
    write_notes(path, make_notes(melody, np.arange(48) * 240, 240, ticks_per_beat=480), key=key)
    return path


def numbered(name):
    return LABELS.index(name)


def test_the_names_of_all_keys_are_those_of_their_numbers():
    keys = [Key(fifths, minor) for minor in (False, True) for fifths in range(-5, 7)]
    assert {number_of(key) for key in keys} == set(range(KEYS))
    for key in keys:
        mine = LABELS[number_of(key)].split()
        assert mine[1] == key.name.split()[1]
    assert LABELS[number_of(Key(-3, minor=True))] == "C minor"


@pytest.mark.parametrize(
    ("said", "true", "score"),
    [
        ("C major", "C major", 1.0),
        ("G major", "C major", 0.5),
        ("F major", "C major", 0.0),  # MIREX counts fifths upwards alone
        ("A minor", "C major", 0.3),
        ("Eb major", "C minor", 0.3),
        ("C minor", "C major", 0.2),
        ("D major", "C major", 0.0),
    ],
)
def test_an_answer_scores_as_at_mirex(said, true, score):
    assert nearness(np.array([numbered(said)]), np.array([numbered(true)])).tolist() == [score]


def test_moving_up_moves_the_tonic_and_leaves_what_is_unknown():
    keys = np.array([numbered("B major"), numbered("B minor"), -1])
    moved = transposed(keys, 1)
    assert [LABELS[key] for key in moved[:2]] == ["C major", "C minor"]
    assert moved[2] == -1


def test_a_frame_is_what_sounds_in_a_beat_and_its_lowest_note(tmp_path):
    notes = make_notes([60, 67, 48], [0, 240, 480], [480, 240, 960], ticks_per_beat=480)
    write_notes(tmp_path / "a.mid", notes)
    frames = frames_of(read_midi(tmp_path / "a.mid"))
    assert frames.shape == (3, 24)
    assert frames[0, 0] == 1.0
    assert frames[0, 7] == 0.5
    assert frames[:, 12].tolist() == [1.0, 1.0, 1.0]
    assert frames.sum() == 1.5 + 2 + 3


@pytest.mark.parametrize("content", [b"", b"no midi"])
def test_what_is_no_midi_is_refused(tmp_path, content):
    (tmp_path / "a.mid").write_bytes(content)
    with pytest.raises(DataError):
        read_tune(Item(str(tmp_path / "a.mid")))


def test_a_file_of_drums_alone_is_refused(tmp_path):
    write_notes(tmp_path / "a.mid", make_notes([36], [0], [480], channel=9))
    with pytest.raises(DataError, match="no pitched notes"):
        frames_of(read_midi(tmp_path / "a.mid"))


def test_key_signatures_are_labels_and_one_tune_is_one_group(tmp_path):
    tune(tmp_path / "a.mid", key=Key(0))
    tune(tmp_path / "b.mid", shift=2, key=Key(2))
    tune(tmp_path / "c.mid", key=Key(-3, minor=True), seed=1)
    tune(tmp_path / "d.mid", seed=2)
    tune(tmp_path / "parts" / "a.mid", key=Key(0))
    assert recognises_signatures(tmp_path)
    dataset = open_signatures(tmp_path, {})
    assert [item.label for item in dataset.items] == ["C major", "D major", "C minor"]
    groups = [item.group for item in dataset.items]
    assert groups[0] == groups[1] != groups[2]
    assert [problem.reason for problem in dataset.problems] == ["it holds no key signature"]
    assert set(read_tune(dataset.items[1]).keys) == {numbered("D major")}


def test_pop909_gives_the_key_of_each_beat(tmp_path):
    tune(tmp_path / "POP909" / "001" / "001.mid")
    (tmp_path / "POP909" / "001" / "key_audio.txt").write_text("1.0\t6.0\tC:maj\n6.0\t99.0\tE:min\n")
    assert recognises_pop909(tmp_path)
    assert not recognises_signatures(tmp_path / "POP909")
    (item,) = open_pop909(tmp_path, {}).items
    keys = read_tune(item).keys
    assert keys[:2].tolist() == [-1, -1]
    assert keys[2:12].tolist() == [numbered("C major")] * 10
    assert keys[12:].tolist() == [numbered("E minor")] * 12


@pytest.mark.parametrize("text", ["", "1 2\n", "1 2 H:maj\n", "x 2 C:maj\n", "5 9 C:maj\n1 2 C:maj\n"])
def test_keys_that_make_no_sense_are_refused(tmp_path, text):
    tune(tmp_path / "001" / "001.mid")
    (tmp_path / "001" / "key_audio.txt").write_text(text)
    (item,) = open_pop909(tmp_path, {}).items
    with pytest.raises(DataError):
        read_tune(item)


def test_the_demo_has_all_keys_some_songs_that_change_it_and_is_called_synthetic(tmp_path):
    dataset = open_demo(tmp_path, {"writers": 6})
    assert dataset.synthetic
    assert len({item.label for item in dataset.items}) == KEYS
    tunes = [read_tune(item) for item in dataset.items]
    changing = [one for one in tunes if len(set(one.keys.tolist())) == 2]
    assert 0 < len(changing) < len(tunes)
    assert all(len(one.frames) == len(one.keys) == 64 for one in tunes)


def test_random_crops_move_notes_and_key_together(tmp_path):
    dataset = open_demo(tmp_path, {"writers": 5, "songs": 2})
    tunes = [read_tune(item) for item in dataset.items]
    source = Tunes(tunes, dataset.items, crop=64)
    plain = source.fetch(np.arange(4), None)
    moved = source.fetch(np.arange(4), np.random.default_rng(3))
    steps = (moved["keys"] - plain["keys"]).numpy() % 12
    assert len({int(row[0]) for row in steps}) > 1
    for row in range(4):
        shift = int(steps[row, 0])
        rolled = np.roll(plain["frames"][row].numpy().reshape(-1, 2, 12), shift, axis=2).reshape(-1, 24)
        assert np.array_equal(rolled, moved["frames"][row].numpy())


def test_baselines_are_fitted_on_training_tunes_alone(tmp_path):
    tunes = [read_tune(item) for item in open_demo(tmp_path, {"writers": 6}).items]
    train = [one for one in tunes if one.key in {numbered("A minor"), numbered("C major")}]
    found = guesses([*train, train[0]])
    assert found["commonest key"](np.zeros(12)) == train[0].key
    major = np.bincount(np.array(SCALE) % 12, minlength=12) + np.eye(12)[0] + np.eye(12)[7]
    assert LABELS[found["Krumhansl-Schmuckler"](np.roll(major, 2))] == "D major"
