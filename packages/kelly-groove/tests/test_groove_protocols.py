from pathlib import Path

import numpy as np

from kelly_core.data import Dataset, Item
from kelly_groove.protocols import FOLDS, drummer_folds, official_split


def played():
    """Seven drummers, the first far busier; every tenth performance in 6/8."""
    items = []
    for drummer, count in enumerate((90, 40, 30, 20, 9, 8, 7)):
        for number in range(count):
            split = ("validation", "test")[number % 5] if number % 5 < 2 else "train"
            metre = "6/8" if number % 10 == 9 else "4/4"
            extra = {"drummer": f"drummer{drummer}", "metre": metre}
            items.append(Item(f"{drummer}-{number}", group=f"{drummer}/{number % 3}", split=split, extra=extra))
    return Dataset("groove-midi", Path(), items)


def drummers(dataset, side):
    return {dataset.items[index].extra["drummer"] for index in side}


def test_no_drummer_is_heard_before_the_test():
    dataset = played()
    folds = drummer_folds(dataset, 0)
    assert len(folds) == FOLDS
    for _, split in folds:
        assert not drummers(dataset, split["test"]) & drummers(dataset, [*split["train"], *split["validation"]])
        assert all(len(side) for side in split.values())
        assert not set(split["train"]) & set(split["validation"])


def test_the_folds_test_every_performance_in_four_four_once():
    dataset = played()
    tested = np.concatenate([split["test"] for _, split in drummer_folds(dataset, 0)])
    assert sorted(tested) == [i for i, item in enumerate(dataset.items) if item.extra["metre"] == "4/4"]


def test_folds_are_dealt_by_how_much_was_played_and_not_by_seed():
    dataset = played()
    first, second = drummer_folds(dataset, 0), drummer_folds(dataset, 1)
    assert [len(split["test"]) for _, split in first][:4] == [81, 36, 27, 18]
    for (_, one), (_, other) in zip(first, second, strict=True):
        for side, rows in one.items():
            np.testing.assert_array_equal(rows, other[side])


def test_the_published_split_is_taken_as_it_is():
    dataset = played()
    [(_, split)] = official_split(dataset, 0)
    assert {dataset.items[i].split for i in split["test"]} == {"test"}
    assert {dataset.items[i].extra["metre"] for i in split["validation"]} == {"4/4"}
    assert "6/8" in {dataset.items[i].extra["metre"] for i in split["train"]}
