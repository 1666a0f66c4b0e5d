"""Our own models, datasets, exporters and devices keep every rule that strangers' plugins have to keep."""

import numpy as np
import pytest
from scipy.io import savemat

from kelly_core.catalog import read_catalog
from kelly_core.features.midi import make_notes, write_notes
from kelly_core.testing import check_plugin
from kelly_core.testing.check import ONLY_RUN
from kelly_core.testing.weights import TRAINED_HERE

OURS = {entry.qualified: entry for entry in read_catalog() if entry.distribution.startswith("kelly-")}
pytestmark = pytest.mark.slow


def tune(file, *, chords=False, seed=0, names=("", "")):
    """A melody of 24 notes, with a chord per bar in a second track where asked for."""
    file.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    parts = [make_notes(67 + rng.integers(-5, 8, 24), np.arange(24) * 240, 220, 80)]
    if chords:
        starts = np.repeat(np.arange(3) * 1920, 3)
        parts.append(make_notes(np.tile([43, 47, 50], 3), starts, 1900, 60, track=1))
    write_notes(file, np.concatenate(parts), 100.0, names=names)


def audio_folder(root):
    for name in ("happy/ann-1.wav", "sad/ann-2.wav", "angry/bob-1.wav"):
        (root / name).parent.mkdir()
        (root / name).touch()


def ravdess(root):
    folder = root / "Actor_01"
    folder.mkdir()
    for emotion in range(1, 9):
        (folder / f"03-01-{emotion:02d}-01-01-01-01.wav").touch()


def asap(root):
    header = "composer,title,xml_score,robust_note_alignment,match_file"
    (root / "metadata.csv").write_text(f"{header}\nBach,Fugue,,1.0,a.match\nBach,Fugue,,1.0,b.match\n")
    for name in ("a.match", "b.match"):
        (root / name).touch()


def groove_midi(root):
    header = "drummer,session,id,style,bpm,beat_type,time_signature,midi_filename,duration,split"
    row = "drummer1,drummer1/session1,1,rock,100,beat,4-4,a.mid,2.0,train"
    (root / "info.csv").write_text(f"{header}\n{row}\n")
    tune(root / "a.mid")


def pop909(root):
    tune(root / "001" / "001.mid", names=("MELODY", ""))
    for name in ("beat_midi.txt", "chord_midi.txt", "key_audio.txt"):
        (root / "001" / name).touch()


def nottingham(root):
    tune(root / "MIDI" / "melody" / "jigs1.mid")
    (root / "ABC_cleaned").mkdir()
    (root / "ABC_cleaned" / "jigs.abc").write_text("X: 1\nT:One\nM:6/8\nK:Am\nabc|\n")


def polymusic(root):
    cell = np.empty((1, 1), object)
    cell[0, 0] = (np.random.default_rng(0).random((20, 88)) < 0.05).astype(np.uint8)
    savemat(root / "JSB_Chorales.mat", dict.fromkeys(("traindata", "validdata", "testdata"), cell))


LAYOUTS = {
    "kelly-core:midi-folder": lambda root: tune(root / "a.mid"),
    "kelly-core:sound-folder": lambda root: (root / "a.wav").touch(),
    "kelly-dynamics:asap": asap,
    "kelly-emotion:audio-folder": audio_folder,
    "kelly-emotion:ravdess": ravdess,
    "kelly-groove:groove-midi": groove_midi,
    "kelly-harmony:nottingham-chords": lambda root: tune(root / "MIDI" / "jigs1.mid", chords=True),
    "kelly-harmony:pop909": pop909,
    "kelly-melody:nottingham": nottingham,
    "kelly-melody:polymusic": polymusic,
}
"""Recorded sets: what writes a little of each set's layout. Those that are made on the spot need no folder."""


@pytest.mark.parametrize("name", OURS)
def test_ours_keeps_every_rule_that_concerns_it(name, tmp_path, monkeypatch):
    monkeypatch.delenv("KELLY_DATA_ROOT", raising=False)
    if name in LAYOUTS:
        LAYOUTS[name](tmp_path)
    report = check_plugin(name, data=tmp_path if name in LAYOUTS else None)
    assert report.passed, str(report)
    skipped = [result for result in report.results if result.verdict == "skip"]
    # Models are trained here or only run, and a machine without a C++ compiler can't open that format's files.
    left_out = {one.rule: str(one) for one in skipped if one.detail not in (ONLY_RUN, TRAINED_HERE)}
    if name == "kelly-export:coreml-state":  # its files keep state: a network without any is another format's
        assert left_out.pop("small-network-passes-parity")
    assert name.endswith(":cpp") or left_out == {}


def test_our_five_models_and_all_else_that_we_bring_are_among_them():
    kinds = {
        kind: {entry.name for entry in OURS.values() if entry.kind == kind} for kind in ("model", "device")
    }
    assert {"emotion", "melody", "harmony", "dynamics", "groove"} <= kinds["model"]
    assert {"cpu", "cuda", "mps"} <= kinds["device"]
    assert {"onnx", "torchscript", "rtneural", "cpp", "coreml"} <= {entry.name for entry in OURS.values()}
