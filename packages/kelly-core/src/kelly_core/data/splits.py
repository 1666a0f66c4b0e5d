"""Divide items into train, validation and test so that no group stands on two sides.

By group, each group's side follows from a seeded hash of its name alone: a number in [0, 1) below
`test` means test, below `test + validation` means validation, anything else train. So adding files or
groups never moves a group that is there already. Only where this leaves a side empty (small sets) are
the groups nearest to the threshold moved over; they may move again as long as there are so few. Groups
that hold one label only are looked at label by label, so that each label with three groups or more
stands on every side.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kelly_core.config import SplitConfig
from kelly_core.data.dataset import Item
from kelly_core.errors import DataError

SIDES = ("train", "validation", "test")


def split_items(items: Sequence[Item], config: SplitConfig) -> dict[str, NDArray[np.int64]]:
    """Positions of the items of each side, ascending.

    Args:
        items: The dataset's items.
        config: How to divide; `auto` takes the declared split, else folds, else hashes the groups.

    Returns:
        `"train"`, `"validation"` and `"test"`; test may be empty, the others never are.

    Raises:
        DataError: There are too few groups, an item lacks its split or fold, or the fold isn't known.
    """
    if not items:
        raise DataError("there are no items to split", hint="check the dataset with `kelly data validate`")
    how = config.by if config.by != "auto" else _what_it_has(items)
    if how == "declared":
        sides = _declared(items, config)
    elif how == "fold":
        sides = _by_fold(items, config)
    else:
        sides = _by_group(items, config)
    return {
        side: np.array([i for i, where in enumerate(sides) if where == side], dtype=np.int64) for side in SIDES
    }


def describe_split(items: Sequence[Item], split: Mapping[str, NDArray[np.int64]]) -> dict[str, dict[str, Any]]:
    """Per side: how many items and groups, and how many items of each label."""
    result: dict[str, dict[str, Any]] = {}
    for side, indices in split.items():
        chosen = [items[i] for i in indices]
        result[side] = {
            "items": len(chosen),
            "groups": len({item.group for item in chosen}),
            "labels": dict(sorted(Counter(item.label for item in chosen).items())),
        }
    return result


def group_position(group: str, seed: int) -> float:
    """Where a group stands in [0, 1): a seeded hash of its name, the same on every machine."""
    digest = hashlib.sha256(f"{seed}\0{group}".encode()).digest()
    return int.from_bytes(digest[:7], "big") / 2**56


def _what_it_has(items: Sequence[Item]) -> str:
    if any(item.split is not None for item in items):
        return "declared"
    return "fold" if any(item.fold is not None for item in items) else "group"


def _by_group(items: Sequence[Item], config: SplitConfig) -> list[str]:
    labels: dict[str, set[str]] = defaultdict(set)
    for item in items:
        labels[item.group].add(item.label)
    strata: dict[str | None, dict[str, float]] = defaultdict(dict)
    for group, seen in labels.items():
        stratum = next(iter(seen)) if len(seen) == 1 else None
        strata[stratum][group] = group_position(group, config.seed)
    wanted = SIDES if config.test > 0 else SIDES[:2]
    if len(labels) < len(wanted):
        raise DataError(
            f"{len(labels)} group(s) can't be divided into {', '.join(wanted)}",
            hint="add speakers or files, or set split.test to 0; one group is never put on two sides",
            code="data.split",
        )
    side_of: dict[str, str] = {}
    for positions in strata.values():
        side_of.update(_fill_empty(_threshold(positions, config), positions, wanted))
    # Strata with one or two groups can still leave a side of the whole set empty.
    everything = {group: place for positions in strata.values() for group, place in positions.items()}
    side_of = _fill_empty(side_of, everything, wanted)
    return [side_of[item.group] for item in items]


def _threshold(positions: Mapping[str, float], config: SplitConfig) -> dict[str, str]:
    held_out = config.test + config.validation
    return {
        group: "test" if place < config.test else "validation" if place < held_out else "train"
        for group, place in positions.items()
    }


def _fill_empty(
    side_of: dict[str, str], positions: Mapping[str, float], wanted: Iterable[str]
) -> dict[str, str]:
    """Give each empty side the nearest group of a side that can spare one, train first."""
    result = dict(side_of)
    for side in wanted:
        counts = Counter(result.values())
        if counts[side]:
            continue
        spare = [group for group in positions if counts[result[group]] > 1]
        if not spare:
            continue
        if side == "train":  # train lies at the upper end of [0, 1)
            chosen = max(spare, key=lambda group: (positions[group], group))
        else:
            from_train = [group for group in spare if result[group] == "train"]
            chosen = min(from_train or spare, key=lambda group: (positions[group], group))
        result[chosen] = side
    return result


def _declared(items: Sequence[Item], config: SplitConfig) -> list[str]:
    missing = [item for item in items if item.split not in SIDES]
    if missing:
        raise DataError(
            f"{len(missing)} of {len(items)} items have no usable split; the first has {missing[0].split!r}",
            where=missing[0].path,
            hint="give every row train, validation or test, or set split.by to 'group'",
            code="data.split",
        )
    sides = [str(item.split) for item in items]
    if "train" not in sides:
        raise DataError(
            "the declared split has no training items", hint="set split.by to 'group'", code="data.split"
        )
    if "validation" not in sides:
        groups = {item.group for item, side in zip(items, sides, strict=True) if side == "train"}
        chosen = _hold_out(groups, {}, config, at_least=1)
        sides = [
            "validation" if side == "train" and item.group in chosen else side
            for item, side in zip(items, sides, strict=True)
        ]
    return sides


def _by_fold(items: Sequence[Item], config: SplitConfig) -> list[str]:
    folds: dict[str, set[str]] = defaultdict(set)
    for item in items:
        if item.fold is None:
            raise DataError(
                "has no fold",
                where=item.path,
                hint="give every item one, or set split.by to 'group'",
                code="data.split",
            )
        folds[item.fold].add(item.group)
    test = folds.pop(config.test_fold, None)
    if test is None:
        known = ", ".join(sorted(folds))
        raise DataError(
            f"there is no fold {config.test_fold!r}; the folds are {known}",
            hint="set split.test_fold to one",
            code="data.split",
        )
    groups = set().union(*folds.values())
    if both := test & groups:
        raise DataError(
            f"group {min(both)!r} stands in fold {config.test_fold!r} and in another",
            hint="give all items of a group one fold",
            code="data.split",
        )
    sex = {item.group: item.extra.get("sex", "") for item in items if item.group in groups}
    chosen = _hold_out(groups, sex, config, at_least=2)
    side_of = dict.fromkeys(test, "test") | {g: "validation" if g in chosen else "train" for g in groups}
    return [side_of[item.group] for item in items]


def _hold_out(groups: set[str], sex: Mapping[str, str], config: SplitConfig, at_least: int) -> set[str]:
    """Validation groups: the share asked for, in the order of their hash, taking the sexes in turn."""
    count = min(max(at_least, round(config.validation * len(groups))), len(groups) - 1)
    if count < 1:
        raise DataError(
            f"{len(groups)} training group(s) leave none to validate on",
            hint="add groups, or set split.by to 'group'",
            code="data.split",
        )
    ranked: dict[str, list[str]] = defaultdict(list)
    for group in sorted(groups, key=lambda name: (group_position(name, config.seed), name)):
        ranked[sex.get(group, "")].append(group)
    queues = [ranked[kind] for kind in sorted(ranked)]
    turn = [queue[i] for i in range(max(map(len, queues))) for queue in queues if i < len(queue)]
    return set(turn[:count])
