"""Which chord follows which, counted in training tunes: the prior that Viterbi and beam search add.

Chords are degrees of the key here. Whether a chord stays depends on the beat more than anything else, where it
moves to hardly does; so two tables are counted, of staying and of moving, rather than one of everything.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kelly_harmony.chords import N_CHORDS, NONE, transposed
from kelly_harmony.lead import PHASES, PLACES, Lead

STRENGTHS = 3
"""Kinds of beats: first of the bar, middle of a bar of four, others."""
_FOUR = PLACES + 2 * len(PHASES) + 2
"""Column of `metre` that is 1 in bars of four beats."""
PSEUDO = 5.0
"""Beats that a coarser count weighs in a finer one."""
NEVER = -30.0
"""Log-probability of what can't happen: to stay where no chord was, to move to the same."""
SAME = np.eye(N_CHORDS + 1, N_CHORDS, dtype=bool)

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Prior:
    """Log-probabilities of what follows a chord.

    Attributes:
        stay: (2, STRENGTHS, N_CHORDS + 1) that it stays: by mode, kind of beat, chord before, the last: none.
        move: (2, N_CHORDS + 1, N_CHORDS) where it moves to, given that it does: by mode and chord before.
    """

    stay: Floats
    move: Floats

    def after(self, minor: int, strength: int) -> Floats:
        """(N_CHORDS + 1, N_CHORDS) log-probability of each chord after each, degrees of a key."""
        stay = self.stay[minor, strength].astype(np.float64)[:, None]
        return np.where(SAME, stay, np.log1p(-np.exp(stay)) + self.move[minor]).astype(np.float32)

    def in_key(self, key: int, strength: int) -> Floats:
        """The same by roots.

        Args:
            key: `2 * tonic + minor`.
            strength: Of the beat that follows, see `strength_of`.
        """
        places = transposed(np.arange(N_CHORDS), -(key // 2))  # degree of each root
        return self.after(key % 2, strength)[np.append(places, N_CHORDS)][:, places]


def count_prior(leads: Iterable[Lead]) -> Prior:
    """The prior of training tunes; what is rare is drawn to how often things happen anywhere."""
    counts = np.zeros((2, STRENGTHS, N_CHORDS + 1, N_CHORDS))
    for lead in leads:
        degrees = _degrees(lead)
        before = np.append(N_CHORDS, degrees[:-1])
        before = np.where(before < 0, N_CHORDS, before)
        known = degrees >= 0
        where = (lead.key % 2, strength_of(lead.metre), before, degrees)
        np.add.at(counts, tuple(column[known] for column in where), 1.0)
    return Prior(_staying(counts), _moving(counts))


def no_prior() -> Prior:
    """Every chord is as likely as any other, whatever came before."""
    even = 1.0 / N_CHORDS
    stay = np.full((2, STRENGTHS, N_CHORDS + 1), np.log(even), np.float32)
    move = np.full((2, N_CHORDS + 1, N_CHORDS), -np.log(N_CHORDS - 1), np.float32)
    stay[..., N_CHORDS], move[:, N_CHORDS] = NEVER, np.log(even)
    move[:, SAME] = NEVER
    return Prior(stay, move)


def _staying(counts: NDArray[np.float64]) -> Floats:
    stayed, all_ = (np.where(SAME, counts, 0.0).sum(axis=-1), counts.sum(axis=-1))
    usual = (stayed.sum(axis=2, keepdims=True) + 0.5) / (all_.sum(axis=2, keepdims=True) + 1.0)
    share = (stayed + PSEUDO * usual) / (all_ + PSEUDO)
    share[..., N_CHORDS] = np.exp(NEVER)
    return np.log(share).astype(np.float32)


def _moving(counts: NDArray[np.float64]) -> Floats:
    moved = np.where(SAME, 0.0, counts).sum(axis=1)  # (mode, before, chord)
    everywhere = (moved.sum(axis=(0, 1)) + 0.1) / (moved.sum() + 0.1 * N_CHORDS)
    by_mode = moved.sum(axis=1, keepdims=True)
    by_mode = (by_mode + PSEUDO * everywhere) / (by_mode.sum(axis=-1, keepdims=True) + PSEUDO)
    both = moved.sum(axis=0, keepdims=True)
    both = (both + PSEUDO * by_mode) / (both.sum(axis=-1, keepdims=True) + PSEUDO)
    share = np.where(SAME, 0.0, moved + PSEUDO * both)
    share = np.maximum(share / share.sum(axis=-1, keepdims=True), np.exp(NEVER))
    return np.log(share).astype(np.float32)


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
