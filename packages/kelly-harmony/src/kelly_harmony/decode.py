"""From scores per beat to chords: greedy, or beam search and Viterbi with a prior of which chord follows.

All scores are log-probabilities by root; chords are numbers of the vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from kelly_core.errors import UserError

Floats = NDArray[np.floating]
How = Literal["greedy", "beam", "viterbi"]
HOWS = ("greedy", "beam", "viterbi")
BEAM = 8


def decode(
    how: str, scores: Floats, moves: Sequence[Floats], *, weight: float = 1.0, beam: int = BEAM
) -> NDArray[np.int64]:
    """One chord per beat.

    Args:
        how: `greedy` takes the best of each beat; `viterbi` the best sequence with the prior; `beam` nearly
            the best, keeping `beam` sequences beat by beat, so that it can run along.
        scores: (beats, chords).
        moves: Per beat (chords + 1, chords): log-probability after each chord, the last row with none before.
        weight: How much the prior counts.
        beam: Sequences that are kept.

    Returns:
        (beats,) chords.

    Raises:
        UserError: `how` isn't known.
    """
    if how not in HOWS:
        raise UserError(f"no decoding {how!r}", where="--decode", hint=f"one of {', '.join(HOWS)}")
    if how == "greedy" or not len(scores):
        return np.asarray(scores.argmax(axis=1) if len(scores) else np.zeros(0), np.int64)
    kept = len(scores[0]) if how == "viterbi" else min(beam, len(scores[0]))
    return _search(scores, moves, weight, kept)


def _search(scores: Floats, moves: Sequence[Floats], weight: float, kept: int) -> NDArray[np.int64]:
    """Best sequence of those that go on from the `kept` best of each beat; with all kept, the best of all."""
    beats, chords = scores.shape
    before = np.zeros((beats, chords), np.int64)
    total = scores[0] + weight * moves[0][chords]
    for at in range(1, beats):
        from_ = np.sort(np.argpartition(-total, kept - 1)[:kept]) if kept < chords else np.arange(chords)
        ways = total[from_, None] + weight * moves[at][from_]
        best = ways.argmax(axis=0)
        before[at] = from_[best]
        total = ways[best, np.arange(chords)] + scores[at]
    path = np.zeros(beats, np.int64)
    path[-1] = int(total.argmax())
    for at in range(beats - 1, 0, -1):
        path[at - 1] = before[at, path[at]]
    return path


def varied(scores: Floats, variation: float, seed: int) -> Floats:
    """Scores with noise that makes the best of a beat a draw: at variation 1 by its probability.

    Args:
        scores: (beats, chords) log-probabilities.
        variation: 0 changes nothing.
        seed: Of the noise.

    Source: Gumbel (1954); the maximum of log-probabilities with Gumbel noise is a draw from them.
    """
    if not variation:
        return scores
    noise = np.random.default_rng(seed).gumbel(size=scores.shape)
    return np.asarray(scores + variation * noise)
