"""Reading what a MusicXML score says beside its notes: dynamics, hairpins, articulation, slurs, staff.

Times are quarters in written order, repeats not unfolded. Levels run from -1 (pppp) to 1 (ffff) in steps of
a quarter around 0 between mp and mf.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kelly_dynamics.data.score_xml import Found, walk_score

MARKINGS = (
    "level", "level_of_staff", "level_known", "since_level", "to_next_level", "next_level_near",
    "hairpin", "hairpin_progress", "level_drawn", "growing_word", "soft_word", "strong_word",
    "accent", "marcato", "staccato", "tenuto", "sforzando", "fermata",
    "slur_start", "slur_inside", "slur_end", "lower_staff", "inner_voice", "ornament",
)  # fmt: skip
"""Columns of the markings of a note; 0 everywhere means that the score says nothing."""
_WORD_LASTS = 8.0  # quarters, or until the next dynamic sign


def read_markings(path: Path | str) -> dict[str, NDArray[np.float32]]:
    """Markings of every note of a score.

    Returns:
        Note id -> (24,) values of `MARKINGS`.

    Raises:
        DataError: It is not readable MusicXML.
    """
    found = walk_score(path)
    return {name: row for name, row in zip(found.ids, marking_table(found), strict=True) if name}


def marking_table(found: Found) -> NDArray[np.float32]:
    """(notes, 24) values of `MARKINGS` for every note that was found."""
    if not found.notes:
        return np.zeros((0, len(MARKINGS)), np.float32)
    at = np.array([note["at"] for note in found.notes])
    staff = np.array([note["staff"] for note in found.notes])
    columns = {name: np.array([note.get(name, 0.0) for note in found.notes]) for name in MARKINGS}
    signs = sorted(found.levels)
    if signs:
        columns |= _levels(at, staff, signs, sorted(found.wedges))
    for start, stop, sign in found.wedges:
        inside = (at >= start) & (at < stop)
        columns["hairpin"][inside] = sign
        columns["hairpin_progress"][inside] = (at[inside] - start) / (stop - start)
    times = np.array([sign[0] for sign in signs] + [np.inf])
    for name in ("growing", "soft", "strong"):
        for begun, value in found.words[name]:
            stop = min(begun + _WORD_LASTS, float(times[np.searchsorted(times, begun, side="right")]))
            columns[f"{name}_word"][(at >= begun) & (at < stop)] = value
    for moment, of_staff in found.sudden:
        columns["sforzando"][(np.abs(at - moment) < 1e-3) & ((staff == of_staff) | (of_staff == 0))] = 1.0
    return np.stack([columns[name] for name in MARKINGS], axis=1).astype(np.float32)


def _levels(
    at: NDArray[np.float64],
    staff: NDArray[np.float64],
    signs: list[tuple[float, int, float]],
    wedges: list[tuple[float, float, float]],
) -> dict[str, NDArray[np.float64]]:
    times, levels = np.array([s[0] for s in signs]), np.array([s[2] for s in signs])
    place = np.searchsorted(times, at + 1e-6, side="right") - 1
    known = place >= 0
    level = np.where(known, levels[np.maximum(place, 0)], 0.0)
    own = level.copy()
    for number in np.unique(staff):
        mine = [(s[0], s[2]) for s in signs if s[1] in (0, number)]
        if mine:
            here = staff == number
            spot = np.searchsorted([m[0] for m in mine], at[here] + 1e-6, side="right") - 1
            own[here] = np.where(spot >= 0, np.array([m[1] for m in mine])[np.maximum(spot, 0)], level[here])
    since = np.where(known, at - times[np.maximum(place, 0)], 64.0)
    following = np.minimum(place + 1, len(signs) - 1)
    last = place + 1 >= len(signs)
    gap = np.where(last, 64.0, times[following] - at)
    drawn = level.copy()
    for start, stop, sign in wedges:
        target = _target(times, levels, start, stop, sign)
        change = target - float(levels[max(np.searchsorted(times, start + 1e-6, side="right") - 1, 0)])
        until = float(np.append(times, np.inf)[np.searchsorted(times, start + 1e-6, side="right")])
        share = np.clip((at - start) / (stop - start), 0, 1)
        drawn += np.where((at >= start) & (at < until), share * change, 0.0)
    return {
        "level": level,
        "level_of_staff": own,
        "level_known": known.astype(np.float64),
        "since_level": np.log1p(np.clip(since, 0, 64)) / 4,
        "to_next_level": np.where(last, 0.0, levels[following] - level),
        "next_level_near": np.exp(-np.clip(gap, 0, 64) / 4),
        "level_drawn": np.clip(drawn, -1.2, 1.2),
    }


def _target(
    times: NDArray[np.float64], levels: NDArray[np.float64], start: float, stop: float, sign: float
) -> float:
    """Where a hairpin leads: the sign at its end, or one step on."""
    place = max(int(np.searchsorted(times, start + 1e-6, side="right")) - 1, 0)
    near = np.flatnonzero((times > start + 1e-6) & (times <= stop + 2.0))
    if len(near) and (levels[near[0]] - levels[place]) * sign > 0:
        return float(levels[near[0]])
    return float(levels[place] + sign / 4.5)


def iter_notes(markings: dict[str, NDArray[np.float32]]) -> Iterator[tuple[str, dict[str, float]]]:
    """Each note's id and its markings that aren't 0, for people."""
    for name, row in markings.items():
        yield name, {key: float(value) for key, value in zip(MARKINGS, row, strict=True) if value}
