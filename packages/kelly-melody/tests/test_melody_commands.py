"""MelodyTransformer through the commands, on its demo set: train, evaluate, export, verify, predict."""

import json

import numpy as np
import pytest

from kelly_core.cli import run
from kelly_core.features.midi import make_notes, read_midi, write_notes
from kelly_core.features.midi.keys import Key
from kelly_core.inference import create_engine_by_name
from kelly_melody.compose import Composer, Host
from kelly_melody.data.read import read_melody
from kelly_melody.infer import engine_step
from kelly_melody.sampling import SplitMix64, Taste
from kelly_melody.tokens import DURATIONS, REST, Metre

TINY = ["crop=64", "checkpoint.samples_every=1"]
TINY += [f"network.{size}" for size in ("width=8", "layers=1", "heads=2", "span=16", "hidden=8")]


@pytest.fixture(scope="module", params=["transformer", "lstm"])
def trained(request, tmp_path_factory):
    """A workspace with a tiny model of each architecture, exported in both formats."""
    place = tmp_path_factory.mktemp(request.param)
    sets = [part for word in (*TINY, f"architecture_type={request.param}") for part in ("--set", word)]
    words = ["train", "melody", "--data", "demo", "--epochs", "1", "--export-onnx", "--export-torchscript"]
    assert run(["--workspace", str(place), *words, *sets]) == 0
    return place


@pytest.fixture
def seed_file(tmp_path):
    """Six bars and a beat in D major, 6/8, with an accompaniment and its own tempo."""
    pitch = np.array([62, 64, 66, 67, 69, 71, 69, 67, 66, 64, 62, 61, 62] * 3)
    tune = make_notes(pitch, np.arange(39) * 240, 240, 90, ticks_per_beat=480, bpm=90.0)
    chords = make_notes([50, 57] * 6, np.repeat(np.arange(6), 2) * 1440, 1440, 60, channel=1, track=1)
    write_notes(tmp_path / "seed.mid", np.concatenate([tune, chords]), 90.0, (6, 8), names=("melody", "chords"))
    return tmp_path / "seed.mid"


def predict(place, *words):
    return run(["--workspace", str(place), "predict", "melody", *map(str, words)])


def no_overlaps(notes):
    for _, pitch, channel in {(0, int(n["pitch"]), int(n["channel"])) for n in notes}:
        mine = notes[(notes["pitch"] == pitch) & (notes["channel"] == channel)]
        assert (np.diff(mine["onset_tick"]) >= mine["duration_tick"][:-1]).all()


def test_a_tiny_run_leaves_model_exports_and_samples(trained):
    names = {path.name for path in (trained / "models").iterdir()}
    assert {"melodytransformer.onnx", "melodytransformer.pt", "melodytransformer.contract.json"} <= names
    samples = {path.suffix for path in trained.glob("logs/training/*/samples/epoch_1/*")}
    assert samples == {".mid", ".wav"}
    assert "SYNTHETIC" in (trained / "docs/model_cards/melodytransformer.md").read_text().upper()


