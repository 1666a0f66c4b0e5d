"""Where each note stands among those that sound and surround it: melody over accompaniment, lines of a staff.

`context` compares a note with others of its own moment; here a melody note that is still held counts as well.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kelly_dynamics.data.musicxml import MARKINGS
from kelly_dynamics.score import Floats, Score

LINES = (
    "below_sounding_top", "above_sounding_bottom", "sounding_above", "sounding_below", "clashes",
    "below_top_1", "above_bottom_1", "below_top_4", "above_bottom_4", "pitch_rank", "length_from_near",
    "new_pitch_class", "pitch_class_share", "length_in_chord", "syncopated", "seconds_to_next",
    "top_of_staff", "staff_step_before", "staff_step_after", "staff_gap_before", "staff_gap_after",
)  # fmt: skip
"""Columns of the lines; the staves are the two that `lower_staff` tells apart."""
_LOWER = MARKINGS.index("lower_staff")
_HELD = 8.0
"""Notes begun longer ago (quarters) don't count as sounding."""
_CLASHING = (1, 6, 11)
"""Semitones and tritones, in any octave."""


def lines(score: Score) -> NDArray[np.float32]:
    """Describe the place of every note among others.

    Returns:
        (notes, 21), columns as in `LINES`; pitches in octaves, gaps and lengths in octaves of time by halves.
    """
    if not len(score):
        return np.zeros((0, len(LINES)), np.float32)
    firsts, moment = score.firsts(), score.moments()
    table = np.zeros((len(score), len(LINES)))
    _among_sounding(score, firsts, table[:, :5])
    _among_near(score, firsts, table[:, 5:14])
    ends_in = np.floor((score.position + score.duration - 1e-3) / score.beat)
    off_beat = np.abs(score.position / score.beat - np.round(score.position / score.beat)) > 0.02
    table[:, 14] = off_beat & (ends_in > np.floor(score.position / score.beat))
    gap = np.append(np.diff(score.onset[firsts[:-1]]), 4.0)[moment]
    table[:, 15] = np.log2(np.maximum(gap * 60 / score.tempo, 1 / 32)) / 2
    lower = score.markings[:, _LOWER] > 0
    for mine in (np.flatnonzero(lower), np.flatnonzero(~lower)):
        if len(mine) > 1:
            table[mine, 16:] = _in_staff(score, moment, firsts, mine)
    return np.clip(table, -6.0, 6.0).astype(np.float32)


def _among_sounding(score: Score, firsts: NDArray[np.int64], table: Floats) -> None:
    """Distance to the highest and lowest sounding pitch, how many sound above and below, how many clash."""
    end = score.onset + np.maximum(score.duration, 0.05)
    begin = np.searchsorted(score.onset, score.onset[firsts[:-1]] - _HELD)
    for at, first in enumerate(firsts[:-1]):
        last = firsts[at + 1]
        sounding = score.pitch[begin[at] : last][end[begin[at] : last] > score.onset[first] + 0.02]
        if not len(sounding):
            continue
        apart = sounding - score.pitch[first:last, None]
        here = table[first:last]
        here[:, 0], here[:, 1] = apart.max(axis=1) / 12, -apart.min(axis=1) / 12
        here[:, 2], here[:, 3] = np.log1p((apart > 0).sum(axis=1)), np.log1p((apart < 0).sum(axis=1))
        here[:, 4] = np.isin(np.abs(apart) % 12, _CLASHING).sum(axis=1)


def _among_near(score: Score, firsts: NDArray[np.int64], table: Floats) -> None:
    """Against the notes within 1, 2, 4 and 8 quarters on either side."""
    onset = score.onset[firsts[:-1]]
    low, high = (
        {reach: np.searchsorted(score.onset, onset + side * (reach + 1e-6)) for reach in (1, 2, 4, 8)}
        for side in (-1, 1)
    )
    length = np.log2(np.maximum(score.duration, 1 / 16))
    total = np.append(0.0, np.cumsum(length))
    classes = (score.pitch % 12).astype(np.int64)
    for at, first in enumerate(firsts[:-1]):
        part = slice(first, firsts[at + 1])
        here, pitch = table[part], score.pitch[part]
        for column, reach in ((0, 1), (2, 4)):
            near = score.pitch[low[reach][at] : high[reach][at]]
            here[:, column], here[:, column + 1] = (near.max() - pitch) / 12, (pitch - near.min()) / 12
        apart = score.pitch[low[2][at] : high[2][at]] - pitch[:, None]
        here[:, 4] = (apart < 0).mean(axis=1) + (apart == 0).mean(axis=1) / 2
        begin, end = low[4][at], high[4][at]
        here[:, 5] = length[part] - (total[end] - total[begin]) / (end - begin)
        here[:, 6] = ~np.isin(classes[part], classes[low[2][at] : first])
        far = classes[low[8][at] : high[8][at]]
        here[:, 7] = 4 * np.bincount(far, minlength=12)[classes[part]] / len(far)
        here[:, 8] = length[part] - length[part].max()


def _in_staff(
    score: Score, moment: NDArray[np.int64], firsts: NDArray[np.int64], mine: NDArray[np.int64]
) -> Floats:
    """Against the top notes of one staff's moments, and how far those are in time."""
    moments, first = np.unique(moment[mine], return_index=True)
    top = score.pitch[mine[np.append(first[1:], len(mine)) - 1]]
    place = np.searchsorted(moments, moment[mine])
    gap = np.diff(score.onset[firsts[moments]])
    pitch = score.pitch[mine]
    before, after = np.append(4.0, gap)[place], np.append(gap, 4.0)[place]
    return np.stack(
        [
            pitch == top[place],
            (pitch - top[np.maximum(place - 1, 0)]) / 12,
            (top[np.minimum(place + 1, len(top) - 1)] - pitch) / 12,
            np.log2(np.maximum(before, 1 / 32)) / 2,
            np.log2(np.maximum(after, 1 / 32)) / 2,
        ],
        axis=1,
    )
