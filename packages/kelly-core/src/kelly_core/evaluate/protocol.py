"""A protocol: a small declared object that says on what, how and beside what a model is measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kelly_core.data import Dataset
    from kelly_core.task import Split


@dataclass(frozen=True, slots=True)
class PublishedRow:
    """A figure from a paper, with the protocol it was measured under, since that decides what it means."""

    name: str
    value: str
    protocol: str
    source: str


@dataclass(frozen=True)
class Protocol:
    """How a model is measured on a public dataset.

    Attributes:
        name: What `--protocol` takes.
        summary: One line for people.
        dataset: Dataset plugin.
        folds: `folds(dataset, seed) -> [(name, split), ...]`; test sides together cover the data, or it
            is the one split that the dataset declares (`official_split`).
        headline: The metric that counts, one of the task's.
        options: Dataset options that the protocol fixes.
        settings: Configuration values that the protocol fixes, by dotted key.
        published: Figures of others.
        arms: Ways to train and use the model that are measured apart (what it may know of a piece),
            each by the settings that make it one; each gets its own rows, beside its own baselines.
    """

    name: str
    summary: str
    dataset: str
    folds: Callable[[Dataset, int], Sequence[tuple[str, Split]]]
    headline: str
    options: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    published: Sequence[PublishedRow] = ()
    arms: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def arm_settings(self) -> dict[str, dict[str, Any]]:
        """Settings of each arm, what the protocol fixes included; without arms a single one without a name."""
        arms = self.arms or {"": {}}
        return {name: {**self.settings, **settings} for name, settings in arms.items()}


def official_split(dataset: Dataset, seed: int) -> Sequence[tuple[str, Split]]:
    """The one split that the dataset declares, as the only fold.

    Raises:
        DataError: An item declares no split.
    """
    from kelly_core.config import SplitConfig
    from kelly_core.data.splits import split_items

    return [("official", split_items(dataset.items, SplitConfig(by="declared", seed=seed)))]


FOLD_VALIDATION = 0.25
"""Share of the groups outside of the test fold that choose the epoch: four or five of nineteen speakers."""


def declared_folds(dataset: Dataset, seed: int) -> Sequence[tuple[str, Split]]:
    """The folds that the dataset declares, each the test side once; the seed draws validation groups.

    Raises:
        DataError: An item declares no fold.
    """
    from kelly_core.config import SplitConfig
    from kelly_core.data.splits import split_items

    folds = sorted({item.fold for item in dataset.items if item.fold is not None})
    config = SplitConfig(by="fold", validation=FOLD_VALIDATION, seed=seed)
    return [(fold, split_items(dataset.items, config.model_copy(update={"test_fold": fold}))) for fold in folds]
