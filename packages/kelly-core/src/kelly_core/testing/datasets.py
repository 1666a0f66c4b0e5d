"""Rules about data: what a dataset lists, and how it is split."""

from __future__ import annotations

from pathlib import Path

from kelly_core.data.dataset import Dataset
from kelly_core.testing.rules import BrokenRuleError, NotApplicableError, rule
from kelly_core.testing.subject import Subject


@rule(
    "dataset",
    why="splits, caches and reports rely on items that exist, stand once, and have a group",
    mend="list absolute paths of files that are there, sorted, each with the group that must stay together",
)
def built_in_items_are_usable(subject: Subject) -> str:
    """A built-in dataset lists existing files with groups, the same every time."""
    if not subject.dataset.builtin:
        raise NotApplicableError("it needs a folder of recordings")
    opener = subject.dataset.opener.resolve()
    folder = subject.empty_folder("built-in")
    first, second = opener(folder, {}), opener(folder, {})
    if not isinstance(first, Dataset):
        raise BrokenRuleError(f"the opener returned a {type(first).__name__}")
    if list(first.items) != list(second.items):
        raise BrokenRuleError("opened twice, it lists other items")
    if not first.synthetic and subject.dataset.synthetic:
        raise BrokenRuleError("the spec says synthetic, the dataset doesn't")
    return _usable(first)


@rule(
    "model",
    why="a group, a recording or a tune on two sides makes the figures better than the model is",
    mend="give items of one speaker, tune or session one group, or a declared split that keeps them together",
    cost="trains",
)
def splits_leak_nothing(subject: Subject) -> str:
    """Nothing stands on two sides of the demo data's split."""
    from kelly_core.data.leaks import build_fingerprints, find_leaks

    job = subject.job
    _usable(job.dataset)
    prints = build_fingerprints(job.dataset.items, subject.workspace.root / "prints")
    leaks = find_leaks(job.dataset.items, job.split, prints)
    if leaks:
        raise BrokenRuleError(f"{len(leaks)} leaks, the first: {leaks[0]}")
    return ", ".join(f"{len(indices)} {side}" for side, indices in job.split.items())


def _usable(dataset: Dataset) -> str:
    seen: set[str] = set()
    for item in dataset.items:
        if not Path(item.path).is_absolute() or not Path(item.path).exists():
            raise BrokenRuleError(f"{item.path!r} is no absolute path of a file that is there")
        if item.place in seen:
            raise BrokenRuleError(f"{item.place!r} is listed twice")
        if not item.group:
            raise BrokenRuleError(f"{item.place!r} has no group")
        seen.add(item.place)
    if not seen:
        raise BrokenRuleError("it lists nothing")
    return f"{len(seen)} items"
