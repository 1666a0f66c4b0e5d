"""Walking through a MusicXML score: its notes in time, and every sign that stands beside them.

Times are quarters in written order, repeats not unfolded; they are rounded to a millionth, so that a note and a
sign at one place are at one place whatever durations were summed up before.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections import defaultdict
from dataclasses import dataclass, field
from fractions import Fraction
from math import isfinite
from pathlib import Path

from kelly_core.errors import DataError
from kelly_dynamics.data.score_file import read_xml

LEVELS = {
    "pppp": -4.5, "ppp": -3.5, "pp": -2.5, "p": -1.5, "mp": -0.5, "mf": 0.5, "f": 1.5, "ff": 2.5, "fff": 3.5,
    "ffff": 4.5, "fp": -1.5, "sfp": -1.5,
}  # fmt: skip
MOST_NOTES, MOST_SIGNS = 400_000, 10_000
"""More are in no score; they would take very long."""
_SUDDEN = frozenset({"sf", "sfz", "sffz", "fz", "rf", "rfz", "sfp", "fp", "sfpp"})
_GROWING = ("cresc", "più f", "piu f")
_FADING = ("dim", "decresc", "calando", "smorz", "morendo", "perdendo", "mancando")
_SOFT = ("dolce", "sotto voce", "leggier", "tranquillo", "una corda", "delicat", "piano")
_STRONG = ("con forza", "marcat", "energico", "con fuoco", "agitato", "pesante", "appassionato", "risoluto")
_ORNAMENTS = ("trill-mark", "turn", "mordent", "inverted-mordent", "inverted-turn", "tremolo")
_STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_UNITS = {"whole": 4.0, "half": 2.0, "quarter": 1.0, "eighth": 0.5, "16th": 0.25, "32nd": 0.125}
_SLOWEST, _FASTEST = 5.0, 1000.0


@dataclass(frozen=True, slots=True)
class Sounding:
    """What is written for one note head.

    Attributes:
        onset, duration: Quarters; a grace note stands at its main note and lasts 0.
        pitch: MIDI pitch as it sounds, None where it has none.
        part, staff: From 0 and from 1.
        measure: Position in `Found.measures`.
        grace, cue: Kind of note; cue notes aren't played.
        tied_from, tied_on: Whether a tie ends and begins here.
    """

    onset: float
    duration: float
    pitch: int | None
    part: int
    staff: int
    measure: int
    grace: bool
    cue: bool
    tied_from: bool
    tied_on: bool


@dataclass(slots=True)
class Measure:
    """A measure of one part: where it starts, how long it is and would be (quarters), its metre."""

    part: int
    start: float
    length: float
    metre: tuple[int, int]

    @property
    def nominal(self) -> float:
        """Quarters that its metre asks for."""
        return 4 * self.metre[0] / self.metre[1]


@dataclass
class Found:
    """What was seen while walking through the score; every list is in order of appearance.

    Attributes:
        notes: Each note's place and marks by name.
        ids: Their ids, empty where they have none.
        sounding: What is written for each.
        levels: (quarters, staff or 0 for all, level) of dynamic signs.
        sudden: (quarters, staff or 0 for all) of accents like sfz.
        wedges: (start, end, +1 or -1) of hairpins.
        words: (quarters, value) of words, by what they ask for.
        measures: Of all parts.
        tempos: (quarters, quarters per minute).
        repeats: Whether a repeat sign or a jump was seen.
    """

    notes: list[dict[str, float]] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    sounding: list[Sounding] = field(default_factory=list)
    levels: list[tuple[float, int, float]] = field(default_factory=list)
    sudden: list[tuple[float, int]] = field(default_factory=list)
    wedges: list[tuple[float, float, float]] = field(default_factory=list)
    words: dict[str, list[tuple[float, float]]] = field(default_factory=lambda: defaultdict(list))
    measures: list[Measure] = field(default_factory=list)
    tempos: list[tuple[float, float]] = field(default_factory=list)
    repeats: bool = False
    open_wedges: dict[str, tuple[float, float]] = field(default_factory=dict)
    slurs: dict[str, int] = field(default_factory=lambda: defaultdict(int))


@dataclass
class _Place:
    """Where the walk is within a part."""

    part: int
    divisions: float = 1.0
    at: float = 0.0
    previous: float = 0.0
    metre: tuple[int, int] = (4, 4)
    transposed: int = 0


def walk_score(path: Path | str) -> Found:
    """Read a score, `.musicxml`, `.xml` or packed `.mxl`.

    Raises:
        DataError: It is not readable MusicXML, or absurdly large.
    """
    root, found = read_xml(Path(path)), Found()
    if root.tag != "score-partwise":
        raise DataError(
            f"is a {root.tag!r}, no partwise score",
            where=str(path),
            hint="export it as MusicXML",
            code="data.score",
        )
    try:
        for number, part in enumerate(root.iter("part")):
            _walk(part, _Place(number), found)
    except (ValueError, OverflowError) as error:
        raise DataError(
            f"not readable MusicXML: {error}", where=str(path), hint="export it again", code="data.score"
        ) from error
    signs = len(found.levels) + len(found.sudden) + len(found.wedges) + sum(map(len, found.words.values()))
    if len(found.notes) > MOST_NOTES or signs > MOST_SIGNS:
        raise DataError(
            f"has {len(found.notes)} notes and {signs} signs, more than any score",
            where=str(path),
            hint="export it again, or cut it into parts",
            code="data.score",
        )
    return found


def _walk(part: ET.Element, here: _Place, found: Found) -> None:
    for measure in part.iter("measure"):
        start = end = here.at
        found.measures.append(Measure(here.part, round(start, 6), 0.0, here.metre))
        for element in measure:
            _element(element, here, found)
            if here.at < start - 1e-6:  # nothing leads back beyond the bar line
                here.at = start
            end = max(end, here.at)
        here.at = max(end, start)
        found.measures[-1].length = round(here.at - start, 6)


def _element(element: ET.Element, here: _Place, found: Found) -> None:
    if element.tag == "attributes":
        _attributes(element, here)
        found.measures[-1].metre = here.metre
    length = _number(element.findtext("duration")) / here.divisions
    if length < 0:
        raise ValueError("a duration is negative")
    if element.tag == "backup":
        here.at -= length
    elif element.tag == "forward":
        here.at += length
    elif element.tag == "direction":
        _direction(element, round(here.at + _number(element.findtext("offset")) / here.divisions, 6), found)
    elif element.tag == "sound":
        _sound(element, round(here.at, 6), found)
    elif element.tag == "barline":
        found.repeats |= element.find("repeat") is not None
    elif element.tag == "note":
        chord = element.find("chord") is not None
        _note(element, round(here.previous if chord else here.at, 6), length, here, found)
        if not chord:
            here.previous, here.at = here.at, here.at + length


def _attributes(element: ET.Element, here: _Place) -> None:
    if text := element.findtext("divisions"):
        here.divisions = max(_number(text), 1e-6)
    time = element.find("time")
    if time is not None and time.find("beats") is not None:
        here.metre = _metre(time) or here.metre
    transpose = element.find("transpose")
    if transpose is not None:
        octaves = _number(transpose.findtext("octave-change"))
        here.transposed = int(_number(transpose.findtext("chromatic")) + 12 * octaves)


def _metre(time: ET.Element) -> tuple[int, int] | None:
    """Numerator and denominator as a MIDI file has them; `3+2` counts as 5. None where there is no such."""
    below = [int(one.text or 0) for one in time.iterfind("beat-type")]
    above = [sum(int(n) for n in (one.text or "0").split("+")) for one in time.iterfind("beats")]
    if not below or len(below) != len(above) or not all(1 <= n <= 64 and n & (n - 1) == 0 for n in below):
        return None
    numerator = sum(n * max(below) // d for n, d in zip(above, below, strict=True))
    return (numerator, max(below)) if 1 <= numerator <= 255 else None


def _direction(element: ET.Element, at: float, found: Found) -> None:
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
        for metronome in kind.iterfind("metronome"):
            unit = _UNITS.get(metronome.findtext("beat-unit") or "", 0.0)
            dots = len(metronome.findall("beat-unit-dot"))
            _tempo((metronome.findtext("per-minute") or ""), unit * (2 - 0.5**dots), at, found)
    for sound in element.iterfind("sound"):
        _sound(sound, at, found)


def _sound(element: ET.Element, at: float, found: Found) -> None:
    _tempo(element.get("tempo", ""), 1.0, at, found)
    found.repeats |= any(element.get(jump) is not None for jump in ("dacapo", "dalsegno", "tocoda"))


def _tempo(text: str, unit: float, at: float, found: Found) -> None:
    """Of several at one place the last counts; what is no number ("about 80") doesn't."""
    try:
        value = float(text) * unit
    except ValueError:
        return
    if _SLOWEST <= value <= _FASTEST:
        found.tempos.append((at, value))


