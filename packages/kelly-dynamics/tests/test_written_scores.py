"""Scores become flat MIDI files with the notes, tempo and metre that are written, whoever exported them."""

import io
import json
import os
import tarfile
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from kelly_core.errors import DataError
from kelly_dynamics.data.match import read_match
from kelly_dynamics.data.musicxml import MARKINGS
from kelly_dynamics.data.score_xml import walk_score
from kelly_dynamics.data.written import read_score
from kelly_dynamics.demo.compose import as_musicxml, compose
from kelly_dynamics.features.table import INPUTS
from kelly_dynamics.humanise import humanise
from kelly_dynamics.predict import play_file
from kelly_dynamics.targets import HIGH, LOW


def note(
    step: str, octave: int, duration: int, *more: str, alter: int = 0, voice: int = 1, staff: int = 1
) -> str:
    """A note element; `more` before its duration is for grace and chord, ties and marks come after."""
    first = "".join(one for one in more if one in ("<grace/>", "<chord/>", "<cue/>"))
    rest = "".join(one for one in more if one not in first)
    length = "" if "<grace/>" in more else f"<duration>{duration}</duration>"
    pitch = f"<pitch><step>{step}</step><alter>{alter}</alter><octave>{octave}</octave></pitch>"
    return f"<note>{first}{pitch}{length}{rest}<voice>{voice}</voice><staff>{staff}</staff></note>"


def score(*measures: str, head: str = "", more: str = "") -> str:
    """A piano part; `head` are attributes of the first measure."""
    first = f"<attributes><divisions>4</divisions>{head}</attributes>"
    body = "".join(f"<measure>{first if at == 0 else ''}{one}</measure>" for at, one in enumerate(measures))
    doctype = '<!DOCTYPE score-partwise PUBLIC "-//Recordare//DTD MusicXML 3.1 Partwise//EN" "partwise.dtd">'
    return f'<?xml version="1.0"?>{doctype}<score-partwise><part id="P1">{body}</part>{more}</score-partwise>'


def time(beats: str, below: int) -> str:
    return f"<time><beats>{beats}</beats><beat-type>{below}</beat-type></time>"


def read(folder: Path, text: str) -> Any:
    path = folder / "score.musicxml"
    path.write_text(text)
    return read_score(path)


def rows(midi: Any) -> list[tuple[float, float, int]]:
    """(onset, duration, pitch) in quarters."""
    table = zip(
        midi.beats(midi.notes["onset_tick"]),
        midi.beats(midi.notes["duration_tick"]),
        midi.notes["pitch"],
        strict=True,
    )
    return sorted((round(float(on), 3), round(float(length), 3), int(pitch)) for on, length, pitch in table)


def test_notes_chords_voices_and_staves_stand_where_they_are_written(tmp_path: Path) -> None:
    upper = (
        note("C", 5, 4)
        + note("E", 5, 4, "<chord/>")
        + note("F", 5, 8, alter=1)
        + "<forward><duration>4</duration></forward>"
    )
    lower = note("C", 3, 16, voice=5, staff=2)
    made = read(tmp_path, score(upper + "<backup><duration>16</duration></backup>" + lower))
    assert rows(made.midi) == [(0, 1, 72), (0, 1, 76), (0, 4, 48), (1, 2, 78)]
    assert sorted(set(made.midi.notes["track"].tolist())) == [1, 2]
    assert made.midi.problems == ()
    np.testing.assert_array_equal(made.midi.notes["pitch"][made.order], made.score.pitch)


def test_tied_notes_are_one(tmp_path: Path) -> None:
    tied = note("C", 4, 16, '<tie type="start"/>'), note("C", 4, 8, '<tie type="stop"/>') + note("C", 4, 8)
    assert rows(read(tmp_path, score(*tied)).midi) == [(0, 6, 60), (6, 2, 60)]


