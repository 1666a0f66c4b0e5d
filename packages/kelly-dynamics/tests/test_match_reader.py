"""Match files of both versions are read; damaged ones give one clear error."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kelly_core.errors import DataError
from kelly_dynamics.data.match import read_match

NEW = """info(matchFileVersion,1.0.0).
info(midiClockUnits,480).
info(midiClockRate,500000).
scoreprop(timeSignature,2/4,0:1,0,-1.0000).
scoreprop(timeSignature,6/8,2:1,0,2.0000).
snote(n1-1,[G,n],5,0:1,0,1/8,-1.0000,-0.5000,[v1,staff1])-note(n0,79,480,510,71,0,0).
snote(n2-1,[F,#],3,1:2,1/8,1/8,1.5000,2.0000,[v5,staff2,staccato])-note(n1,54,1440,1536,40,0,0).
snote(n3-2,[B,b],4,2:1,1/8,1/4,3.0000,5.0000,[])-note(n2,70,1920,2400,99,0,0).
snote(n4-1,[A,n],4,2:2,0,1/8,4.0000,5.0000,[])-deletion.
insertion-note(n9,60,100,120,50,0,0).
sustain(100,127).
"""
OLD = """info(matchFileVersion,5.0).
info(midiClockUnits,480).
info(midiClockRate,500000).
info(timeSignature,[3/4]).
snote(n8-1,[G,n],1,1:1,0,1/8,0.0,0.5,[])-note(n0,[G,n],1,960,1060,1100,65).
snote(n4-1,[D,n],3,1:2,3/16,1/16,1.75,2.0,[])-note(n4,[D,n],3,1440,1540,1540,55).
meta(timeSignature,3/4,1,0.0).
"""


def _write(folder: Path, text: str) -> Path:
    path = folder / "a.match"
    path.write_text(text)
    return path


def test_version_1_gives_quarters_and_seconds(tmp_path: Path) -> None:
    read = read_match(_write(tmp_path, NEW))
    assert list(read.ids) == ["n1", "n2", "n3"]
    np.testing.assert_allclose(read.onset, [-1.0, 1.5, 2.5])  # the 6/8 beat is an eighth
    np.testing.assert_allclose(read.duration, [0.5, 0.5, 1.0])
    np.testing.assert_allclose(read.onset - read.bar_start, [1.0, 1.5, 0.5])  # the upbeat ends its bar
    np.testing.assert_allclose(read.start, [0.5, 1.5, 2.0])
    np.testing.assert_allclose(read.end - read.start, [30 / 960, 0.1, 0.5])
    assert read.pitch.tolist() == [79, 54, 70]
    assert read.velocity.tolist() == [71, 40, 99]


@pytest.mark.parametrize(("version", "place"), [("1.0.0", "1:3,1/8"), ("5.0", "1:6,0")])
def test_the_beat_of_the_place_in_the_bar_is_a_quarter_in_version_1(
    tmp_path: Path, version: str, place: str
) -> None:
    head = f"info(matchFileVersion,{version}).\nscoreprop(timeSignature,6/8,1:1,0,0.0000).\n"
    last = f"snote(n2-1,[A,n],4,{place},1/8,5.0,6.0,[])-note(n2,69,1200,1300,60,0,0).\n"
    read = read_match(
        _write(tmp_path, head + "snote(n1-1,[G,n],4,1:1,0,5/8,0.0,5.0,[])-note(n1,67,0,9,60,0,0).\n" + last)
    )
    np.testing.assert_allclose(read.onset, [0.0, 2.5])
    np.testing.assert_allclose(read.onset - read.bar_start, [0.0, 2.5])


def test_version_5_takes_the_key_up_not_the_pedal(tmp_path: Path) -> None:
    read = read_match(_write(tmp_path, OLD))
    assert read.pitch.tolist() == [31, 50]
    assert read.velocity.tolist() == [65, 55]
    np.testing.assert_allclose(read.end - read.start, [100 / 960, 100 / 960])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "holds no matched notes"),
        (NEW.replace("timeSignature", "tempo"), "holds no time signature"),
        (NEW.replace(",71,0,0", ",200,0,0"), "makes no sense"),
        (NEW.replace("480,510", "510,480"), "makes no sense"),
        (NEW.replace("0,1/8,-1.0000", "0,1/0,-1.0000"), "makes no sense"),
        (NEW.replace("midiClockUnits,480", "midiClockUnits,0"), "clock"),
    ],
)
def test_damage_is_named_with_the_file(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(DataError, match=reason) as caught:
        read_match(_write(tmp_path, text))
    assert "a.match" in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="can't be read"):
        read_match(tmp_path / "none.match")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.integers(0, len(NEW) - 1), new=st.text(min_size=0, max_size=3))
def test_any_change_gives_notes_or_a_data_error(tmp_path: Path, at: int, new: str) -> None:
    path = tmp_path / "b.match"
    path.write_text(NEW[:at] + new + NEW[at + 1 :], encoding="utf-8", errors="replace")
    try:
        read = read_match(path)
    except DataError:
        return
    assert len(read.ids) == len(read.onset) > 0


def test_a_library_reads_the_same(tmp_path: Path) -> None:
    partitura = pytest.importorskip("partitura", reason="partitura isn't installed")
    ours = read_match(_write(tmp_path, NEW))
    performance, alignment = partitura.load_match(str(tmp_path / "a.match"))[:2]
    table = performance.note_array()
    ids = {pair["performance_id"] for pair in alignment if pair["label"] == "match"}
    theirs = table[[name in ids for name in table["id"]]]
    assert sorted(theirs["velocity"].tolist()) == sorted(ours.velocity.tolist())
    np.testing.assert_allclose(sorted(theirs["onset_sec"]), sorted(ours.start), atol=1e-6)
