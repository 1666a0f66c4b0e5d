"""Whatever is done to a score or an alignment, it is read or refused with one of our errors."""

import random
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kelly_core.errors import DataError
from kelly_dynamics.data.match import read_match
from kelly_dynamics.data.musicxml import read_markings
from kelly_dynamics.data.read import read_performance
from kelly_dynamics.data.written import read_score
from kelly_dynamics.demo.compose import as_musicxml, compose
from kelly_dynamics.demo.perform import perform
from kelly_dynamics.features.context import context
from kelly_dynamics.features.table import make_table

PIECE = compose(1, 0)
SCORE, MATCH = as_musicxml(PIECE).encode(), perform(PIECE, 0, 0).encode()
ODD = ["", "-1", "0", "1e999", "nan", "-1e300", "9" * 400, "1/0", "é", "<", "&l;", "x"]
RARE = (
    b"<transpose><chromatic>99</chromatic></transpose>", b"<sound tempo='nan'/>", b"<note><grace/></note>",
    b"<note><unpitched/></note>", b"<time><beats>3+x</beats><beat-type>0</beat-type></time>", b"<chord/>",
    b"<backup><duration>4000</duration></backup>", b"<tie type='stop'/>",
    b"<attributes><divisions>0</divisions></attributes>",
    b"<forward><duration>1e12</duration></forward>", b"</measure><measure>", b"</part><part>", b"<cue/>",
)  # fmt: skip

fuzz = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def shuffled(data: bytes, seed: int) -> bytes:
    """Bytes changed, numbers exchanged, odd pieces put in, runs left out or doubled, the end cut off."""
    rng = random.Random(seed)
    for _ in range(rng.randint(1, 6)):
        at, kind = rng.randrange(len(data)), rng.randrange(6)
        if kind == 0:
            data = data[:at] + rng.randbytes(rng.randint(0, 3)) + data[at + rng.randint(0, 3) :]
        elif kind == 1:
            found = [m.span() for m in re.finditer(rb"-?\d+(\.\d+)?", data[at : at + 200])]
            if found:
                first, last = rng.choice(found)
                data = data[: at + first] + rng.choice(ODD).encode() + data[at + last :]
        elif kind == 2:
            ends = [m.end() for m in re.finditer(rb">", data)] or [0]
            place = rng.choice(ends)
            data = data[:place] + rng.choice(RARE) + data[place:]
        elif kind == 3:
            data = data[:at] + data[at + rng.randint(1, 400) :]
        elif kind == 4:
            data = data[:at] + data[at : at + 300] * 2 + data[at + 300 :]
        else:
            data = data[: max(1, at)] if rng.random() < 0.2 else data
        data = data or b"x"
    return data


def reads_or_refuses(folder: Path, score: bytes) -> bool:
    path = folder / "score.musicxml"
    path.write_bytes(score)
    try:
        for row in read_markings(path).values():
            assert np.isfinite(row).all()
        made = read_score(path)
    except DataError:
        return False
    assert len(made.order) == len(made.score) > 0
    assert sorted(set(made.order.tolist())) == sorted(made.order.tolist())
    assert made.midi.notes["pitch"][made.order].tolist() == made.score.pitch.tolist()
    assert (made.midi.notes["duration_tick"] > 0).all()
    assert np.isfinite(context(made.score)).all()
    assert (np.diff(np.round(made.score.onset, 4)) >= 0).all()
    return True


@fuzz
@given(seed=st.integers(0, 2**32))
def test_damaged_scores(tmp_path: Path, seed: int) -> None:
    reads_or_refuses(tmp_path, shuffled(SCORE, seed))


def test_most_numbers_in_a_score_may_be_wrong_and_it_is_still_read(tmp_path: Path) -> None:
    assert reads_or_refuses(tmp_path, SCORE)
    read = [
        reads_or_refuses(tmp_path, SCORE.replace(b"<duration>4", b"<duration>" + n.encode(), 1)) for n in ODD
    ]
    assert 0 < sum(read) < len(read)


@fuzz
@given(data=st.binary(max_size=300))
def test_any_bytes_as_a_score(tmp_path: Path, data: bytes) -> None:
    for start in (
        b"",
        b"PK\x03\x04",
        b"<?xml version='1.0'?>",
        b"<score-partwise>",
        b"\xff\xfe",
        b"<?xml version='1.0' encoding='x'?>",
    ):
        reads_or_refuses(tmp_path, start + data)


@fuzz
@given(seed=st.integers(0, 2**32))
def test_damaged_alignments(tmp_path: Path, seed: int) -> None:
    path, score = tmp_path / "a.match", tmp_path / "a.musicxml"
    path.write_bytes(shuffled(MATCH, seed))
    score.write_bytes(SCORE)
    try:
        read = read_match(path)
        for column in (read.onset, read.duration, read.bar_start, read.start, read.end):
            assert np.isfinite(column).all()
        assert np.isfinite(make_table(*read_performance(path, score))).all()
    except DataError:
        return


@pytest.mark.parametrize("depth", [10_000])
def test_deep_nesting_ends(tmp_path: Path, depth: int) -> None:
    assert not reads_or_refuses(tmp_path, b"<a>" * depth + b"</a>" * depth)


def test_more_signs_than_any_score_has_are_refused(tmp_path: Path) -> None:
    sign = b"<direction><direction-type><dynamics><f/></dynamics></direction-type></direction>"
    path = tmp_path / "score.musicxml"
    path.write_bytes(SCORE.replace(b"</measure>", sign * 11_000 + b"</measure>", 1))
    with pytest.raises(DataError, match="more than any score"):
        read_score(path)
