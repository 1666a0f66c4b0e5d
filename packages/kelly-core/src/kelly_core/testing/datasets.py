"""Rules about data: what a dataset lists, how it is split, what happens to a damaged file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from kelly_core.data.dataset import Dataset
from kelly_core.errors import KellyError
from kelly_core.testing.rules import BrokenRuleError, NotApplicableError, rule
from kelly_core.testing.subject import Subject


@rule(
    "dataset",
    why="splits, caches and reports rely on items that exist, stand once, and have a group",
    mend="list absolute paths of files that are there, sorted, each with the group that must stay together",
)
def items_are_usable(subject: Subject) -> str:
    """A dataset lists existing files with groups, the same every time."""
    first = subject.opened
    if not isinstance(first, Dataset):
        raise BrokenRuleError(f"the opener returned a {type(first).__name__}")
    second = subject.open_again()
    if not isinstance(second, Dataset) or list(first.items) != list(second.items):
        raise BrokenRuleError("opened twice, it lists other items")
    if first.synthetic != subject.dataset.synthetic:
        told = {True: "synthetic", False: "recorded"}
        raise BrokenRuleError(
            f"the spec says {told[subject.dataset.synthetic]}, the dataset {told[first.synthetic]}"
        )
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


@rule(
    "model",
    why="in a large set some file is damaged; it must cost itself, or one clear error, never a traceback",
    mend="catch DataError in Task.prepare and return the file among Prepared.problems",
    cost="trains",
)
def damaged_items_are_errors_of_ours(subject: Subject) -> str:
    """A file of the training side that holds something else is named as a problem, or by a DataError."""
    job = subject.job
    at = int(job.split["train"][0])
    item = job.dataset.items[at]
    if Path(item.path).is_dir() or item.part:
        raise NotApplicableError("its items aren't files of their own")
    damaged = subject.empty_folder("damaged") / Path(item.path).name
    damaged.write_bytes(b"neither sound nor notes")
    items = list(job.dataset.items)
    items[at] = replace(item, path=str(damaged))
    changed = replace(job, dataset=replace(job.dataset, items=items))
    try:
        prepared = changed.prepare()
    except KellyError as error:
        if damaged.name not in str(error):
            raise BrokenRuleError(f"its error doesn't name the file: {error}") from error
        return f"refused: {error.message}"
    except Exception as error:
        raise BrokenRuleError(f"preparing it raised {type(error).__name__}: {error}") from error
    named = [problem for problem in prepared.problems if damaged.name in problem.path]
    if not named:
        raise BrokenRuleError(f"{damaged.name} holds no music, and no problem names it")
    return f"left out: {named[0].reason}"


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