def _dynamic(sign: ET.Element, at: float, staff: int, found: Found) -> None:
    name = (sign.text or "").strip() if sign.tag == "other-dynamics" else sign.tag
    if name in _SUDDEN:
        found.sudden.append((at, staff))
    if name in LEVELS:
        found.levels.append((at, staff, LEVELS[name] / 4.5))


def _words(text: str, at: float, found: Found) -> None:
    if any(text.startswith(word) for word in _GROWING):
        found.words["growing"].append((at, 1.0))
    elif any(word in text for word in _FADING):
        found.words["growing"].append((at, -1.0))
    elif any(word in text for word in _SOFT):
        found.words["soft"].append((at, 1.0))
    elif any(word in text for word in _STRONG):
        found.words["strong"].append((at, 1.0))


def _note(element: ET.Element, at: float, length: float, here: _Place, found: Found) -> None:
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
    found.ids.append(element.get("id") or "")
    found.notes.append({key: float(value) for key, value in row.items()})
    grace = element.find("grace") is not None
    ties = {tie.get("type") for tie in element.iterfind("tie")}
    found.sounding.append(
        Sounding(
            onset=at,
            duration=0.0 if grace else length,
            pitch=_pitch(element, here.transposed),
            part=here.part,
            staff=staff,
            measure=len(found.measures) - 1,
            grace=grace,
            cue=element.find("cue") is not None,
            tied_from="stop" in ties,
            tied_on="start" in ties,
        )
    )


def _pitch(element: ET.Element, transposed: int) -> int | None:
    step, octave = element.findtext("pitch/step") or "", element.findtext("pitch/octave") or ""
    try:
        alter = round(_number(element.findtext("pitch/alter")))
        pitch = _STEPS[step.strip()] + alter + 12 * (int(octave) + 1) + transposed
    except (ValueError, KeyError):
        return None
    return pitch if 0 <= pitch <= 127 else None


def _number(text: str | None) -> float:
    """A number, 0 where there is none.

    Raises:
        ValueError: It is no number, or not finite.
    """
    value = float(text or 0)
    if not isfinite(value):
        raise ValueError(f"{text!r} is no duration")
    return value


def fraction_of(length: float) -> tuple[int, int] | None:
    """A metre that lasts so many quarters, such as 1/4 for an upbeat; None where there is none.

    >>> fraction_of(1.0), fraction_of(2.5), fraction_of(1 / 3)
    ((1, 4), (5, 8), None)
    """
    whole = Fraction(length / 4).limit_denominator(64)
    below = max(4, whole.denominator)
    if below & (below - 1) or abs(float(whole) * 4 - length) > 1e-4 or not 0 < whole * below <= 255:
        return None
    return int(whole * below), below