def test_grace_notes_come_before_their_note_and_keep_their_length(tmp_path: Path) -> None:
    made = read(tmp_path, score(note("C", 4, 4) + note("D", 4, 0, "<grace/>") + note("E", 4, 4)))
    assert rows(made.midi) == [(0, 1, 60), (0.875, 0.125, 62), (1, 1, 64)]
    assert made.score.onset.tolist() == [0, 1, 1]
    assert made.score.duration.tolist() == [1, 0, 1]
    played = humanise(made.midi, engine(said=(90.0, 0.0, 1.0, 0.5)), written=made)
    assert played.duration_tick.tolist() == [960, 60, 960]


def test_a_grace_note_before_the_first_beat_puts_an_empty_bar_in_front(tmp_path: Path) -> None:
    made = read(tmp_path, score(note("D", 4, 0, "<grace/>") + note("E", 4, 12), head=time("3", 4)))
    assert rows(made.midi) == [(2.875, 0.125, 62), (3, 3, 64)]


def test_tempo_and_metre_are_those_of_the_score(tmp_path: Path) -> None:
    metronome = (
        "<direction><direction-type><metronome><beat-unit>quarter</beat-unit><beat-unit-dot/>"
        "<per-minute>60</per-minute></metronome></direction-type></direction>"
    )
    later = '<direction><direction-type><words>a tempo</words></direction-type><sound tempo="132"/></direction>'
    change = f"<attributes>{time('2+3', 8)}</attributes>"
    made = read(
        tmp_path, score(metronome + note("C", 4, 12), change + later + note("D", 4, 10), head=time("6", 8))
    )
    assert made.midi.metre[["tick", "numerator", "denominator"]].tolist() == [(0, 6, 8), (1440, 5, 8)]
    assert made.midi.tempo_at([0, 1440]) == pytest.approx([90, 132], rel=1e-5)
    assert made.score.bar_length.tolist() == [3.0, 2.5]
    assert made.score.beat.tolist() == [0.5, 0.5]


def test_an_upbeat_gets_a_bar_of_its_length_and_ends_its_bar(tmp_path: Path) -> None:
    made = read(tmp_path, score(note("G", 4, 4), note("C", 5, 16), note("C", 5, 16), head=time("4", 4)))
    assert made.midi.metre[["tick", "numerator", "denominator"]].tolist() == [(0, 1, 4), (480, 4, 4)]
    assert made.score.position.tolist() == [3, 0, 0]
    assert made.midi.bars(made.midi.notes["onset_tick"]).position.tolist() == [0, 0, 0]


def test_without_a_word_about_it_tempo_is_120_and_metre_four_four(tmp_path: Path) -> None:
    made = read(tmp_path, score(note("C", 4, 16)))
    assert float(made.midi.tempo_at(0)) == pytest.approx(120)
    assert made.midi.metre[["numerator", "denominator"]].tolist() == [(4, 4)]


def test_transposing_instruments_sound_where_they_sound(tmp_path: Path) -> None:
    head = "<transpose><chromatic>-2</chromatic><octave-change>-1</octave-change></transpose>"
    assert rows(read(tmp_path, score(note("C", 5, 4), head=head)).midi) == [(0, 1, 58)]


def test_what_is_left_out_is_said(tmp_path: Path) -> None:
    drum = "<note><unpitched/><duration>4</duration></note>"
    again = '<barline location="right"><repeat direction="backward"/></barline>'
    made = read(tmp_path, score(note("C", 4, 4) + note("D", 4, 4, "<cue/>") + drum + again))
    assert rows(made.midi) == [(0, 1, 60)]
    assert len(made.midi.problems) == 2
    assert "percussion" in made.midi.problems[0]
    assert "repeats are not followed" in made.midi.problems[1]


