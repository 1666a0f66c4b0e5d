"""Reading the Groove MIDI Dataset's layout, the grid, and the demo set; bad input is named."""

from pathlib import Path

import numpy as np
import pytest

from kelly_core.errors import ConfigError, DataError
from kelly_core.features.midi import make_notes, write_notes
from kelly_groove.data.gmd import open_groove_midi, recognises
from kelly_groove.data.read import read_performance
from kelly_groove.demo import open_demo
from kelly_groove.grid import REACH, Performance, windows

HEADER = "drummer,session,id,style,bpm,beat_type,time_signature,midi_filename,audio_filename,duration,split"


BEAT = (0, 130, 240, 320)


def write_beat(path: Path, ticks=BEAT, pitches=(36, 42, 38, 42), channel=9, bpm=100.0, metre=(4, 4)):
    path.parent.mkdir(parents=True, exist_ok=True)
    notes = make_notes(pitches, ticks, 30, 90, channel=channel, ticks_per_beat=480, bpm=bpm)
    write_notes(path, notes, bpm, metre, ticks_per_beat=480)


def row(name: str, split: str = "train", style: str = "funk/groove1") -> str:
    return f"drummer1,drummer1/session1,drummer1/session1/1,{style},100,beat,4-4,{name},x.wav,2.0,{split}"


@pytest.fixture
def groove(tmp_path):
    for name in ("a.mid", "b.mid", "c.mid"):
        write_beat(tmp_path / name)
    lines = [HEADER, row("a.mid"), row("b.mid", "validation"), row("c.mid", "test")]
    (tmp_path / "info.csv").write_text("\n".join(lines) + "\n")
    return tmp_path


def test_published_layout_gives_split_session_and_style(groove):
    assert recognises(groove)
    dataset = open_groove_midi(groove, {})
    assert [item.split for item in dataset.items] == ["train", "validation", "test"]
    assert {item.group for item in dataset.items} == {"drummer1/session1"}
    assert dataset.items[0].extra["style"] == "funk/groove1"
    assert dataset.items[0].extra["metre"] == "4/4"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (row("missing.mid"), "isn't there"),
        (row("a.mid"), "earlier line"),
        (row("b2.mid", "dev"), "none of train"),
        (row("../outside.mid"), "no name of a file"),
        (row(""), "no name of a file"),
        ("half,a,row", "no name of a file"),
    ],
)
def test_bad_lines_are_left_out_with_their_reason(groove, line, reason):
    with (groove / "info.csv").open("a") as file:
        file.write(line + "\n")
    dataset = open_groove_midi(groove, {})
    assert len(dataset.items) == 3
    (problem,) = dataset.problems
    assert reason in problem.reason


def test_a_folder_without_the_table_is_refused_with_what_to_do(tmp_path):
    assert not recognises(tmp_path)
    with pytest.raises(DataError, match=r"info\.csv") as error:
        open_groove_midi(tmp_path, {})
    assert "unpack" in error.value.hint


def test_a_table_that_is_no_text_is_not_recognised(tmp_path):
    (tmp_path / "info.csv").write_bytes(bytes(range(256)) * 4)
    assert not recognises(tmp_path)


def test_a_table_without_usable_files_says_why(groove):
    (groove / "info.csv").write_text(f"{HEADER}\n{row('gone.mid')}\n")
    with pytest.raises(DataError, match="none of the 1 files"):
        open_groove_midi(groove, {})


def test_hits_lie_on_the_nearest_16th_with_their_offset(groove):
    part = read_performance(groove / "a.mid", "funk")
    assert part.hits["step"].tolist() == [0, 1, 2, 3]
    np.testing.assert_allclose(part.hits["offset"], [0, 130 / 120 - 1, 0, 320 / 120 - 3], atol=1e-6)
    assert part.hits["sixteenth_ms"] == pytest.approx(150.0)
    assert part.hits["drum"].tolist() == [0, 2, 1, 2]


def test_bars_of_other_metres_have_their_own_length(tmp_path):
    write_beat(tmp_path / "six.mid", ticks=[240 * k for k in range(14)], pitches=42, metre=(6, 8))
    part = read_performance(tmp_path / "six.mid", "rock")
    assert set(part.steps["bar_steps"]) == {12}
    assert part.steps["in_bar"][:14].tolist() == [*range(12), 0, 1]


def test_a_file_without_drums_says_where_they_are_expected(tmp_path):
    write_beat(tmp_path / "piano.mid", channel=0)
    with pytest.raises(DataError, match="no drum note") as error:
        read_performance(tmp_path / "piano.mid", "")
    assert "channel 10" in error.value.hint


def test_a_file_of_days_is_refused(tmp_path):
    write_beat(tmp_path / "long.mid", ticks=(0, 10, 20, 200_000_000))
    with pytest.raises(DataError, match="beats"):
        read_performance(tmp_path / "long.mid", "")


def test_cells_average_what_falls_together(tmp_path):
    write_beat(tmp_path / "flam.mid", ticks=(0, 20, 40, 120), pitches=(38, 38, 42, 38))
    cells = read_performance(tmp_path / "flam.mid", "").cells()
    assert cells[0, 1, 0] == 2
    assert cells[0, 1, 1] == pytest.approx(10 / 120)


def test_windows_are_centred_on_their_step():
    mask = np.zeros((40, 9), dtype=np.float32)
    mask[5, 3] = 1.0
    seen = windows(mask)
    assert seen.shape == (40, 2 * REACH + 1, 9)
    assert seen[5, REACH, 3] == 1.0
    assert seen[5 + REACH, 0, 3] == 1.0
    assert seen.sum() == 22  # steps 0 to 21 have step 5 within their reach


def test_the_demo_set_is_the_same_each_time_and_called_synthetic(tmp_path):
    first, second = (open_demo(tmp_path / name, {"drummers": 5, "bars": 2}) for name in ("first", "second"))
    assert first.synthetic
    assert [Path(item.path).read_bytes() for item in first.items] == [
        Path(item.path).read_bytes() for item in second.items
    ]
    sides = {item.group: item.split for item in first.items}
    assert sorted(set(sides.values())) == ["test", "train", "validation"]


def test_a_damaged_demo_is_made_again(tmp_path):
    options = {"drummers": 5, "bars": 1}
    dataset = open_demo(tmp_path, options)
    broken = Path(dataset.items[0].path)
    whole = broken.read_bytes()
    broken.write_bytes(b"")
    open_demo(tmp_path, options)
    assert broken.read_bytes() == whole


@pytest.mark.parametrize("bad", [{"drummers": 0}, {"bars": "8"}, {"takes": True}])
def test_demo_options_out_of_range_are_refused(tmp_path, bad):
    with pytest.raises(ConfigError):
        open_demo(tmp_path, bad)


def test_demo_performances_read_back_as_performances(tmp_path):
    item = open_demo(tmp_path, {"drummers": 5, "bars": 2}).items[0]
    part = read_performance(Path(item.path), item.extra["style"])
    assert isinstance(part, Performance)
    assert np.abs(part.hits["offset"]).max() <= 0.5
