"""What a dataset is: a lazy table of items. Opening one lists; nothing decodes until asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Item:
    """One file of a dataset, or a part of one.

    Attributes:
        path: Where it lies, absolute.
        label: Class name after mapping; empty where the model needs none.
        group: What must not stand on two sides of a split: speaker, tune, drummer. The file's own
            name where nothing better is known.
        split: The dataset's own split (`"train"`, `"validation"`, `"test"`), if it declares one.
        fold: The dataset's own fold, if it declares one.
        extra: Every other column, as text.
        part: Which part of the file, where one file holds many items.
    """

    path: str
    label: str = ""
    group: str = ""
    split: str | None = None
    fold: str | None = None
    extra: Mapping[str, str] = field(default_factory=dict)
    part: str = ""

    @property
    def place(self) -> str:
        """Where it lies, for people: its file and the part of it."""
        return f"{self.path}: {self.part}" if self.part else self.path


@dataclass(frozen=True, slots=True)
class Problem:
    """A file that can't be used, with the reason."""

    path: str
    reason: str

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Dataset:
    """Items and where they come from.

    Attributes:
        name: The dataset plugin's name.
        root: Folder the items lie in.
        items: The items, sorted by path.
        synthetic: True when the data is made, not recorded.
        licence, citation: For the model card.
        group_kind: What `Item.group` is, for people (`"speaker"`, `"file"`).
        problems: Files left out while listing.
        notes: Remarks for people (`"calm merged into neutral"`).
    """

    name: str
    root: Path
    items: Sequence[Item]
    synthetic: bool = False
    licence: str = ""
    citation: str = ""
    group_kind: str = "file"
    problems: Sequence[Problem] = ()
    notes: Sequence[str] = ()

    def counts(self) -> dict[str, int]:
        """Items per label, in the order of the label's name."""
        return dict(sorted(Counter(item.label for item in self.items).items()))