def test_a_note_that_two_voices_share_is_played_once_and_as_long_as_the_longer(tmp_path: Path) -> None:
    both = note("C", 4, 4) + "<backup><duration>4</duration></backup>" + note("C", 4, 8, voice=2)
    assert rows(read(tmp_path, score(both)).midi) == [(0, 2, 60)]


def test_several_parts_get_tracks_and_channels_but_never_that_of_drums(tmp_path: Path) -> None:
    head = "<attributes><divisions>1</divisions></attributes>"
    more = f"<part><measure>{head}{note('A', 4, 1)}</measure></part>" * 12
    made = read(tmp_path, score(note("C", 4, 4), more=more))
    assert len(made.midi.notes) == 13
    assert 9 not in made.midi.notes["channel"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (score("<note><rest/><duration>4</duration></note>"), "no notes to play"),
        (score(note("C", 4, 4)).replace("partwise", "timewise"), "partwise"),
        (score("<forward><duration>1e300</duration></forward>" + note("C", 4, 4)), "further on"),
        (score(note("C", 4, 4)).replace("<duration>4", "<duration>nan"), "not readable"),
        (score(note("C", 4, 4)).replace("<duration>4", "<duration>1e999"), "not readable"),
        ("no score", "not readable"),
        ("", "not readable"),
    ],
)
def test_bad_scores_are_refused_with_one_reason(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(DataError, match=reason) as caught:
        read(tmp_path, text)
    assert "score.musicxml" in str(caught.value)


def packed(
    text: str, container: str = '<container><rootfiles><rootfile full-path="a.xml"/></rootfiles></container>'
) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("META-INF/container.xml", container)
        archive.writestr("a.xml", text)
    return data.getvalue()


def test_a_packed_score_is_the_same_score(tmp_path: Path) -> None:
    text = score(note("C", 4, 4))
    (tmp_path / "a.mxl").write_bytes(packed(text))
    assert rows(read_score(tmp_path / "a.mxl").midi) == rows(read(tmp_path, text).midi)


LAUGHS = (
    '<!DOCTYPE a [<!ENTITY l0 "ha">'
    + "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    + "]>"
)
DEFAULTS = f'<!DOCTYPE score-partwise [<!ATTLIST note extra CDATA "{"x" * 1_000_000}">]>'
OUTSIDE = '<!DOCTYPE score-partwise [<!ENTITY file SYSTEM "file:///etc/passwd">]>'


@pytest.mark.parametrize("doctype", [LAUGHS, DEFAULTS, OUTSIDE])
@pytest.mark.parametrize("pack", [False, True])
def test_xml_that_could_explode_is_refused_before_it_does(tmp_path: Path, doctype: str, pack: bool) -> None:
    text = doctype + "<score-partwise><part><measure><note>&l9;</note></measure></part></score-partwise>"
    path = tmp_path / "bomb.mxl"
    path.write_bytes(packed(text) if pack else text.encode())
    with pytest.raises(DataError, match="declares things of its own"):
        read_score(path)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (packed(" " * (33 << 20)), "more than 32 MB"),
        (packed("x", "<container/>"), "no packed MusicXML"),
        (packed("x", LAUGHS + "<container/>"), "declares things"),
        (packed(score(note("C", 4, 4)))[:-30], "no packed MusicXML"),
        (b"PK\x03\x04" + bytes(100), "no packed MusicXML"),
    ],
)
def test_bad_packs_are_refused(tmp_path: Path, data: bytes, reason: str) -> None:
    (tmp_path / "a.mxl").write_bytes(data)
    with pytest.raises(DataError, match=reason):
        read_score(tmp_path / "a.mxl")


def engine(kind: str = "markings", said: tuple[float, ...] | None = None) -> Any:
    """An engine that is told markings and remembers what it was told."""
    rng, told = np.random.default_rng(0), []

    def infer(inputs: dict[str, Any]) -> Any:
        told.append(inputs["input"])
        shape = (*inputs["input"].shape[:2], 4)
        answer = rng.uniform(LOW, HIGH, shape) if said is None else np.broadcast_to(said, shape)
        return SimpleNamespace(outputs={"output": answer.astype(np.float32)})

    contract = SimpleNamespace(features={"input": kind}, window={"look_ahead": 0})
    return SimpleNamespace(contract=contract, infer=infer, model_id="dynamicsengine", told=told)


