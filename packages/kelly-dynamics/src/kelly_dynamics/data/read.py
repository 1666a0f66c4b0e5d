"""A performance from its match file and score, as the tables that features and targets are made of."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kelly_core.errors import DataError
from kelly_dynamics.data.match import Alignment, read_match
from kelly_dynamics.data.musicxml import MARKINGS, read_markings
from kelly_dynamics.features.table import make_table
from kelly_dynamics.score import Performance, Score

MIN_NOTES = 16
MIN_MARKED = 0.5
"""Share of notes that a score must know by their ids; below, it is another score."""


def read_performance(match: Path | str, score: Path | str | None) -> tuple[Score, Performance]:
    """Score with markings, and how it was played.

    The tempo is the performance's own average: what a user's file would have as its tempo.

    Args:
        match: The match file.
        score: Its MusicXML, or None where there is none: then no markings are known.

    Raises:
        DataError: A file can't be read, they don't belong together, or there are too few notes.
    """
    notes = read_match(match)
    if len(notes.ids) < MIN_NOTES:
        raise DataError(
            f"has {len(notes.ids)} matched notes, fewer than {MIN_NOTES}",
            where=str(match),
            code="data.dataset-file",
        )
    known = _markings(str(score)) if score else {}
    blank = np.zeros(len(MARKINGS), np.float32)
    if known and sum(name in known for name in notes.ids) < MIN_MARKED * len(notes.ids):
        raise DataError(
            "the score's note ids aren't those of the match file",
            where=str(score),
            hint="take both from one release",
            code="data.dataset-file",
        )
    markings = np.stack([known.get(name, blank) for name in notes.ids])
    position = np.mod(notes.onset - notes.bar_start, notes.bar_length)
    written = Score(
        onset=notes.onset,
        duration=notes.duration,
        pitch=notes.pitch.astype(np.float64),
        position=position,
        bar_length=notes.bar_length,
        beat=notes.beat,
        tempo=_tempo(notes),
        markings=markings,
    )
    return written, Performance(notes.velocity.astype(np.float64), notes.start, notes.end)


def table_or_reason(match: str, score: str | None) -> NDArray[np.float32] | str:
    """The table of a performance, or why there is none; imports no torch, so that workers start quickly."""
    try:
        return make_table(*read_performance(match, score))
    except DataError as error:
        return error.message


def _tempo(notes: Alignment) -> float:
    """Average quarters per minute, within what a MIDI file may say."""
    quarters = float(notes.onset[-1] - notes.onset[0])
    seconds = float(notes.start.max() - notes.start.min())
    return float(np.clip(60 * quarters / max(seconds, 1e-3), 10.0, 600.0))


@lru_cache(maxsize=4)
def _markings(score: str) -> dict[str, NDArray[np.float32]]:
    """Performances of one piece follow each other, so its score is read once."""
    return read_markings(score)
