"""The example that goes on with melodies: notes in, the next notes out, those of `kelly predict melody`."""

from __future__ import annotations

import itertools
import os
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch

from kelly_core.cli import run as kelly
from kelly_core.features.midi import encode, make_notes, read_midi, write_notes
from kelly_core.features.midi.keys import Key

torch.set_num_threads(1)
PACK = Path(os.environ.get("KELLY_SHARED", "missing")) / "data" / "nottingham.tar.xz"


@pytest.fixture(scope="module")
def melody(cpp, tmp_path_factory):
    """Weights as large as training leaves them, so that what it is told decides what it says."""
    sizes = {"width": 16, "layers": 1, "hidden": 12}
    folder = tmp_path_factory.mktemp("melody")
    return cpp.built(folder, "melody", noise=0.3, architecture_type="frames", network=sizes)


def test_golden_vectors_run_without_allocating(cpp, melody):
    code, said = cpp.run(melody[0] / "golden")
    assert code == 0, said
    assert ", 0 allocations" in said


@pytest.mark.skipif("RTNEURAL_DIR" not in os.environ, reason="RTNEURAL_DIR names no sources of RTNeural")
def test_rtneural_itself_runs_the_golden_vectors(cpp, melody):
    code, said = cpp.run(melody[0] / "rtneural_golden")
    assert (code, said.count("pass")) == (0, 2), said


def test_the_melody_of_the_documentation_compiles_and_goes_on(cpp, melody, tmp_path: Path):
    main = """
#include <cstdio>
int main() {
    static MelodyPlayer player;
    player.prepareToPlay();
    player.start({1, false}, {6, 8}, 3);
    for (int i = 0; i < 12; ++i) player.hear(60 + i, 12, 12);
    for (int i = 0; i < 20; ++i) {
        const auto note = player.nextNote();
        if (note.ticks < 1 || note.pitch < -1 || note.pitch > 127) return 1;
        std::printf("%d ", note.pitch);
    }
}
"""
    said = cpp.program_of("models/melody.md", main, melody[0], tmp_path).split()
    assert len(said) == 20
    assert len(set(said)) > 1


def seed_files(folder):
    """A tune in 6/8 with an upbeat and an accompaniment; one without a key, whose metre changes."""
    rng = np.random.default_rng(0)
    pitch = np.tile([62, 64, 66, 67, 69, 71, 69, 67, 66, 64, 62, 61], 4)
    tune = make_notes(pitch, 1200 + np.arange(48) * 240, 230, 90)
    chords = make_notes([50, 57] * 6, np.repeat(np.arange(6), 2) * 1440, 1440, 60, channel=1, track=1)
    both = np.concatenate([tune, chords])
    write_notes(folder / "jig.mid", both, 90.0, (6, 8), names=("Melody", "chords"), key=Key(2))
    onsets = np.cumsum(rng.choice([32, 48, 96, 480], 60))
    free = make_notes(rng.integers(50, 90, 60), onsets, rng.integers(10, 200, 60), ticks_per_beat=96)
    changes = [(0, 3, 4), (1000, 7, 8), (int(onsets[-1]) + 400, 2, 4)]
    write_notes(folder / "free.mid", free, 120.0, changes, ticks_per_beat=96)
    return [folder / "jig.mid", folder / "free.mid"]


def real_files(folder):
    with tarfile.open(PACK) as archive:
        tunes = (one for one in archive if "/melody/" in one.name and one.name.endswith(".mid"))
        chosen = list(itertools.islice(tunes, 5))
        archive.extractall(folder, chosen, filter="data")
    return [folder / one.name for one in chosen]


REAL = pytest.mark.skipif(not PACK.is_file(), reason="KELLY_SHARED names no folder with nottingham.tar.xz")


@pytest.mark.parametrize("files", [seed_files, pytest.param(real_files, marks=REAL)])
def test_a_midi_file_goes_on_as_kelly_predict_has_it(cpp, melody, tmp_path: Path, files):
    build, _ = melody
    ours, theirs = tmp_path / "ours.mid", tmp_path / "theirs.mid"
    words = ["predict", "melody", "--runtime", "cpp", "--only-new", "-o", theirs]
    for number, path in enumerate(files(tmp_path)):
        for bars in (6, 0):
            code, said = cpp.run(build / "melody", path, ours, bars, number)
            assert code == 0, said
            assert ", 0 allocations" in said
            order = [path, "--bars", bars, "--seed", number]
            assert kelly(["--workspace", *map(str, [build.parent, *words, *order])]) == 0
            columns = ["onset_tick", "duration_tick", "pitch", "channel"]
            written, right = (read_midi(one) for one in (ours, theirs))
            assert written.notes[columns].tolist() == right.notes[columns].tolist()
            assert len(written.notes) or bars == 0
            assert written.metre.tolist() == right.metre.tolist()
            assert not written.problems
            for one in (ours, theirs):
                one.unlink()


def unusable_files(folder):
    """Files and what is said of them."""
    jig = seed_files(folder)[0].read_bytes()
    (folder / "drums.mid").write_bytes(encode(make_notes([36], [0], [10], channel=9)))
    files = {
        "text.mid": (b"no music", "isn't a MIDI file"),
        "short.mid": (jig[:12], "header is incomplete"),
        "cut.mid": (jig[:-20], "cut off"),
        "songs.mid": (jig[:9] + b"\2" + jig[10:], "type 0 or 1"),
        "film.mid": (jig[:12] + b"\xe7\x28" + jig[14:], "parts of a quarter note"),
        "damaged.mid": (jig.replace(b"\x90\x3e", b"\x90\xbe", 1), "track 2 is damaged"),
    }
    for name, (data, _) in files.items():
        (folder / name).write_bytes(data)
    said = {name: words for name, (_, words) in files.items()}
    return {**said, "drums.mid": "no pitched note", "nothing.mid": "can't be read"}


def test_what_it_can_not_go_on_from_is_said(cpp, melody, tmp_path: Path):
    program, out = melody[0] / "melody", tmp_path / "out.mid"
    for name, words in unusable_files(tmp_path).items():
        code, said = cpp.run(program, tmp_path / name, out)
        assert (code, said.count("\n")) == (2, 1), said
        assert words in said
        assert not out.exists()
    jig = tmp_path / "jig.mid"
    for order, words in (("-1", "whole number"), ("2000", "up to 1024"), ("four", "whole number")):
        code, said = cpp.run(program, jig, out, order)
        assert (code, words in said) == (2, True)
    assert cpp.run(program, jig)[0] == 2
    code, said = cpp.run(program, jig, tmp_path / "no folder" / "out.mid")
    assert (code, "can't be written" in said) == (2, True)
    assert not out.exists()
