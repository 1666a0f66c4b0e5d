"""Reading what a MusicXML score says beside its notes: dynamics, hairpins, articulation, slurs, staff.

Times are quarters in written order, repeats not unfolded. Levels run from -1 (pppp) to 1 (ffff) in steps of
a quarter around 0 between mp and mf.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kelly_core.errors import DataError

MARKINGS = (
    "level", "level_of_staff", "level_known", "since_level", "to_next_level", "next_level_near",
    "hairpin", "hairpin_progress", "level_drawn", "growing_word", "soft_word", "strong_word",
    "accent", "marcato", "staccato", "tenuto", "sforzando", "fermata",
    "slur_start", "slur_inside", "slur_end", "lower_staff", "inner_voice", "ornament",
)  # fmt: skip
"""Columns of the markings of a note; 0 everywhere means that the score says nothing."""
LEVELS = {
    "pppp": -4.5, "ppp": -3.5, "pp": -2.5, "p": -1.5, "mp": -0.5, "mf": 0.5, "f": 1.5, "ff": 2.5, "fff": 3.5,
    "ffff": 4.5, "fp": -1.5, "sfp": -1.5,
}  # fmt: skip
_SUDDEN = frozenset({"sf", "sfz", "sffz", "fz", "rf", "rfz", "sfp", "fp", "sfpp"})
_GROWING = ("cresc", "più f", "piu f")
_FADING = ("dim", "decresc", "calando", "smorz", "morendo", "perdendo", "mancando")
_SOFT = ("dolce", "sotto voce", "leggier", "tranquillo", "una corda", "delicat", "piano")
_STRONG = ("con forza", "marcat", "energico", "con fuoco", "agitato", "pesante", "appassionato", "risoluto")
_WORD_LASTS = 8.0  # quarters, or until the next dynamic sign
_ORNAMENTS = ("trill-mark", "turn", "mordent", "inverted-mordent", "inverted-turn", "tremolo")


@dataclass
class _Found:
    """What was seen while walking through the score; every list is in order of appearance."""

    notes: list[dict[str, float]] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    levels: list[tuple[float, int, float]] = field(default_factory=list)
    sudden: list[tuple[float, int]] = field(default_factory=list)
    wedges: list[tuple[float, float, float]] = field(default_factory=list)
    words: dict[str, list[tuple[float, float]]] = field(default_factory=lambda: defaultdict(list))
    open_wedges: dict[str, tuple[float, float]] = field(default_factory=dict)
    slurs: dict[str, int] = field(default_factory=lambda: defaultdict(int))


def read_markings(path: Path | str) -> dict[str, NDArray[np.float32]]:
    """Markings of every note of a score.

    Returns:
        Note id -> (24,) values of `MARKINGS`.

    Raises:
        DataError: It is not readable MusicXML.
    """
    found = _Found()
    try:
        root = ET.parse(path).getroot()  # noqa: S314 - expat bounds the growth of entities
        for part in root.iter("part"):
            _walk(part, found)
    except (ET.ParseError, OSError, ValueError, UnicodeError) as error:
        raise DataError(f"not readable MusicXML: {error}", where=str(path), hint="export it again") from error
    if root.tag != "score-partwise":
        raise DataError(f"is a {root.tag!r}, no partwise score", where=str(path), hint="export it as MusicXML")
    if not found.ids:
        return {}
    return dict(zip(found.ids, _table(found), strict=True))


def _walk(part: ET.Element, found: _Found) -> None:
    divisions, at, previous = 1.0, 0.0, 0.0
    for measure in part.iter("measure"):
        start = end = at
        for element in measure:
            if element.tag == "attributes" and (text := element.findtext("divisions")):
                divisions = max(float(text), 1e-6)
            length = float(element.findtext("duration") or 0) / divisions
            if element.tag == "backup":
                at -= length
            elif element.tag == "forward":
                at += length
            elif element.tag == "direction":
                _direction(element, at + float(element.findtext("offset") or 0) / divisions, found)
            elif element.tag == "note":
                chord = element.find("chord") is not None
                _note(element, previous if chord else at, found)
                if not chord:
                    previous, at = at, at + length
            end = max(end, at)
        at = max(end, start)


def _direction(element: ET.Element, at: float, found: _Found) -> None:
    staff = int(element.findtext("staff") or 0)
    for kind in element.iter("direction-type"):
        for sign in kind.iterfind("dynamics/*"):
            _dynamic(sign, at, staff, found)
        for wedge in kind.iterfind("wedge"):
            number, what = wedge.get("number", "1"), wedge.get("type", "")
            if what == "stop":
                begun = found.open_wedges.pop(number, None)
                if begun is not None and at > begun[0]:
                    found.wedges.append((begun[0], at, begun[1]))
            elif what in ("crescendo", "diminuendo"):
                found.open_wedges[number] = (at, 1.0 if what == "crescendo" else -1.0)
        for words in kind.iterfind("words"):
            _words((words.text or "").lower().strip(), at, found)


def _dynamic(sign: ET.Element, at: float, staff: int, found: _Found) -> None:
    name = (sign.text or "").strip() if sign.tag == "other-dynamics" else sign.tag
    if name in _SUDDEN:
        found.sudden.append((at, staff))
    if name in LEVELS:
        found.levels.append((at, staff, LEVELS[name] / 4.5))


def _words(text: str, at: float, found: _Found) -> None:
    if any(text.startswith(word) for word in _GROWING):
        found.words["growing"].append((at, 1.0))
    elif any(word in text for word in _FADING):
        found.words["growing"].append((at, -1.0))
    elif any(word in text for word in _SOFT):
        found.words["soft"].append((at, 1.0))
    elif any(word in text for word in _STRONG):
        found.words["strong"].append((at, 1.0))


def _note(element: ET.Element, at: float, found: _Found) -> None:
    name = element.get("id")
    if element.find("rest") is not None:
        return
    voice, staff = element.findtext("voice") or "1", int(element.findtext("staff") or 1)
    row = {"at": at, "staff": float(staff), "lower_staff": float(staff > 1)}
    row["inner_voice"] = float(voice not in ("1", "5"))
    marks = {mark.tag for mark in element.iterfind("notations/articulations/*")}
    row |= {"accent": "accent" in marks, "marcato": "strong-accent" in marks, "tenuto": "tenuto" in marks}
    row["staccato"] = 1.0 if marks & {"staccato", "staccatissimo"} else 0.5 * ("detached-legato" in marks)
    row["fermata"] = element.find("notations/fermata") is not None
    row["ornament"] = any(element.find(f"notations/ornaments/{kind}") is not None for kind in _ORNAMENTS)
    kinds = [slur.get("type") for slur in element.iterfind("notations/slur")]
    key = f"{staff} {voice}"
    row["slur_inside"] = float(found.slurs[key] > 0)
    row["slur_start"], row["slur_end"] = "start" in kinds, "stop" in kinds
    found.slurs[key] = max(0, found.slurs[key] + kinds.count("start") - kinds.count("stop"))
    for sign in element.iterfind("notations/dynamics/*"):
        _dynamic(sign, at, staff, found)
    if name:
        found.ids.append(name)
        found.notes.append({key: float(value) for key, value in row.items()})


def _table(found: _Found) -> NDArray[np.float32]:
    """(notes, 24) values of `MARKINGS`."""
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
