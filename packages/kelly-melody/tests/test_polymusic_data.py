"""Piano rolls: reading .mat files, good and bad; the memory of a piece; training examples."""

import os
import tarfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.io import savemat

from kelly_core.config import SplitConfig
from kelly_core.data.leaks import build_fingerprints, find_leaks
from kelly_core.data.splits import split_items
from kelly_core.data.stats import dataset_stats
from kelly_core.errors import DataError
from kelly_core.task import Context
from kelly_melody.config import MelodyConfig
from kelly_melody.polymusic.config import KeysConfig
from kelly_melody.polymusic.data import open_polymusic, read_rolls, recognises
from kelly_melody.polymusic.memory import EDGES, KEYS, RollMemory, bucket, remembered
from kelly_melody.polymusic.prepare import prepare
from kelly_melody.polymusic.source import RollSource

SIDES = ("traindata", "validdata", "testdata")


def cells(*pieces):
    cell = np.empty((1, len(pieces)), object)
    for at, piece in enumerate(pieces):
        cell[0, at] = piece
    return cell


def a_roll(frames, seed=0):
    return (np.random.default_rng(seed).random((frames, KEYS)) < 0.05).astype(np.uint8)


def write(folder, name="JSB_Chorales", **changed):
    content = {side: cells(*(a_roll(20 + 5 * at, at) for at in range(3))) for side in SIDES}
    content = {side: cell for side, cell in (content | changed).items() if cell is not None}
    savemat(folder / f"{name}.mat", content)
    return folder


def prepared(folder, tmp_path, **settings):
    dataset = open_polymusic(folder, {})
    split = split_items(dataset.items, SplitConfig())
    config = MelodyConfig(head="keys", **settings)
    return prepare(config, dataset, split, Context(tmp_path / "cache"))


def test_pieces_are_listed_with_the_published_split_and_read_back(tmp_path):
    folder = write(tmp_path)
    assert recognises(folder)
    dataset = open_polymusic(folder, {"rolls": "JSB_Chorales"})
    assert [item.split for item in dataset.items] == ["train"] * 3 + ["validation"] * 3 + ["test"] * 3
    assert len({item.group for item in dataset.items}) == 9
    found = prepared(folder, tmp_path)
    assert not found.problems
    np.testing.assert_array_equal(found.sources["test"].rolls[2], a_roll(30, 2))
    # The three sides of this file are alike.
    assert found.summary["pieces_that_stand_in_train_too"] == {"validation": 3, "test": 3}


def test_pieces_of_one_file_are_no_leak_of_each_other_and_count_once(tmp_path):
    dataset = open_polymusic(write(tmp_path), {})
    split = split_items(dataset.items, SplitConfig())
    assert find_leaks(dataset.items, split, build_fingerprints(dataset.items, tmp_path / "prints")) == []
    stats = dataset_stats(dataset)
    assert stats.overall.items == 9
    assert stats.bytes == (tmp_path / "JSB_Chorales.mat").stat().st_size


@pytest.mark.parametrize(
    ("piece", "reason"),
    [
        (np.zeros((10, 87), np.uint8), "its shape is (10, 87)"),
        (np.full((10, KEYS), 0.5), "something else than 0 and 1"),
        (np.full((10, KEYS), np.nan), "something else than 0 and 1"),
        (np.zeros((1, KEYS), np.uint8), "1 frame"),
        (np.array("text"), "its shape is"),
    ],
)
def test_a_bad_piece_is_left_out_with_the_reason(tmp_path, piece, reason):
    folder = write(tmp_path, traindata=cells(a_roll(20), piece))
    found = prepared(folder, tmp_path)
    assert len(found.sources["train"].rolls) == 1
    assert [reason in problem.reason for problem in found.problems] == [True]
    with pytest.raises(DataError, match="traindata 1"):
        prepared(folder, tmp_path, strict_data=True)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"validdata": None}, "lacks validdata"),
        ({"testdata": np.zeros((3, KEYS))}, "testdata is of kind double, not cell"),
        ({"traindata": np.empty((1, 0), object)}, "traindata is empty"),
    ],
)
def test_a_file_of_another_layout_is_refused(tmp_path, changed, reason):
    with pytest.raises(DataError, match=reason):
        open_polymusic(write(tmp_path, **changed), {})


def test_a_side_without_a_usable_piece_is_refused(tmp_path):
    folder = write(tmp_path, validdata=cells(np.zeros((4, 3))))
    with pytest.raises(DataError, match="no usable piece is left for validation"):
        prepared(folder, tmp_path)


@pytest.mark.parametrize("content", [b"", b"no mat file at all", bytes(200)])
def test_what_is_no_mat_file_is_refused(tmp_path, content):
    (tmp_path / "JSB_Chorales.mat").write_bytes(content)
    with pytest.raises(DataError, match="MATLAB"):
        open_polymusic(tmp_path, {})


