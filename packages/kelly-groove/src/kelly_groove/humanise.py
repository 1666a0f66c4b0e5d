"""From predicted grooves to a changed MIDI file: how far notes move, and what never happens to them.

Only onsets and velocities of drum notes change. Several hits of one drum on one step (flams, drags) move
together. A note written on a triplet is not pulled to the 16th next to it: the nearer of the two readings,
a swung 16th or a triplet played with the same deviation, is taken.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from kelly_groove.grid import LIMIT, N_DRUMS, STEPS_PER_BEAT, Performance

if TYPE_CHECKING:
    from kelly_core.features.midi import MidiFile

TRIPLET = 1.0 / 3.0
WRITTEN = 0.03
"""16ths within which a position counts as written on a triplet."""

Floats = NDArray[np.floating]


@dataclass(frozen=True)
class Said:
    """Predictions per step and drum, each (steps, drums); see `kelly_groove.model.Groove`."""

    offset: Floats
    velocity: Floats
    offset_spread: Floats
    velocity_spread: Floats


@dataclass(frozen=True, slots=True)
class Feel:
    """How much of a groove is taken over.

    Attributes:
        amount: 0 leaves the file as it is, 1 takes the prediction.
        variation: 0 gives the expected groove, 1 varies hits as much as drummers vary.
        seed: Seed of the variation.
        longest_ms: Bound on the distance from the 16th or triplet, beside half a 16th.
    """

    amount: float = 1.0
    variation: float = 0.3
    seed: int = 0
    longest_ms: float = 120.0


@dataclass(frozen=True)
class Changes:
    """New values for every note of a file, in the order of `MidiFile.notes`."""

    onset_tick: NDArray[np.int64]
    velocity: NDArray[np.int64]


def changes(
    midi: MidiFile, chosen: NDArray[np.int64], performance: Performance, said: Said, feel: Feel
) -> Changes:
    """Where notes go and how loud they become.

    Args:
        midi: The file.
        chosen: (hits,) positions of the drum notes in `midi.notes`.
        performance: These notes on the grid.
        said: What the model predicts.
        feel: How much of it is taken.
    """
    hits = performance.hits
    said = _varied(said, feel)
    cell = hits["step"].astype(np.int64) * N_DRUMS + hits["drum"]
    first, inverse = np.unique(cell, return_index=True, return_inverse=True)[1:]
    where = hits["step"][first], hits["drum"][first]
    limit = np.minimum(LIMIT, feel.longest_ms / hits["sixteenth_ms"][first])
    shift = feel.amount * (_target(hits["offset"][first], said.offset[where], limit) - hits["offset"][first])
    loudest = np.zeros(len(first))
    np.maximum.at(loudest, inverse, hits["velocity"])
    louder = feel.amount * (said.velocity[where] - loudest)
    onset = midi.notes["onset_tick"].astype(np.int64).copy()
    velocity = midi.notes["velocity"].astype(np.int64).copy()
    ticks = np.rint(shift * (midi.ticks_per_beat / STEPS_PER_BEAT)).astype(np.int64)
    onset[chosen] = in_order(onset[chosen], onset[chosen] + ticks[inverse])
    velocity[chosen] = np.clip(np.rint(hits["velocity"] + louder[inverse]), 1, 127).astype(np.int64)
    return Changes(onset, velocity)


def in_order(before: NDArray[np.int64], after: NDArray[np.int64]) -> NDArray[np.int64]:
    """New onsets such that no note passes another: later before means not earlier after.

    Args:
        before: (notes,) ticks, ascending.
        after: (notes,) ticks wanted.

    >>> in_order(np.array([0, 10, 10, 20]), np.array([-3, 14, 8, 12])).tolist()
    [0, 14, 8, 14]
    """
    starts = np.flatnonzero(np.diff(before, prepend=before[:1] - 1))
    latest = np.maximum.accumulate(np.maximum.reduceat(after, starts))
    earliest = np.concatenate([[0], np.maximum(0, latest[:-1])])
    return np.maximum(after, np.repeat(earliest, np.diff(starts, append=len(before))))


def _target(written: Floats, predicted: Floats, limit: Floats) -> Floats:
    """Where hits should lie, 16ths from the step."""
    triplet = np.abs(np.abs(written) - TRIPLET) < WRITTEN
    as_triplet = np.where(np.abs(predicted - written) < np.abs(predicted), predicted, written + predicted)
    target = np.where(triplet, as_triplet, predicted)
    centre = np.where(triplet, written, 0.0)  # a slow swung note may lie farther from its 16th than the bound
    return np.clip(np.clip(target, centre - limit, centre + limit), -LIMIT, LIMIT)


def _varied(said: Said, feel: Feel) -> Said:
    """Draw each hit around its prediction, with the spread that the model expects (Laplace)."""
    rng = np.random.default_rng(feel.seed)
    late = rng.laplace(0.0, 1.0, said.offset.shape) * said.offset_spread * feel.variation
    loud = rng.laplace(0.0, 1.0, said.velocity.shape) * said.velocity_spread * feel.variation
    offset = np.clip(said.offset + late, -LIMIT, LIMIT)
    return Said(offset, said.velocity + loud, said.offset_spread, said.velocity_spread)
