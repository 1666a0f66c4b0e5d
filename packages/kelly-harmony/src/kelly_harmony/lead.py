"""A lead sheet on its beats: what the network is told about each beat, and the chord that goes with it.

A beat is a quarter note, in 6/8, 9/8 and 12/8 a dotted one. It is divided into four slots. Everything is in
absolute pitch classes; the network itself turns them towards the key.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

SLOTS = 4
SOUNDING = SLOTS * 12
"""Columns of `melody` that say how much of each slot each pitch class sounds; then 12 say what begins."""
MELODY = SOUNDING + 12 + 2
"""Numbers about the melody of a beat; the last two are its mean height and how much of it sounds."""
PLACES = 8
PHASES = (2, 4, 8)
LENGTHS = (2, 3, 4)
METRE = PLACES + 2 * len(PHASES) + len(LENGTHS) + 1 + 3
"""Numbers about the place of a beat; the last is 1 for a beat that is there."""
LONGEST = 200
"""Beats after which the count of beats stops."""
MIDDLE = 60.0

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Lead:
    """One tune.

    Attributes:
        melody: (beats, MELODY), see `melody_features`.
        metre: (beats, METRE), see `metre_features`.
        key: (beats,) `2 * tonic + minor`.
        chords: (beats,) of the vocabulary; -1 where nothing is known.
        edges: (beats + 1,) seconds at which beats begin and the last one ends.
        intervals: (chords, 2) begin and end of the annotated chords, s.
        labels: Their labels as the dataset writes them.
        name: Which tune.
    """

    melody: Floats
    metre: Floats
    key: Ints
    chords: Ints
    edges: NDArray[np.float64]
    intervals: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 2)))
    labels: tuple[str, ...] = ()
    name: str = ""

    def __len__(self) -> int:
        return len(self.key)


def melody_features(
    onset: NDArray[np.floating], end: NDArray[np.floating], pitch: NDArray[np.integer], beats: int
) -> Floats:
    """What sounds in each beat.

    Args:
        onset: (notes,) beats from the start.
        end: (notes,) beats from the start.
        pitch: (notes,) MIDI numbers.
        beats: How many.

    Returns:
        (beats, MELODY): the share of each slot in which each pitch class sounds (slot by slot, from C), how
        many notes of each pitch class begin in the beat, octaves of the mean pitch above middle C, and the
        share of the beat in which anything sounds. A note a little early or late counts from its slot.
    """
    slots = beats * SLOTS
    sounding, begins = np.zeros((slots, 12)), np.zeros((beats, 12))
    height, amount = np.zeros(beats), np.zeros(beats)
    starts, stops = np.asarray(onset, np.float64) * SLOTS, np.asarray(end, np.float64) * SLOTS
    nearest = np.floor(starts + 0.5)
    starts = np.where(np.abs(starts - nearest) < 0.4, nearest, starts)
    inside = (starts < slots) & (stops > 0)
    columns = (starts[inside], stops[inside], nearest[inside], np.asarray(pitch, np.int64)[inside])
    for start, stop, at, midi in zip(*(column.tolist() for column in columns), strict=True):
        begins[min(beats - 1, max(0, int(at) // SLOTS)), midi % 12] += 1
        places = np.arange(max(0, int(start)), min(slots, int(np.ceil(stop))))
        shares = np.minimum(stop, places + 1) - np.maximum(start, places)
        shares = np.maximum(0.0, shares)
        sounding[places, midi % 12] += shares
        np.add.at(height, places // SLOTS, shares * midi)
        np.add.at(amount, places // SLOTS, shares)
    result = np.zeros((beats, MELODY), np.float32)
    result[:, :SOUNDING] = np.minimum(1.0, sounding).reshape(beats, SOUNDING)
    result[:, SOUNDING : SOUNDING + 12] = np.minimum(4.0, begins)
    heard = amount > 0.05 * SLOTS
    result[heard, -2] = (height[heard] / amount[heard] - MIDDLE) / 12.0
    result[:, -1] = np.minimum(1.0, amount / SLOTS)
    return result


def metre_features(place: Ints, length: Ints, bar: Ints, sounding: Floats) -> Floats:
    """Where each beat stands.

    Args:
        place: (beats,) beats since the bar line.
        length: (beats,) beats of a full bar.
        bar: (beats,) number of the bar.
        sounding: (beats,) share of the beat in which the melody sounds.

    Returns:
        (beats, METRE): one-hot place in the bar, cosine and sine of the place in groups of 2, 4 and 8 bars,
        one-hot length of the bar (2, 3, 4, other), whether the melody has begun, hundreds of beats so far,
        1 for a beat that is there.
    """
    beats = len(place)
    result = np.zeros((beats, METRE), np.float32)
    rows = np.arange(beats)
    result[rows, np.minimum(place, PLACES - 1)] = 1.0
    through = bar + np.minimum(1.0, place / np.maximum(1, length))
    for number, bars in enumerate(PHASES):
        angle = 2 * np.pi * through / bars
        result[:, PLACES + 2 * number] = np.cos(angle)
        result[:, PLACES + 2 * number + 1] = np.sin(angle)
    at = PLACES + 2 * len(PHASES)
    which = np.select([length == known for known in LENGTHS], range(len(LENGTHS)), len(LENGTHS))
    result[rows, at + which] = 1.0
    result[:, -3] = np.maximum.accumulate(sounding > 0.05) if beats else 0.0
    result[:, -2] = np.minimum(rows, LONGEST) / 100.0
    result[:, -1] = 1.0
    return result


def bars_of_downbeats(downbeat: NDArray[np.bool_]) -> tuple[Ints, Ints, Ints]:
    """Place, length and number of the bar of each beat, from which beats begin a bar.

    Args:
        downbeat: (beats,) whether a bar begins.

    Returns:
        Three (beats,) arrays. Beats before the first bar line end a bar of the usual length.
    """
    beats = len(downbeat)
    starts = np.flatnonzero(downbeat)
    if not len(starts):
        starts = np.array([0])
    gaps = np.diff(starts)
    usual = int(np.bincount(gaps).argmax()) if len(gaps) else 4
    number = np.searchsorted(starts, np.arange(beats), side="right")
    begins = np.where(number > 0, starts[np.maximum(number - 1, 0)], starts[0] - usual)
    place = (np.arange(beats) - begins) % 64
    # Whether a bar is cut short isn't known before it has ended: each is told the usual length.
    return place.astype(np.int64), np.full(beats, usual, np.int64), number.astype(np.int64)


def chord_per_beat(
    edges: NDArray[np.float64], intervals: NDArray[np.float64], chords: Ints, beyond: int
) -> Ints:
    """The chord at the middle of each beat.

    Args:
        edges: (beats + 1,) s.
        intervals: (chords, 2) s, ascending.
        chords: (chords,) of the vocabulary.
        beyond: What counts where no chord is annotated.
    """
    middle = (edges[1:] + edges[:-1]) / 2
    if not len(chords):
        return np.full(len(middle), beyond, np.int64)
    at = np.searchsorted(intervals[:, 0], middle, side="right") - 1
    inside = (at >= 0) & (middle <= intervals[np.maximum(at, 0), 1])
    return np.where(inside, chords[np.maximum(at, 0)], beyond).astype(np.int64)
