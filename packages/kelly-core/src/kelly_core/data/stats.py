"""Figures of a dataset, from the files' headers alone: classes, durations, groups, size."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from kelly_core.data.audio_files import audio_info
from kelly_core.data.dataset import Dataset, Problem
from kelly_core.data.symbolic import describe, is_sound
from kelly_core.errors import DataError
from kelly_core.progress import Progress, Silent

ADVISED_BYTES = 2 * 10**9
"""Size of a dataset that trains comfortably on a laptop."""


@dataclass(frozen=True, slots=True)
class ClassStats:
    """One class, or all of them: items, groups, and lengths in s."""

    items: int
    groups: int
    total_s: float
    shortest_s: float
    mean_s: float
    longest_s: float


@dataclass(frozen=True, slots=True)
class DatasetStats:
    """What `kelly data stats` shows.

    Attributes:
        classes: By label.
        overall: All readable items.
        bytes: Size of the readable files.
        formats: How many files of each sample rate, channel count and encoding.
        problems: Files left out, from listing or with an unreadable header.
    """

    classes: dict[str, ClassStats]
    overall: ClassStats
    bytes: int
    formats: dict[str, int]
    problems: list[Problem]

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self) | {"advised_bytes": ADVISED_BYTES}


def dataset_stats(dataset: Dataset, progress: Progress | None = None) -> DatasetStats:
    """Read the header of every file and count."""
    lengths: dict[str, list[float]] = defaultdict(list)
    groups: dict[str, set[str]] = defaultdict(set)
    formats: Counter[str] = Counter()
    problems = list(dataset.problems)
    sizes: dict[str, int] = {}
    for item in (progress or Silent()).track(dataset.items, "headers", len(dataset.items)):
        try:
            seconds, kind = _describe(item.path)
        except DataError as error:
            problems.append(Problem(item.path, error.message))
            continue
        lengths[item.label].append(seconds)
        groups[item.label].add(item.group)
        formats[kind] += 1
        sizes[item.path] = Path(item.path).stat().st_size
    everything = [seconds for values in lengths.values() for seconds in values]
    return DatasetStats(
        {label: _of(lengths[label], groups[label]) for label in sorted(lengths)},
        _of(everything, set().union(*groups.values())),
        sum(sizes.values()),
        dict(formats.most_common()),
        problems,
    )


def _describe(path: str) -> tuple[float, str]:
    """Length in s and format of a file, of sound from its header alone."""
    if not is_sound(path):
        return describe(path)
    info = audio_info(path)
    channels = "mono" if info.channels == 1 else f"{info.channels} channels"
    return info.seconds, f"{info.format} {info.subtype}, {info.sample_rate} Hz, {channels}"


def _of(lengths: list[float], groups: set[str]) -> ClassStats:
    total = sum(lengths)
    return ClassStats(
        len(lengths),
        len(groups),
        total,
        min(lengths, default=0.0),
        total / max(1, len(lengths)),
        max(lengths, default=0.0),
    )
