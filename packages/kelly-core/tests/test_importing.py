"""Import: any sound becomes 16 kHz mono WAV of the right length, once, and the source stays as it is."""

import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from kelly_core.data.importing import JOURNAL, ImportSettings, fit_length, import_folder
from kelly_core.errors import DataError, KellyError


@pytest.fixture
def source(tmp_path):
    rng = np.random.default_rng(0)
    folder = tmp_path / "source"
    for name, rate, seconds, channels in (
        ("happy/a.wav", 44_100, 0.5, 2),
        ("happy/loud.wav", 16_000, 2.0, 1),
        ("sad/deep/b.flac", 48_000, 1.5, 1),
        ("c.ogg", 22_050, 12.0, 1),
    ):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        samples = rng.uniform(-0.5, 0.5, (int(rate * seconds), channels))
        soundfile.write(path, samples * (4 if "loud" in name else 1), rate, **floats(name))
    (folder / "notes.txt").write_text("not sound")
    (folder / "sad" / "broken.wav").write_text("not sound either")
    return folder


def floats(name):
    return {"subtype": "FLOAT"} if "loud" in name else {}


def snapshot(folder):
    return {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in folder.rglob("*")}


def test_everything_becomes_short_mono_wav_in_the_same_place(tmp_path, source):
    before = snapshot(source)
    report = import_folder(source, tmp_path / "target", workers=2)
    assert (report.converted, report.unchanged, report.padded, report.truncated) == (4, 0, 1, 1)
    assert [problem.path for problem in report.problems] == [str(source / "sad" / "broken.wav")]
    lengths = {}
    for path in sorted((tmp_path / "target").rglob("*.wav")):
        info = soundfile.info(path)
        assert (info.samplerate, info.channels, info.subtype) == (16_000, 1, "PCM_16")
        lengths[path.relative_to(tmp_path / "target").as_posix()] = info.duration
    assert lengths == {"c.wav": 10.0, "happy/a.wav": 1.0, "happy/loud.wav": 2.0, "sad/deep/b.wav": 1.5}
    assert snapshot(source) == before


def test_louder_than_full_scale_is_scaled_not_clipped(tmp_path, source):
    import_folder(source, tmp_path / "target")
    loud, _ = soundfile.read(tmp_path / "target" / "happy" / "loud.wav")
    original, _ = soundfile.read(source / "happy" / "loud.wav")
    np.testing.assert_allclose(loud, original / np.abs(original).max(), atol=1e-4)


def test_a_second_run_converts_only_what_changed(tmp_path, source):
    target = tmp_path / "target"
    import_folder(source, target)
    assert import_folder(source, target).unchanged == 4
    soundfile.write(source / "happy" / "a.wav", np.zeros(16_000), 16_000)
    (target / "c.wav").unlink()
    again = import_folder(source, target)
    assert (again.converted, again.unchanged) == (2, 2)
    assert import_folder(source, target, ImportSettings(shortest=3.0, longest=3.0)).converted == 4
    assert soundfile.info(target / "c.wav").duration == 3.0


def test_a_torn_journal_line_costs_one_conversion(tmp_path, source):
    target = tmp_path / "target"
    import_folder(source, target)
    journal = (target / JOURNAL).read_text()
    (target / JOURNAL).write_text(journal[:-20])
    assert import_folder(source, target).converted == 1
    assert import_folder(source, target).converted == 0


def test_metadata_comes_along_with_the_new_names(tmp_path, source):
    (source / "metadata.csv").write_text(
        "file,label,speaker,key\nhappy/a.wav,happy,anna,C\nsad/deep/b.flac,sad,,\n"
    )
    import_folder(source, tmp_path / "target")
    assert (tmp_path / "target" / "metadata.csv").read_text().splitlines() == [
        "file,label,speaker,fold,split,key",
        "happy/a.wav,happy,anna,,,C",
        "sad/deep/b.wav,sad,sad/deep/b,,,",
    ]


def test_two_files_that_would_become_one_are_told(tmp_path, source):
    soundfile.write(source / "happy" / "a.flac", np.zeros(16_000), 16_000)
    report = import_folder(source, tmp_path / "target")
    assert report.converted == 4
    assert any("would become the same file as 'happy/a.flac'" in problem.reason for problem in report.problems)


@pytest.mark.parametrize(("start", "end"), [("x", "x/y"), ("x/y", "x"), ("x", "x")])
def test_source_and_target_must_not_overlap(tmp_path, start, end):
    (tmp_path / "x" / "y").mkdir(parents=True)
    with pytest.raises(DataError, match="overlap"):
        import_folder(tmp_path / start, tmp_path / end)


def test_no_sound_no_folder_and_no_room_are_told(tmp_path, source):
    with pytest.raises(DataError, match="no such folder"):
        import_folder(tmp_path / "nothing", tmp_path / "target")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no sound files"):
        import_folder(tmp_path / "empty", tmp_path / "target")
    (tmp_path / "target").write_text("a file in the way")
    with pytest.raises(KellyError, match="can't write"):
        import_folder(source, tmp_path / "target")


def test_impossible_lengths_are_refused():
    with pytest.raises(DataError, match="5 to 2 s"):
        ImportSettings(shortest=5, longest=2)


@given(st.integers(0, 50), st.integers(1, 20), st.integers(0, 20))
def test_fitting_keeps_the_start_and_the_bounds(length, shortest, more):
    samples = np.arange(1, length + 1, dtype=np.float32)
    fitted = fit_length(samples, shortest, shortest + more)
    assert shortest <= len(fitted) <= shortest + more
    kept = min(length, len(fitted))
    np.testing.assert_array_equal(fitted[:kept], samples[:kept])
    assert not fitted[kept:].any()


SCRIPT = """
import sys
from kelly_core.data.importing import import_folder
class Loud:
    def track(self, work, description, total=None):
        for i, one in enumerate(work):
            print(i, flush=True)
            yield one
import_folder(sys.argv[1], sys.argv[2], progress=Loud())
"""


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_stopped_import_leaves_whole_files_and_goes_on(tmp_path, how):
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    for i in range(60):
        soundfile.write(source / f"{i}.wav", np.full(96_000, 0.1), 48_000)
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(source), str(target)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    for _ in range(3):
        process.stdout.readline()
    os.kill(process.pid, how)
    process.stdout.close()
    assert process.wait(60) != 0
    for path in target.glob("[0-9]*.wav"):
        assert soundfile.info(path).frames == 32_000
    report = import_folder(source, target)
    assert report.unchanged >= 2
    assert report.converted + report.unchanged == 60
    entries = [json.loads(line) for line in (target / JOURNAL).read_text().splitlines()]
    assert len({entry["source"] for entry in entries}) == 60
