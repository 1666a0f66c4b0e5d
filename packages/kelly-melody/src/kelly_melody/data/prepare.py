"""From listed files to training examples, one source per side of the split."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from kelly_core.data import Dataset, Item, Problem
from kelly_core.data.splits import describe_split
from kelly_core.errors import DataError, UserError
from kelly_core.features.cache import FeatureCache
from kelly_core.features.midi import Key, parse_key, read_midi
from kelly_core.task import Context, Prepared, Split
from kelly_melody.config import MelodyConfig
from kelly_melody.data.read import file_key, to_melody
from kelly_melody.data.source import MelodySource
from kelly_melody.features.inputs import memory_of, tell
from kelly_melody.tokens import Melody

MEMORY_VERSION = "memory-1"
"""Changes whenever a melody's memory would be computed differently."""
FEWEST = 8
"""Shorter melodies say nothing about what comes next."""


def prepare(config: MelodyConfig, dataset: Dataset, split: Split, context: Context) -> Prepared:
    """Read every melody of the split; what its memory proposes comes from the cache where it is known.

    Raises:
        DataError: A side of the split has no usable file, or `strict_data` is on and one is unusable.
    """
    used = np.sort(np.concatenate(list(split.values())))
    if any(dataset.items[int(index)].part for index in used):
        raise DataError(
            f"dataset {dataset.name!r} holds piano rolls; the notes of a melody can't be learned from them",
            where=str(dataset.root),
            hint="train the other head on them: --set head=keys",
            code="data.layout",
        )
    read: dict[int, Melody] = {}
    problems: list[Problem] = []
    for index in context.progress.track(used.tolist(), "reading MIDI", len(used)):
        item = dataset.items[index]
        try:
            read[index] = read_item(item)
        except DataError as error:
            if config.strict_data:
                raise
            problems.append(Problem(item.path, error.message))
    hashes = {index: melody_hash(melody) for index, melody in read.items()}
    memories = _memories(read, hashes, context)
    sources = {}
    for side, indices in split.items():
        kept = [int(index) for index in indices if int(index) in read]
        if len(indices) and not kept:
            raise DataError(
                f"no usable file is left for {side} ({len(problems)} of {len(used)} are unusable)",
                where=str(dataset.root),
                hint=f"the first: {problems[0].path}: {problems[0].reason}",
                code="data.nothing-left",
            )
        if kept:
            told = [tell(read[index], memories[hashes[index]]) for index in kept]
            sources[side] = _source(config, dataset, kept, [read[at] for at in kept], told, side)
    content = hashlib.sha256("\n".join(sorted(hashes.values())).encode()).hexdigest()
    return Prepared(sources, problems, content, _summary(dataset, split, sources))


def read_item(item: Item) -> Melody:
    """The melody of an item; a column `key` counts where it agrees with the file or the file has none.

    Raises:
        DataError: There is no melody of at least `FEWEST` notes.
    """
    midi = read_midi(Path(item.path))
    melody = to_melody(midi, _key(item.extra.get("key", ""), file_key(midi)))
    if len(melody) < FEWEST:
        raise DataError(
            f"its melody has {len(melody)} notes",
            where=item.path,
            hint=f"{FEWEST} are needed",
            code="data.midi",
        )
    return melody


def _key(column: str, of_file: Key | None) -> Key | None:
    try:
        named = parse_key(column, "file") if column else None
    except UserError:
        named = None
    # A file that disagrees was made from other notes than the column was written for.
    return named if named and (of_file is None or of_file.fifths == named.fifths) else of_file


def melody_hash(melody: Melody) -> str:
    """SHA-256 over all that the network is told of a melody."""
    facts = f"{melody.start} {melody.key.fifths} {melody.key.minor} {melody.metres}"
    return hashlib.sha256(facts.encode() + melody.pitch.tobytes() + melody.duration.tobytes()).hexdigest()


def _memories(read: dict[int, Melody], hashes: dict[int, str], context: Context) -> dict[str, Any]:
    cache = FeatureCache(context.cache, {"kind": "melody-memory"}, MEMORY_VERSION)
    known: dict[str, Any] = dict(cache.get_many(sorted(set(hashes.values()))))
    missing = [index for index in read if hashes[index] not in known]
    made = {}
    for index in context.progress.track(missing, "looking for repeats", len(missing)):
        made[hashes[index]] = memory_of(read[index])
    if made:
        cache.put_many(made)
    return known | made


def _source(
    config: MelodyConfig, dataset: Dataset, kept: list[int], melodies: list[Melody], told: list[Any], side: str
) -> MelodySource:
    items = [dataset.items[index] for index in kept]
    columns = sorted({name for item in items for name in item.extra})
    return MelodySource(
        melodies,
        told,
        [item.path for item in items],
        np.array([item.group for item in items]),
        config.crop,
        config.transpose if side == "train" else 0.0,
        {name: np.array([item.extra.get(name, "") for item in items]) for name in columns},
    )


def _summary(dataset: Dataset, split: Split, sources: dict[str, MelodySource]) -> dict[str, Any]:
    def hours(source: MelodySource) -> float:
        return sum(float(m.onsets()[-1] - m.start) / 24 * 60 / m.bpm for m in source.melodies) / 3600

    estimated = [m.key.source == "estimated" for source in sources.values() for m in source.melodies]
    return {
        "split": describe_split(dataset.items, split),
        "hours": {side: round(hours(source), 4) for side, source in sources.items()},
        "tokens": {side: sum(map(len, source.melodies)) for side, source in sources.items()},
        "keys": f"{sum(estimated)} of {len(estimated)} estimated from the notes",
    }
