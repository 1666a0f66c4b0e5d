"""Looking at datasets of notes as a whole: what their files hold, and which are one tune."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kelly_core.data.audio_files import CONVERTIBLE, READABLE
from kelly_core.data.dataset import Item, Problem
from kelly_core.data.feature_set import FeatureSet
from kelly_core.errors import DataError
from kelly_core.features.midi.read import SUFFIXES, read_midi
from kelly_core.features.midi.tunes import same_tunes, tune_runs
from kelly_core.progress import Progress, Silent


def is_sound(path: str) -> bool:
    """Whether a file is sound by its suffix; others hold notes."""
    return Path(path).suffix.lower() in READABLE | CONVERTIBLE


def describe(path: str) -> tuple[float, str]:
    """Length in s, and the kind of file; scores and the like have no length of their own.

    Raises:
        DataError: A MIDI file that can't be read.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in SUFFIXES:
        return 0.0, suffix.removeprefix(".") or "no suffix"
    midi = read_midi(Path(path))
    return float(midi.seconds(midi.end_tick)), f"MIDI format {midi.raw.format}"


def symbolic_prints(items: Sequence[Item], progress: Progress | None = None) -> FeatureSet:
    """The runs of each item's tune (see `tunes`) and a hash of its notes; of its bytes where it isn't MIDI."""
    arrays: list[NDArray[Any] | None] = []
    contents: list[str | None] = []
    problems: list[Problem] = []
    for item in (progress or Silent()).track(items, "reading notes", len(items)):
        try:
            array, content = _print(Path(item.path), item.part)
        except DataError as error:
            problems.append(Problem(item.place, error.message))
            array = content = None
        arrays.append(array)
        contents.append(content)
    lines = sorted(f"{content} {item.label}" for item, content in zip(items, contents, strict=True) if content)
    return FeatureSet(arrays, contents, problems, hashlib.sha256("\n".join(lines).encode()).hexdigest())


def same_tune_pairs(prints: FeatureSet) -> list[tuple[int, int]]:
    """Positions of items that are one tune, every pair of them."""
    runs = [frozenset() if array is None else frozenset(array.tolist()) for array in prints.arrays]
    members: defaultdict[int, list[int]] = defaultdict(list)
    for at, tune in enumerate(same_tunes(runs)):
        members[tune].append(at)
    return [pair for places in members.values() for pair in combinations(places, 2)]


def _print(path: Path, part: str) -> tuple[NDArray[Any] | None, str]:
    if path.suffix.lower() in SUFFIXES:
        notes = read_midi(path).notes
        if not len(notes):
            raise DataError("it holds no notes", where=str(path), hint="remove it", code="data.midi")
        fields = ("onset_tick", "duration_tick", "pitch", "velocity", "channel")
        digest = hashlib.sha256(b"".join(notes[field].tobytes() for field in fields))
        return np.array(sorted(tune_runs(notes)), np.int64), digest.hexdigest()
    try:
        # Parts of one file are told apart by their names: what they hold only their own reader knows.
        return None, hashlib.sha256(path.read_bytes() + part.encode()).hexdigest()
    except OSError as error:
        raise DataError(
            f"it can't be read ({error.strerror})", where=str(path), hint="check it", code="data.midi"
        ) from None