@given(data=st.data())
def test_a_damaged_file_ends_in_our_own_error_or_in_pieces(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("damaged")
    file = write(folder) / "JSB_Chorales.mat"
    content = bytearray(file.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    file.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    try:
        rolls = read_rolls(file)
    except DataError:
        return
    assert all(isinstance(roll, str) or roll.shape[1] == KEYS for roll in rolls.values())


def test_a_missing_set_names_those_that_are_there(tmp_path):
    write(tmp_path, "Nottingham")
    with pytest.raises(DataError, match=r"no JSB_Chorales\.mat") as caught:
        open_polymusic(tmp_path, {})
    assert "keys.rolls=Nottingham" in str(caught.value.hint)


def test_an_empty_folder_is_not_recognised(tmp_path):
    assert not recognises(tmp_path)
    with pytest.raises(DataError) as caught:
        open_polymusic(tmp_path, {})
    assert "Nottingham.mat" in str(caught.value.hint)


def slowly(roll, candidates):
    """The memory by its definition."""
    heard = np.zeros((len(roll), candidates, KEYS), np.uint8)
    lengths = np.zeros((len(roll), candidates), np.int64)
    for now in range(len(roll)):
        found = []
        for earlier in range(now):
            length = 0
            while length <= earlier and (roll[earlier - length] == roll[now - length]).all():
                length += 1
            if length:
                found.append((length, earlier))
        taken = []
        for length, earlier in sorted(found, reverse=True):
            after = roll[earlier + 1].tobytes()
            if after not in taken and len(taken) < candidates:
                heard[now, len(taken)], lengths[now, len(taken)] = roll[earlier + 1], length
                taken.append(after)
    return heard, lengths


@given(arrays(np.uint8, st.integers(1, 40), elements=st.integers(0, 2)), st.integers(0, 3))
def test_the_memory_is_what_its_definition_says(kinds, candidates):
    roll = np.zeros((len(kinds), KEYS), np.uint8)
    roll[np.arange(len(kinds)), kinds] = kinds > 0  # kind 0 is silence
    heard, buckets = remembered(roll, candidates)
    expected, lengths = slowly(roll, candidates)
    np.testing.assert_array_equal(heard, expected)
    np.testing.assert_array_equal(buckets, bucket(lengths))


def test_a_long_piece_outgrows_the_memory_s_first_store():
    roll = np.tile(a_roll(7), (40, 1))
    memory = RollMemory(1)
    said = [memory.push(frame) for frame in roll]
    assert said[-2][1][0] == len(roll) - 1 - 7
    np.testing.assert_array_equal(said[-2][0][0], roll[-1])
    assert bucket(np.array(EDGES)).tolist() == list(range(1, len(EDGES) + 1))


@given(st.lists(st.integers(2, 90), min_size=1, max_size=6), st.integers(8, 40), st.integers(0, 6))
def test_runs_cover_every_frame_and_hold_what_stands_there(lengths, crop, warm):
    rolls = [a_roll(length, at) for at, length in enumerate(lengths)]
    source = RollSource(rolls, [str(at) for at in range(len(rolls))], 1, crop, warm)
    counted = [np.zeros(length - 1) for length in lengths]
    for index in range(len(source)):
        piece, first, last = source._span(index, None)
        batch = source.fetch(np.array([index]), None)
        np.testing.assert_array_equal(batch["roll"][0].numpy(), rolls[piece][first:last])
        np.testing.assert_array_equal(batch["buckets"][0].numpy(), source.memory[piece][1][first:last])
        counted[piece][first : last - 1] += batch["weight"][0].numpy()
        assert last - first <= crop
    assert all((count >= 1).all() for count in counted)


def test_shifted_runs_stay_inside_their_piece():
    source = RollSource([a_roll(50), a_roll(5)], ["a", "b"], 2, 16, 4)
    rng = np.random.default_rng(0)
    for _ in range(30):
        batch = source.fetch(np.arange(len(source)), rng)
        assert batch["roll"].shape == (len(source), 16, KEYS)
        assert batch["weight"].sum(dim=1).min() >= 4


def test_settings_that_leave_nothing_to_learn_from_are_refused():
    with pytest.raises(ValueError, match="warm"):
        KeysConfig(crop=16, warm=16)


def test_the_published_sets_have_their_published_sizes(tmp_path):
    shared = os.environ.get("KELLY_SHARED")
    pack = Path(shared, "data", "polymusic_mat.tar.xz") if shared else None
    if pack is None or not pack.exists():
        pytest.skip("needs the published piano rolls under KELLY_SHARED")
    wanted = {"Nottingham": (694, 173, 170), "JSB_Chorales": (229, 76, 77)}
    with tarfile.open(pack) as archive:
        for member in archive:
            if Path(member.name).stem in wanted and member.isfile():
                (tmp_path / Path(member.name).name).write_bytes(archive.extractfile(member).read())
    for name, expected in wanted.items():
        rolls = read_rolls(tmp_path / f"{name}.mat")
        assert tuple(sum(part.startswith(side) for part in rolls) for side in SIDES) == expected
        assert not any(isinstance(roll, str) for roll in rolls.values())
        known = {roll.tobytes() for part, roll in rolls.items() if part.startswith("traindata")}
        again = sum(roll.tobytes() in known for part, roll in rolls.items() if part.startswith("testdata"))
        assert again == {"Nottingham": 1, "JSB_Chorales": 0}[name]
