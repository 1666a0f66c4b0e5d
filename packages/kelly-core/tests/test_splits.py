"""Splits: no group on two sides, nothing lost, the same again, and stable when data is added."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kelly_core.config import SplitConfig
from kelly_core.data import Item
from kelly_core.data.splits import describe_split, group_position, split_items
from kelly_core.errors import DataError

LABELS = ("happy", "sad", "angry")
items_of_groups = st.lists(
    st.tuples(st.integers(0, 60), st.sampled_from(LABELS)), min_size=1, max_size=150
).map(lambda rows: [Item(f"{i}.wav", label, f"g{group}") for i, (group, label) in enumerate(rows)])
configs = st.builds(
    SplitConfig, by=st.just("group"), test=st.sampled_from([0.0, 0.1, 0.3]), seed=st.integers(0, 5)
)


def sides_of(items, split):
    return {items[i].group: side for side, indices in split.items() for i in indices}


@settings(max_examples=150, deadline=None)
@given(items_of_groups, configs)
def test_a_split_is_a_partition_by_groups_with_no_empty_side(items, config):
    groups = {item.group for item in items}
    needed = 3 if config.test else 2
    if len(groups) < needed:
        with pytest.raises(DataError, match="can't be divided"):
            split_items(items, config)
        return
    split = split_items(items, config)
    everything = np.concatenate(list(split.values()))
    assert sorted(everything) == list(range(len(items)))
    seen = [{items[i].group for i in indices} for indices in split.values()]
    assert sum(map(len, seen)) == len(groups)
    assert len(split["train"])
    assert len(split["validation"])
    assert bool(len(split["test"])) == bool(config.test)
    again = split_items(items, config)
    assert all(np.array_equal(split[side], again[side]) for side in split)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 9), st.integers(1, 200), st.sampled_from(LABELS))
def test_added_groups_and_files_move_nobody(seed, added, label):
    config = SplitConfig(by="group", seed=seed)
    items = [Item(f"{i}.wav", LABELS[i % 3], f"speaker {i // 3}") for i in range(600)]
    before = sides_of(items, split_items(items, config))
    more = [Item(f"new{i}.wav", label, f"speaker {150 + i}") for i in range(added)]
    after = sides_of([*more, *items], split_items([*more, *items], config))
    assert {group: after[group] for group in before} == before


def by_threshold(group, config):
    place = group_position(group, config.seed)
    if place < config.test:
        return "test"
    return "validation" if place < config.test + config.validation else "train"


@settings(max_examples=60, deadline=None)
@given(st.integers(3, 60), st.integers(0, 200), configs)
def test_labels_with_enough_groups_are_stable_whatever_happens_to_the_small_ones(count, added, config):
    items = [Item(f"{i}.wav", label, f"{label} {i}") for label in LABELS for i in range(count)]
    before = sides_of(items, split_items(items, config))
    more = [*items, *(Item(f"new{i}.wav", LABELS[i % 3], f"new {i}") for i in range(added))]
    after = sides_of(more, split_items(more, config))
    for label in LABELS:
        groups = [f"{label} {i}" for i in range(count)]
        if all(before[group] == by_threshold(group, config) for group in groups):
            assert [after[group] for group in groups] == [before[group] for group in groups]


def test_shares_are_about_what_was_asked_for():
    items = [Item(f"{i}.wav", "happy", f"g{i}") for i in range(3000)]
    split = split_items(items, SplitConfig(by="group", validation=0.2, test=0.1))
    assert len(split["validation"]) / 3000 == pytest.approx(0.2, abs=0.03)
    assert len(split["test"]) / 3000 == pytest.approx(0.1, abs=0.03)


def test_every_label_stands_on_every_side_when_each_file_is_a_group():
    items = [Item(f"{label}{i}.wav", label, f"{label}{i}") for label in LABELS for i in range(5)]
    for seed in range(5):
        summary = describe_split(items, split_items(items, SplitConfig(seed=seed)))
        assert all(set(side["labels"]) == set(LABELS) for side in summary.values())


def test_another_seed_gives_another_split():
    items = [Item(f"{i}.wav", "happy", f"g{i}") for i in range(100)]
    first, second = (split_items(items, SplitConfig(seed=seed)) for seed in (0, 1))
    assert not np.array_equal(first["test"], second["test"])


@pytest.fixture
def actors():
    sex = {True: "female", False: "male"}
    return [
        Item(f"{actor}-{i}.wav", "happy", f"actor {actor}", fold=str(actor % 5), extra={"sex": sex[actor < 10]})
        for actor in range(20)
        for i in range(3)
    ]


@pytest.mark.parametrize("fold", ["0", "4"])
def test_a_fold_is_the_test_side_and_both_sexes_validate(actors, fold):
    split = split_items(actors, SplitConfig(test_fold=fold))
    assert {actors[i].fold for i in split["test"]} == {fold}
    assert fold not in {actors[i].fold for side in ("train", "validation") for i in split[side]}
    assert {actors[i].extra["sex"] for i in split["validation"]} == {"female", "male"}
    assert len({actors[i].group for i in split["validation"]}) == 2


def test_an_unknown_fold_is_refused_with_the_known_ones(actors):
    with pytest.raises(DataError, match="no fold '7'; the folds are 0, 1, 2, 3, 4"):
        split_items(actors, SplitConfig(test_fold="7"))


def test_a_group_in_two_folds_is_refused(actors):
    torn = [*actors, Item("x.wav", "happy", "actor 0", fold="1")]
    with pytest.raises(DataError, match="'actor 0' stands in fold '0' and in another"):
        split_items(torn, SplitConfig())


def test_the_declared_split_counts_first_and_lends_validation_from_train():
    items = [
        Item(f"{i}.wav", "happy", f"g{i}", split="test" if i < 5 else "train", fold="0") for i in range(30)
    ]
    split = split_items(items, SplitConfig())
    assert list(split["test"]) == list(range(5))
    assert len(split["validation"]) >= 1


def test_an_item_without_its_declared_split_is_named():
    items = [Item("a.wav", split="train"), Item("b.wav")]
    with pytest.raises(DataError, match="1 of 2 items have no usable split") as caught:
        split_items(items, SplitConfig())
    assert caught.value.where == "b.wav"


def test_no_items_at_all_is_said():
    with pytest.raises(DataError, match="no items"):
        split_items([], SplitConfig())
