"""The data set `harmony-demo`: writes the synthetic songs once and lists them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kelly_core.data import Dataset
from kelly_core.data.demo import TABLE, Demo, write_table
from kelly_harmony.demo.compose import BEATS, Song, compose
from kelly_harmony.keys import key_name

NOTE = "synthetic: melodies made up over common progressions, not written by people"
TICKS = 480


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """Which songs to make.

    Attributes:
        songs: How many.
        bars: Length of each.
        seed: Seed of everything random.
    """

    songs: int = 60
    bars: int = 16
    seed: int = 0


def open_demo(path: Path, options: Mapping[str, Any] | None = None) -> Dataset:
    """Make the songs below `path` unless they are there already, and list them.

    Args:
        path: Folder that may be written to, made if missing; or the folder of songs made earlier.
        options: `songs`, `bars`, `seed`; the fields of `DemoOptions`. Others are ignored.

    Returns:
        The songs, each its own group, marked synthetic.

    Raises:
        ConfigError: An option is out of range.
    """
    return DEMO.listed(path, options, group="file", one_in=6, group_kind="song", extra=("key",), notes=(NOTE,))


def _write(folder: Path, options: DemoOptions) -> None:
    rows = []
    for number in range(options.songs):
        song = compose(np.random.default_rng([options.seed, number]), options.bars)
        name = f"synthetic-{number + 1:03d}.mid"
        write_song(folder / name, song)
        rows.append({"file": name, "key": key_name(song.key), "bpm": str(song.bpm)})
    write_table(folder / TABLE, rows)


def write_song(path: Path, song: Song) -> None:
    """A song as MIDI: a track of melody, one of block chords."""
    from kelly_core.features.midi import make_notes, write_notes
    from kelly_harmony.chords import NONE
    from kelly_harmony.voicing import voice_chords

    slot = TICKS // 4
    pitch, begin, length = song.melody.T
    shared = {"ticks_per_beat": TICKS, "bpm": float(song.bpm)}
    melody = make_notes(pitch, begin * slot, length * slot, 90, **shared)
    voiced = voice_chords(song.chords.tolist(), [float("inf")] * len(song.chords))
    bar = BEATS * TICKS
    rows = [(note, at * bar) for at, voices in enumerate(voiced) if song.chords[at] != NONE for note in voices]
    notes, onsets = np.array(rows, np.int64).T
    chords = make_notes(notes, onsets, bar, 60, channel=1, track=1, **shared)
    write_notes(
        path,
        np.concatenate([melody, chords]),
        float(song.bpm),
        ticks_per_beat=TICKS,
        names=("Melody", "Chords"),
    )


DEMO = Demo("harmony-demo", 1, DemoOptions, _write)
recognises = DEMO.recognises
