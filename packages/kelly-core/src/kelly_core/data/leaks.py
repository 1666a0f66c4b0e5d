"""Find what stands on two sides of a split: a group, the same audio or notes, or nearly the same."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from kelly_core.data.dataset import Item
from kelly_core.data.feature_set import FeatureSet, build_features
from kelly_core.data.fingerprint import FRAME, HOP, SAMPLE_RATE, VERSION, distance, fingerprint
from kelly_core.data.symbolic import is_sound, same_tune_pairs, symbolic_prints
from kelly_core.features.cache import FeatureCache
from kelly_core.progress import Progress

NEAR = 0.15
"""Share of differing bits below which two clips are one recording. On RAVDESS, copies with gain, OGG or MP3
coding, noise and shifts differ by at most 0.10; an actor's two takes of one sentence, 719 pairs, by at
least 0.20 at their best alignment (and one pair is the same recording twice)."""
_COMMON = 32  # a word that so many clips share is no evidence


@dataclass(frozen=True, slots=True)
class Leak:
    """Something that two sides of a split share.

    Attributes:
        kind: What is shared.
        first, second: Paths; for a group its name, twice.
        sides: The side of each.
        detail: For people.
    """

    kind: Literal["group", "same audio", "same notes", "same tune", "near-duplicate"]
    first: str
    second: str
    sides: tuple[str, str]
    detail: str

    def __str__(self) -> str:
        on = " and ".join(self.sides)
        if self.kind == "group":
            return f"group {self.first!r} stands in {on}: {self.detail}"
        return f"{self.kind} in {on}: {self.first} and {self.second} ({self.detail})"


def build_fingerprints(
    items: Sequence[Item], folder: str | Path, progress: Progress | None = None, workers: int = 1
) -> FeatureSet:
    """Fingerprints of all items: of sound through a feature cache in `folder`, of notes as they are."""
    if items and not is_sound(items[0].path):
        return symbolic_prints(items, progress)
    cache = FeatureCache(folder, {"features": "fingerprint", "frame": FRAME, "hop": HOP}, VERSION)
    return build_features(
        items, fingerprint, cache, progress, workers, sample_rate=SAMPLE_RATE, description="fingerprints"
    )


def find_leaks(
    items: Sequence[Item], split: Mapping[str, NDArray[np.int64]], fingerprints: FeatureSet
) -> list[Leak]:
    """Everything that two sides share: groups, then same audio or notes, then near-duplicates or one tune.

    Args:
        items: The dataset's items.
        split: Their sides.
        fingerprints: Of the items, in their order (`build_fingerprints`).
    """
    side_of = {int(i): side for side, indices in split.items() for i in indices}
    same = list(_same_audio(items, side_of, fingerprints))
    known = {(leak.first, leak.second) for leak in same}
    nearly = _near if items and is_sound(items[0].path) else _tunes
    near = [leak for leak in nearly(items, side_of, fingerprints) if (leak.first, leak.second) not in known]
    return [*_groups(items, side_of), *same, *near]


def _groups(items: Sequence[Item], side_of: Mapping[int, str]) -> Iterator[Leak]:
    sides: dict[str, Counter[str]] = defaultdict(Counter)
    for i, side in side_of.items():
        sides[items[i].group][side] += 1
    for group, counts in sorted(sides.items()):
        for first, second in combinations(counts, 2):
            detail = f"{counts[first]} and {counts[second]} items"
            yield Leak("group", group, group, (first, second), detail)


def _same_audio(items: Sequence[Item], side_of: Mapping[int, str], prints: FeatureSet) -> Iterator[Leak]:
    owners: dict[str, list[int]] = defaultdict(list)
    for i in sorted(side_of):
        content = prints.content_hashes[i]
        if content is not None:
            owners[content].append(i)
    for content, members in owners.items():
        for i, j in combinations(members, 2):
            if side_of[i] != side_of[j]:
                detail = f"decoded content {content[:12]}"
                kind: Literal["same audio", "same notes"] = (
                    "same audio" if is_sound(items[i].path) else "same notes"
                )
                yield Leak(kind, items[i].path, items[j].path, (side_of[i], side_of[j]), detail)


def _tunes(items: Sequence[Item], side_of: Mapping[int, str], prints: FeatureSet) -> Iterator[Leak]:
    for i, j in same_tune_pairs(prints):
        if i in side_of and j in side_of and side_of[i] != side_of[j]:
            detail = "the same runs of intervals and rhythm"
            yield Leak("same tune", items[i].path, items[j].path, (side_of[i], side_of[j]), detail)


def _near(items: Sequence[Item], side_of: Mapping[int, str], prints: FeatureSet) -> Iterator[Leak]:
    words = {i: array for i in sorted(side_of) if (array := prints.arrays[i]) is not None}
    for (i, j), offsets in sorted(_candidates(words, side_of).items()):
        # A shift that is no multiple of the hop falls between two offsets; try the neighbours too.
        tried = {offset + step for offset in offsets for step in (-1, 0, 1)}
        best, offset = min((distance(words[i], words[j], offset), offset) for offset in tried)
        if best < NEAR:
            shift = offset * HOP / SAMPLE_RATE
            detail = f"{100 * (1 - best):.0f} % of the fingerprint agrees, shifted by {shift:+.2f} s"
            yield Leak("near-duplicate", items[i].path, items[j].path, (side_of[i], side_of[j]), detail)


def _candidates(
    words: Mapping[int, NDArray[np.uint32]], side_of: Mapping[int, str]
) -> dict[tuple[int, int], set[int]]:
    """Pairs on different sides that share a fingerprint word, with the offsets most words vote for."""
    if not words:
        return {}
    word = np.concatenate(list(words.values()))
    owner = np.concatenate([np.full(len(array), i) for i, array in words.items()])
    frame = np.concatenate([np.arange(len(array)) for array in words.values()])
    order = np.argsort(word, kind="stable")
    order = order[word[order] != 0]
    runs = np.split(order, np.flatnonzero(np.diff(word[order])) + 1)
    votes: dict[tuple[int, int], Counter[int]] = defaultdict(Counter)
    for run in runs:
        if not 1 < len(run) <= _COMMON:
            continue
        for a, b in combinations(run.tolist(), 2):
            i, j = int(owner[a]), int(owner[b])
            if side_of[i] != side_of[j]:
                offset = int(frame[a] - frame[b])
                pair, offset = ((i, j), offset) if i < j else ((j, i), -offset)
                votes[pair][offset] += 1
    return {pair: {offset for offset, _ in count.most_common(3)} for pair, count in votes.items()}