def test_a_model_of_markings_is_told_them(tmp_path: Path) -> None:
    path = tmp_path / "score.musicxml"
    path.write_text(as_musicxml(compose(1, 0)))
    player = engine()
    told = play_file(player, path, tmp_path / "played.mid", amount=1.0, variation=0.0, seed=0)
    markings = player.told[0][0, :, -len(MARKINGS) :]
    assert player.told[0].shape[2] == len(INPUTS["markings"])
    assert markings[:, MARKINGS.index("level_known")].all()
    assert set(markings[:, MARKINGS.index("hairpin")].tolist()) == {-1, 0, 1}
    assert json.dumps(told)
    assert (tmp_path / "played.mid").read_bytes()[:4] == b"MThd"


@pytest.mark.parametrize("number", range(3))
def test_a_library_reads_the_same_notes(tmp_path: Path, number: int) -> None:
    partitura = pytest.importorskip("partitura", reason="partitura isn't installed")
    path = tmp_path / "score.musicxml"
    path.write_text(as_musicxml(compose(number, 0)))
    table = partitura.load_musicxml(str(path)).note_array()
    theirs = sorted(
        zip(
            table["onset_quarter"].round(3).tolist(),
            table["duration_quarter"].round(3).tolist(),
            table["pitch"].tolist(),
            strict=True,
        )
    )
    assert rows(read_score(path).midi) == theirs


@pytest.fixture(scope="module")
def real_scores(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Path, Path]]:
    """The first pieces of (n)ASAP: score and one match file each."""
    pack = Path(os.environ.get("KELLY_SHARED", "")) / "data" / "asap_n.tar.xz"
    if "KELLY_SHARED" not in os.environ or not pack.is_file():
        pytest.skip("KELLY_SHARED names no folder with data/asap_n.tar.xz")
    folder, found = tmp_path_factory.mktemp("asap"), {}
    with tarfile.open(pack) as archive:
        for member in archive:
            place = Path(member.name).parent.as_posix()
            if member.name.endswith((".match", ".musicxml")):
                kind = Path(member.name).suffix
                if kind not in found.setdefault(place, {}):
                    target = folder / f"{len(found)}{kind}"
                    target.write_bytes(archive.extractfile(member).read())
                    found[place][kind] = target
            whole = [(one[".musicxml"], one[".match"]) for one in found.values() if len(one) == 2]
            if len(whole) == 5:
                break
    return whole


def test_real_scores_say_what_the_performances_were_aligned_to(real_scores: list[tuple[Path, Path]]) -> None:
    for path, match in real_scores:
        found, aligned, made = walk_score(path), read_match(match), read_score(path)
        heads = dict(zip(found.ids, found.sounding, strict=True))
        assert [heads[name].pitch for name in aligned.ids] == aligned.pitch.tolist()
        shift = np.median([heads[name].onset - at for name, at in zip(aligned.ids, aligned.onset, strict=True)])
        ours = {
            (round(at - shift, 1), pitch): place
            for at, pitch, place in zip(made.score.onset, made.score.pitch, made.score.position, strict=True)
        }
        inside = np.mod(aligned.onset - aligned.bar_start, aligned.bar_length)
        both = [
            (ours[key], place)
            for key, place in zip(zip(aligned.onset.round(1), aligned.pitch, strict=True), inside, strict=True)
            if key in ours
        ]
        assert len(both) > 0.9 * len(aligned.ids), path
        places = np.array(both)
        assert np.mean(np.abs(places[:, 0] - places[:, 1]) < 0.02) > 0.97, path
