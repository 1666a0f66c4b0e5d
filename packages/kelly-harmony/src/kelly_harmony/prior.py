"""Which chord follows which, counted in training tunes: the prior that Viterbi and beam search add."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from kelly_harmony.chords import N_CHORDS, NONE, transposed
from kelly_harmony.lead import PHASES, PLACES, Lead

STRENGTHS = 3
"""Kinds of beats: first of the bar, middle of a bar of four, others."""
_FOUR = PLACES + 2 * len(PHASES) + 2
PSEUDO = 5.0
"""Beats that a coarser count weighs in a finer one."""


def count_prior(leads: Iterable[Lead]) -> NDArray[np.float32]:
    """Log-probabilities of a chord after another, both as degrees of the key.

    Args:
        leads: Training tunes.

    Returns:
        (2, STRENGTHS, N_CHORDS + 1, N_CHORDS): by mode, kind of beat, chord before (the last: none yet).
        Rare chords before are drawn to how often chords are anywhere.
    """
    counts = np.zeros((2, STRENGTHS, N_CHORDS + 1, N_CHORDS))
    for lead in leads:
        degrees = _degrees(lead)
        before = np.append(N_CHORDS, degrees[:-1])
        before = np.where(before < 0, N_CHORDS, before)
        known = degrees >= 0
        where = (lead.key % 2, strength_of(lead.metre), before, degrees)
        np.add.at(counts, tuple(column[known] for column in where), 1.0)
    everywhere = (counts.sum(axis=(0, 1, 2)) + 0.1) / (counts.sum() + 0.1 * N_CHORDS)
    by_mode = counts.sum(axis=(1, 2), keepdims=True)
    by_mode = (by_mode + PSEUDO * everywhere) / (by_mode.sum(axis=-1, keepdims=True) + PSEUDO)
    both = counts.sum(axis=0, keepdims=True)
    both = (both + PSEUDO * by_mode) / (both.sum(axis=-1, keepdims=True) + PSEUDO)
    prior = (counts + PSEUDO * both) / (counts.sum(axis=-1, keepdims=True) + PSEUDO)
    return np.log(prior).astype(np.float32)


def strength_of(metre: NDArray[np.floating]) -> NDArray[np.int64]:
    """(..., METRE) -> (...,): 0 first beat of a bar, 1 middle of a bar of four, 2 others."""
    middle = (metre[..., 2] > 0.5) & (metre[..., _FOUR] > 0.5)
    return np.where(metre[..., 0] > 0.5, 0, np.where(middle, 1, 2)).astype(np.int64)


def _degrees(lead: Lead) -> NDArray[np.int64]:
    degrees = lead.chords.copy()
    for tonic in range(12):
        mine = lead.key // 2 == tonic
        degrees[mine] = transposed(lead.chords[mine], -tonic)
    return degrees


assert NONE == N_CHORDS - 1
