"""Tunes through the feature cache: found by the content of their files, so that a second look reads no MIDI."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kelly_core.data import Item
from kelly_core.errors import DataError
from kelly_core.features.cache import FeatureCache
from kelly_core.features.midi import MIDI_VERSION
from kelly_harmony.data import pop909
from kelly_harmony.data.midi import read_lead
from kelly_harmony.lead import MELODY, METRE, Lead

LEAD_VERSION = f"lead-1 {MIDI_VERSION}"
"""Changes whenever a tune would be read differently."""
AT_ONCE = 200
"""Tunes that are put into the cache together."""
_NUMBERS = ((np.float32, MELODY), (np.float32, METRE), (np.int64, 1), (np.int64, 1))


def read_items(items: Mapping[int, Item], folder: Path) -> Iterator[tuple[int, Lead | DataError]]:
    """Every tune, or why it can't be used, in the order of `items`."""
    cache = FeatureCache(folder, {"kind": "harmony leads"}, LEAD_VERSION)
    keys = {index: _content(item) for index, item in items.items()}
    found = cache.get_many([key for key in keys.values() if key])
    fresh: dict[str, NDArray[np.uint8]] = {}
    for index, item in items.items():
        key = keys[index]
        if key in found:
            yield index, unpack(found[key])
            continue
        try:
            lead = read_item(item)
        except DataError as error:
            yield index, error
            continue
        fresh[key] = pack(lead)
        if len(fresh) >= AT_ONCE:
            cache.put_many(fresh)
            fresh = {}
        yield index, lead
    cache.put_many(fresh)


def read_item(item: Item) -> Lead:
    """A tune with its chords, by the layout it is from.

    Raises:
        DataError: It can't be read, or has no melody or no chords.
    """
    path = Path(item.path)
    lead = pop909.read_song(path) if item.extra.get("kind") == pop909.NAME else read_lead(path)
    if not np.any(lead.chords >= 0):
        raise DataError(
            "no chord of it can be named", where=str(path), hint="leave it out", code="data.dataset-file"
        )
    return lead


def _content(item: Item) -> str:
    """SHA-256 over what a tune is read from; empty where that can't be read."""
    path = Path(item.path)
    is_song = item.extra.get("kind") == pop909.NAME
    names = (pop909.BEATS, pop909.CHORDS, pop909.KEYS) if is_song else ()
    digest = hashlib.sha256(f"{is_song} {path.stem}\0".encode())
    try:
        for file in (path, *(path.with_name(name) for name in names)):
            content = file.read_bytes()
            digest.update(f"{len(content)}\0".encode() + content)
    except OSError:
        return ""
    return digest.hexdigest()


def pack(lead: Lead) -> NDArray[np.uint8]:
    """A tune as bytes."""
    told = json.dumps({"beats": len(lead), "labels": lead.labels, "name": lead.name}).encode()
    parts: Sequence[NDArray] = (lead.melody, lead.metre, lead.key, lead.chords, lead.edges, lead.intervals)
    body = b"".join(np.ascontiguousarray(part).tobytes() for part in parts)
    return np.frombuffer(len(told).to_bytes(4) + told + body, np.uint8)


def unpack(packed: NDArray[np.uint8]) -> Lead:
    """The tune that was packed."""
    data = packed.tobytes()
    at = 4 + int.from_bytes(data[:4])
    told = json.loads(data[4:at])
    beats, columns = told["beats"], []
    for kind, width in _NUMBERS:
        columns.append(np.frombuffer(data, kind, beats * width, at).reshape(beats, width))
        at += columns[-1].nbytes
    edges = np.frombuffer(data, np.float64, beats + 1, at)
    intervals = np.frombuffer(data, np.float64, -1, at + edges.nbytes).reshape(-1, 2)
    melody, metre, key, chords = columns
    return Lead(melody, metre, key[:, 0], chords[:, 0], edges, intervals, tuple(told["labels"]), told["name"])
