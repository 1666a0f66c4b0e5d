"""The dataset `chroma-key-demo`: synthetic songs in all keys, written once as MIDI files, and listed.

A song is a bar-long chord after the other from a few common progressions, a bass and a melody over them. Every
third song moves to the dominant or to the relative key halfway. Nothing here is recorded music.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from kelly_core.data import Dataset, Item
from kelly_core.data.demo import Demo, read_table, sides_of, write_table
from numpy.typing import NDArray

from kelly_chroma_key.keys import KEYS, LABELS

TABLE = "metadata.csv"
TICKS, BAR = 480, 4
SCALES = {0: (0, 2, 4, 5, 7, 9, 11), 1: (0, 2, 3, 5, 7, 8, 10)}
"""Semitones above the tonic, by mode: 0 major, 1 natural minor."""
PROGRESSIONS = {
    0: ((0, 3, 4, 0), (0, 5, 3, 4), (0, 4, 5, 3), (1, 4, 0, 0)),
    1: ((0, 3, 4, 0), (0, 5, 2, 6), (0, 3, 6, 2), (5, 4, 0, 0)),
}
"""Degrees of the scale, a chord a bar."""
WRITTEN_BY = "made by kelly-chroma-key"


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """Which songs to make.

    Attributes:
        writers: Groups that no split puts on two sides.
        songs: Songs of each.
        seed: Seed of everything random.
    """

    writers: int = 12
    songs: int = 8
    seed: int = 0


def open_demo(path: Path, options: Mapping[str, Any] | None = None) -> Dataset:
    """Make the songs below `path` unless they are there already, and list them."""
    root = DEMO.open(path, options)
    rows = read_table(root / TABLE)
    sides = sides_of(sorted({row["writer"] for row in rows}), one_in=5)
    items = [
        Item(
            str(root / row["file"]),
            label=row["keys"].split(";")[0].partition(":")[2],
            group=row["writer"],
            split=sides.get(row["writer"]),
            extra={"keys": row["keys"]},
        )
        for row in rows
    ]
    return Dataset(
        DEMO.name,
        root,
        items,
        synthetic=True,
        licence=WRITTEN_BY,
        citation=WRITTEN_BY,
        group_kind="writer",
    )


def _write(folder: Path, options: DemoOptions) -> None:
    from kelly_core.features.midi import write_notes

    rows = []
    for writer in range(options.writers):
        for song in range(options.songs):
            rng = np.random.default_rng([options.seed, writer, song])
            plan = _plan(rng, (writer * options.songs + song) % KEYS)
            file = f"writer-{writer + 1:03d}-{song + 1:03d}.mid"
            write_notes(folder / file, _song(rng, plan), float(rng.integers(80, 140)), ticks_per_beat=TICKS)
            keys = ";".join(f"{bars * BAR}:{LABELS[key]}" for bars, key in plan)
            rows.append({"file": file, "writer": f"writer {writer + 1:03d}", "keys": keys})
    write_table(folder / TABLE, rows)


def _plan(rng: np.random.Generator, key: int) -> list[tuple[int, int]]:
    """(bar, key) of each change, the first at 0."""
    tonic, minor = key % 12, key // 12
    if rng.integers(3):
        return [(0, key)]
    dominant = (tonic + 7) % 12 + 12 * minor
    relative = (tonic + (3 if minor else 9)) % 12 + 12 * (1 - minor)
    return [(0, key), (8, int(rng.choice([dominant, relative])))]


def _song(rng: np.random.Generator, plan: list[tuple[int, int]]) -> NDArray[Any]:
    """Sixteen bars: melody, chords and bass, a track each."""
    from kelly_core.features.midi import make_notes

    pitch, onset, length, track = [], [], [], []

    def play(note: int, beat: float, beats: float, part: int) -> None:
        pitch.append(note)
        onset.append(round(beat * TICKS))
        length.append(round(beats * TICKS * 0.95))
        track.append(part)

    for bar in range(16):
        key = [key for start, key in plan if start <= bar][-1]
        scale = [key % 12 + step for step in SCALES[key // 12]]
        degree = PROGRESSIONS[key // 12][int(rng.integers(4)) if bar % 4 == 0 else 0][bar % 4]
        chord = [scale[(degree + third) % 7] for third in (0, 2, 4)]
        if key // 12 and degree == 4:
            chord[1] += 1  # the leading tone of the dominant in minor
        play(36 + chord[0] % 12, bar * BAR, BAR, 2)
        for note in chord:
            play(48 + note % 12, bar * BAR, BAR, 1)
        beat = 0.0
        while beat < BAR:
            lasting = min(float(rng.choice([0.5, 1.0, 1.0, 2.0])), BAR - beat)
            tone = chord[int(rng.integers(3))] if rng.random() < 0.6 else scale[int(rng.integers(7))]
            play(64 + (tone - 4) % 12, bar * BAR + beat, lasting, 0)
            beat += lasting
    return make_notes(pitch, onset, length, track=np.array(track), ticks_per_beat=TICKS)


DEMO = Demo("chroma-key-demo", version=1, options=DemoOptions, write=_write)
recognises = DEMO.recognises
