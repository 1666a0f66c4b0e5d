"""Dynamics, hairpins and articulation are found where the score has them."""

from pathlib import Path

import pytest

from kelly_core.errors import DataError
from kelly_dynamics.data.musicxml import MARKINGS, read_markings

SCORE = """<?xml version="1.0"?><score-partwise><part id="P1"><measure number="1">
<attributes>
<divisions>2</divisions><staves>2</staves></attributes>
<direction><direction-type><dynamics><p/></dynamics></direction-type>
<staff>1</staff></direction>
<note id="a"><pitch><step>C</step><octave>5</octave></pitch><duration>4</duration>
<voice>1</voice><staff>1</staff>
<notations><slur type="start" number="1"/><articulations><staccato/></articulations></notations></note>
<direction><direction-type><wedge type="crescendo" number="1"/></direction-type></direction>
<note id="b"><pitch><step>D</step><octave>5</octave></pitch><duration>2</duration>
<voice>1</voice><staff>1</staff></note>
<note id="c"><pitch><step>E</step><octave>5</octave></pitch><duration>2</duration>
<voice>1</voice><staff>1</staff>
<notations><slur type="stop" number="1"/><articulations><accent/></articulations></notations></note>
<backup><duration>8</duration></backup>
<note id="l"><pitch><step>C</step><octave>3</octave></pitch><duration>8</duration>
<voice>5</voice><staff>2</staff></note>
</measure><measure number="2">
<direction><direction-type><wedge type="stop" number="1"/></direction-type></direction>
<direction><direction-type><dynamics><f/><sf/></dynamics></direction-type>
<staff>1</staff></direction>
<note id="d"><pitch><step>F</step><octave>5</octave></pitch><duration>8</duration>
<voice>1</voice><staff>1</staff></note>
<note><rest/><duration>2</duration></note></measure></part></score-partwise>"""


def _of(folder: Path, note: str) -> dict[str, float]:
    path = folder / "score.musicxml"
    path.write_text(SCORE)
    return dict(zip(MARKINGS, read_markings(path)[note].tolist(), strict=True))


def test_levels_hold_until_the_next_sign(tmp_path: Path) -> None:
    soft, loud = _of(tmp_path, "a"), _of(tmp_path, "d")
    assert soft["level"] == pytest.approx(-1.5 / 4.5)
    assert loud["level"] == pytest.approx(1.5 / 4.5)
    assert soft["to_next_level"] == pytest.approx(3 / 4.5)
    assert loud["sforzando"] == 1.0
    assert soft["sforzando"] == 0.0


def test_a_hairpin_draws_the_level_on(tmp_path: Path) -> None:
    start, half = _of(tmp_path, "b"), _of(tmp_path, "c")
    assert (start["hairpin"], start["hairpin_progress"]) == (1.0, 0.0)
    assert half["hairpin_progress"] == pytest.approx(0.5)
    assert half["level_drawn"] == pytest.approx(0.0, abs=1e-6)  # half way from p to f


def test_marks_of_a_note_are_its_own(tmp_path: Path) -> None:
    first, last, low = _of(tmp_path, "a"), _of(tmp_path, "c"), _of(tmp_path, "l")
    assert first["staccato"] == first["slur_start"] == 1.0
    assert last["accent"] == last["slur_end"] == last["slur_inside"] == 1.0
    assert low["lower_staff"] == 1.0
    assert low["staccato"] == low["slur_inside"] == 0.0


@pytest.mark.parametrize("text", ["", "no xml", SCORE[:200], "<other/>", SCORE.replace(">4<", ">x<")])
def test_what_is_no_score_gives_one_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "broken.musicxml"
    path.write_text(text)
    with pytest.raises(DataError, match="broken"):
        read_markings(path)
