"""Reading match files: which performed note belongs to which score note.

Score times are in quarter notes from the first downbeat (an upbeat is negative), performed times in
seconds. Versions 1.0.0 and 5.0 of the format are read as far as (n)ASAP uses them: `snote(...)-note(...)`
lines and time signatures. Deletions, insertions, pedals and every other line are passed over.

Onsets in the score are counted in beats of the metre by both versions. The place in the bar (`bar:beat,offset`)
is too in 5.0, but in quarters in 1.0.0, whatever the metre: in 6/8 its `1:2` is the third eighth.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kelly_core.errors import DataError

_NOTE = re.compile(
    r"snote\(([^,]+),\[([A-Ga-g]),([^\]]*)\],(-?\d+),(-?\d+):(-?\d+),([^,]+),([^,]+),([-\d.]+),([-\d.]+),"
    r"\[[^\]]*\]\)-note\(([^)]*)\)"
)
_METRE = re.compile(r"(?:scoreprop|meta)\(timeSignature,\[?(\d+)/(\d+)\]?,(?:[^,\n]*,)+\s*(-?[\d.]+)\)")
_VERSION = re.compile(r"info\(matchFileVersion,(\d+)")
_CLOCK = re.compile(r"info\((midiClockUnits|midiClockRate),(\d+)\)")
_STEP = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_ALTER = {"n": 0, "": 0, "#": 1, "##": 2, "x": 2, "b": -1, "bb": -2}


@dataclass(frozen=True)
class Alignment:
    """A performance, note by note, in score order.

    Attributes:
        ids: Score note ids without the suffix that counts repeats, as in the MusicXML.
        onset: (notes,) score onset, quarters.
        duration: (notes,) score duration, quarters; 0 for grace notes.
        bar_start: (notes,) score time of the bar's first beat, quarters.
        bar_length: (notes,) quarters.
        beat: (notes,) length of a beat of the metre, quarters.
        pitch: (notes,) MIDI pitch.
        velocity: (notes,) performed, 1 to 127.
        start, end: (notes,) performed key down and key up, seconds.
    """

    ids: Sequence[str]
    onset: NDArray[np.float64]
    duration: NDArray[np.float64]
    bar_start: NDArray[np.float64]
    bar_length: NDArray[np.float64]
    beat: NDArray[np.float64]
    pitch: NDArray[np.int64]
    velocity: NDArray[np.int64]
    start: NDArray[np.float64]
    end: NDArray[np.float64]


def read_match(path: Path | str) -> Alignment:
    """Read a match file.

    Raises:
        DataError: It can't be read, holds no matched notes, or a line of it makes no sense.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise DataError(
            f"can't be read: {error.strerror or error}", where=str(path), code="data.dataset-file"
        ) from error
    rows = _NOTE.findall(text)
    metres = sorted({(float(at), int(upper), int(lower)) for upper, lower, at in _METRE.findall(text)})
    if not rows or not metres:
        what = "matched notes" if not rows else "time signature"
        raise DataError(
            f"holds no {what}",
            where=str(path),
            hint="is it a match file of version 1.0.0 or 5.0?",
            code="data.dataset-file",
        )
    clock = {key: int(value) for key, value in _CLOCK.findall(text)}
    if min(clock.get("midiClockUnits", 480), clock.get("midiClockRate", 500_000)) < 1:
        raise DataError(
            "its clock stands still", where=str(path), hint="mend its midiClock lines", code="data.dataset-file"
        )
    seconds = clock.get("midiClockRate", 500_000) / 1e6 / clock.get("midiClockUnits", 480)
    version = _VERSION.search(text)
    in_quarters = version is not None and int(version[1]) == 1
    try:
        return _aligned(rows, metres, seconds, in_quarters=in_quarters)
    except (ValueError, KeyError, ZeroDivisionError, IndexError, OverflowError) as error:
        raise DataError(
            f"a note line makes no sense ({error})", where=str(path), code="data.dataset-file"
        ) from error


def _aligned(
    rows: list[tuple[str, ...]], metres: list[tuple[float, int, int]], seconds: float, *, in_quarters: bool
) -> Alignment:
    beats = np.array([(float(row[8]), float(row[9])) for row in rows])
    if not np.isfinite(beats).all():
        raise ValueError("a time isn't finite")
    index = np.maximum(np.searchsorted([m[0] for m in metres], beats[:, 0], side="right") - 1, 0)
    lower = np.array([m[2] for m in metres])[index]
    offset = np.array([float(Fraction(row[6])) for row in rows])  # of a whole note, from the beat
    bar = np.array([int(row[4]) for row in rows])
    beat = np.ones(len(rows)) if in_quarters else 4 / lower
    in_bar = np.array([int(row[5]) - 1 for row in rows]) * beat + offset * 4
    quarters = _to_quarters(metres)
    onset = quarters(beats[:, 0])
    bar_length = np.array([4 * m[1] / m[2] for m in metres])[index]
    bar_start = onset - in_bar
    upbeat = bar == 0
    bar_start[upbeat] = quarters(np.zeros(1))[0] - bar_length[upbeat]  # an upbeat ends with its bar
    performed = [_performed(row[10]) for row in rows]
    table = {
        "onset": onset,
        "duration": np.array([4 * float(Fraction(row[7])) for row in rows]),
        "bar_start": bar_start,
        "bar_length": bar_length,
        "beat": 4 / lower,
        "pitch": np.array([_STEP[r[1].upper()] + _ALTER[r[2]] + 12 * (int(r[3]) + 1) for r in rows], np.int64),
        "velocity": np.array([p[2] for p in performed], np.int64),
        "start": np.array([p[0] for p in performed]) * seconds,
        "end": np.array([p[1] for p in performed]) * seconds,
    }
    if not all(np.isfinite(table[name]).all() for name in ("duration", "bar_start", "start", "end")):
        raise ValueError("a time isn't finite")
    if ((table["velocity"] < 1) | (table["velocity"] > 127) | (table["end"] < table["start"])).any():
        raise ValueError("a velocity is outside 1 to 127, or a note ends before it begins")
    order = np.lexsort((table["pitch"], np.round(onset, 4)))
    ids = [rows[i][0].rsplit("-", 1)[0] for i in order]
    return Alignment(ids, **{name: column[order] for name, column in table.items()})


def _to_quarters(
    metres: list[tuple[float, int, int]],
) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    """A function from beats (of whatever metre holds) to quarters; 0 stays 0."""
    starts = np.array([m[0] for m in metres])
    length = np.array([4 / m[2] for m in metres])
    at = np.concatenate(([0.0], np.cumsum(np.diff(starts) * length[:-1])))
    zero_piece = max(int(np.searchsorted(starts, 0.0, side="right")) - 1, 0)
    at -= at[zero_piece] + (0.0 - starts[zero_piece]) * length[zero_piece]

    def quarters(beats: NDArray[np.float64]) -> NDArray[np.float64]:
        piece = np.maximum(np.searchsorted(starts, beats, side="right") - 1, 0)
        return np.asarray(at[piece] + (beats - starts[piece]) * length[piece])

    return quarters


def _performed(fields: str) -> tuple[float, float, int]:
    """Onset and key-up in ticks, velocity; version 5.0 writes the pitch in three fields, 1.0.0 in one."""
    parts = fields.split(",")
    if "[" in fields:  # id,[step,alter],octave,onset,offset,sound_off,velocity
        return float(parts[4]), float(parts[5]), int(parts[7])
    return float(parts[2]), float(parts[3]), int(parts[4])