def test_verify_and_evaluate_pass(trained, capsys):
    assert run(["--workspace", str(trained), "verify", "melody"]) == 0
    capsys.readouterr()
    assert run(["--workspace", str(trained), "evaluate", "melody", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["synthetic"]
    assert set(report["metrics"]["test"]) >= {"nats", "novel_pitch_nats", "top1"}
    assert set(report["baselines"]) == {"unigram", "Kneser-Ney", "Kneser-Ney + this tune"}


def test_a_file_goes_on_for_the_bars_asked_and_again_the_same(trained, seed_file, capsys):
    outputs = []
    for name in ("one.mid", "two.mid", "other.mid"):
        out = seed_file.with_name(name)
        seed = 4 if name == "other.mid" else 3
        assert predict(trained, seed_file, "--bars", 4, "--seed", seed, "-o", out, "--json") == 0
        outputs.append(out.read_bytes())
    assert outputs[0] == outputs[1] != outputs[2]
    told = json.loads(capsys.readouterr().out.split("\n}\n")[0] + "\n}")["predictions"][0]
    assert (told["key"], told["key_source"], told["metre"]) == ("D major", "estimated", "6/8")
    before, after = read_midi(seed_file), read_midi(seed_file.with_name("one.mid"))
    # 39 eighths are six bars and a half: the seventh is filled up, four more are written.
    assert sum(length for _, length in told["tokens"]) == 36 + 4 * 72
    assert after.notes["onset_tick"].max() < 11 * 1440
    assert len(after.notes) == len(before.notes) + told["notes"]
    assert after.metre[["numerator", "denominator"]].tolist() == [(6, 8)]
    assert float(after.tempo_at(0)) == pytest.approx(90.0, abs=0.01)
    assert ((after.notes["velocity"] >= 1) & (after.notes["velocity"] <= 127)).all()
    assert not after.problems
    no_overlaps(after.notes)
    assert after.names[:3] == before.names
    columns = ["onset_tick", "duration_tick", "pitch", "velocity", "track"]
    old = after.notes[after.notes["track"] <= before.notes["track"].max()][columns]
    assert sorted(old.tolist()) == sorted(before.notes[columns].tolist())


def test_a_melody_begins_from_nothing_in_key_metre_and_tempo(trained, tmp_path, capsys):
    out = tmp_path / "new.mid"
    words = ["--key", "E minor", "--metre", "3/4", "--tempo", 77, "--bars", 5, "--json"]
    assert predict(trained, *words, "-o", out) == 0
    told = json.loads(capsys.readouterr().out)["predictions"][0]
    assert (told["key"], told["metre"], told["bars"]) == ("E minor", "3/4", 5.0)
    midi = read_midi(out)
    assert [(row["fifths"], row["minor"]) for row in midi.keys] == [(1, True)]
    assert float(midi.tempo_at(0)) == pytest.approx(77, abs=0.01)
    assert midi.notes["onset_tick"].max() < 5 * 3 * 480
    assert len(midi.notes) == told["notes"]


def test_only_new_and_until_the_end(trained, seed_file):
    out = seed_file.with_name("new.mid")
    assert predict(trained, seed_file, "--only-new", "--bars", 2, "-o", out) == 0
    assert read_midi(out).notes["onset_tick"].min(initial=10**9) >= 39 * 240
    assert predict(trained, seed_file, "--bars", 0, "--temperature", 3, "-o", out) == 0


def test_runtimes_say_the_same(trained, seed_file):
    melody = read_melody(seed_file)
    said = []
    for runtime in ("onnx", "torchscript", "torch"):
        engine = create_engine_by_name("melody", runtime=runtime, workspace=trained).load()
        composer = Composer(Host(melody.key, melody.metres, melody.start), engine_step(engine))
        composer.listen(melody)
        said.append(composer.step(composer.host.inputs(), composer.state)[:2])
    for other in said[1:]:
        for one, two in zip(said[0], other, strict=True):
            np.testing.assert_allclose(one, two, atol=1e-4)


def test_a_file_is_answered_with_probabilities_of_the_next_pitch(trained, seed_file):
    answer = create_engine_by_name("melody", workspace=trained).load().infer_file(seed_file)
    assert answer.probabilities.sum() == pytest.approx(1.0)
    assert len(answer.get_top_k(3)) == 3
    assert {"rest", "end", "D4"} <= set(answer.labels)


@pytest.mark.parametrize("ticks", [1, 24, 73, 500])
def test_any_length_is_filled_exactly_with_playable_pitches(trained, ticks):
    engine = create_engine_by_name("melody", workspace=trained).load()
    composer = Composer(Host(Key(-6), ((0, Metre(5, 8)),)), engine_step(engine))
    made = composer.write(ticks, Taste(5.0), SplitMix64(ticks))
    assert sum(DURATIONS[duration] for _, duration in made) == ticks
    assert all(pitch <= REST for pitch, _ in made)


@pytest.mark.parametrize(
    ("content", "options", "reason"),
    [
        (b"no midi at all", [], "MIDI"),
        (None, ["--key", "H"], "no key"),
        (None, ["--top-p", "0"], "can't draw"),
    ],
)
def test_bad_requests_end_with_2_and_a_reason(trained, seed_file, content, options, reason, capsys):
    if content is not None:
        seed_file.write_bytes(content)
    out = seed_file.with_name("o.mid")
    assert predict(trained, seed_file, "-o", out, *options) == 2
    assert reason in capsys.readouterr().err
    assert not out.exists()
    assert predict(trained, "--metre", "4/5", "-o", out) == 2


def test_a_long_last_note_ends_where_the_new_part_begins(trained, tmp_path):
    notes = make_notes([60, 62, 64, 65, 67, 60], np.arange(6) * 480, [480] * 5 + [487])
    write_notes(tmp_path / "long.mid", notes, 120.0, (3, 4))
    assert (
        predict(trained, tmp_path / "long.mid", "--bars", 6, "--temperature", 4, "-o", tmp_path / "o.mid") == 0
    )
    after = read_midi(tmp_path / "o.mid").notes
    assert after["onset_tick"].max() > 6 * 480
    assert (after[:6]["onset_tick"] + after[:6]["duration_tick"]).max() <= 6 * 480
    no_overlaps(after)
