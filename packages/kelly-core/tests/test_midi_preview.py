"""Notes as sound and as a picture."""

import numpy as np
import pytest
import soundfile

from kelly_core.cli.predict_midi import find_targets, transform_files
from kelly_core.errors import DataError, UserError
from kelly_core.features.midi import encode, make_notes, read_midi
from kelly_core.features.midi.picture import draw_roll
from kelly_core.features.midi.preview import render
from kelly_core.features.midi.samples import write_sample


def loudest_frequency(samples, sample_rate=16_000):
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return np.argmax(spectrum) * sample_rate / len(samples)


def test_a_note_sounds_at_its_pitch_and_time():
    samples = render(make_notes(69, 960, 960))  # 1 s to 2 s
    assert np.abs(samples[:15_900]).max() == 0
    assert loudest_frequency(samples[16_000:32_000]) == pytest.approx(440, abs=2)
    assert np.abs(samples).max() == pytest.approx(0.9)


def test_louder_notes_sound_louder():
    samples = render(make_notes([69, 69], [0, 1920], 480, [40, 80]))
    assert np.abs(samples[32_000:]).max() > 3 * np.abs(samples[:16_000]).max()


def test_a_kick_is_low_and_a_hat_is_high():
    kick, hat = (render(make_notes(pitch, 0, 100, channel=9)) for pitch in (36, 42))
    assert loudest_frequency(kick) < 150
    assert loudest_frequency(hat) > 2000


@pytest.mark.parametrize("onset", [0, 10**9])
def test_nothing_and_far_too_late_render_silence(onset):
    notes = make_notes(60, onset // 4, 10) if onset else make_notes([], [], [])
    assert not render(notes).any()
    assert len(render(notes)) < 61 * 16_000


def test_a_sample_is_a_midi_file_and_its_sound(tmp_path):
    write_sample(tmp_path, "song", encode(make_notes([60, 64], [0, 480], 480)))
    assert read_midi(tmp_path / "song.mid").notes["pitch"].tolist() == [60, 64]
    assert soundfile.info(tmp_path / "song.wav").duration == pytest.approx(1.5, abs=0.01)


@pytest.mark.parametrize("names", [None, {36: "kick", 38: "snare"}])
def test_a_roll_is_drawn(tmp_path, names):
    notes = make_notes([36, 38], [0, 480], 240)
    drawn = draw_roll(tmp_path / "roll.png", {"in": notes, "out": notes[:0]}, title="x", pitch_names=names)
    assert drawn.stat().st_size > 5000


def test_results_never_replace_an_input_or_each_other(tmp_path):
    a, b = tmp_path / "a.mid", tmp_path / "b" / "a.mid"
    assert find_targets([a], None, "played") == [tmp_path / "a.played.mid"]
    assert find_targets([a], tmp_path / "x.mid", "played") == [tmp_path / "x.mid"]
    assert find_targets([a], tmp_path / "out", "played") == [tmp_path / "out" / "a.mid"]
    with pytest.raises(UserError, match="is a MIDI file"):
        find_targets([a], tmp_path / "x.musicxml", "played")
    with pytest.raises(UserError, match="replace an input"):
        find_targets([a], a, "played")
    with pytest.raises(UserError, match="two inputs"):
        find_targets([a, b], tmp_path / "out", "played")


def test_a_bad_file_stops_no_other(tmp_path, capsys):
    def transform(source, target):
        if source.name == "bad.mid":
            raise DataError("it is empty", where=str(source), hint="look at it")
        target.write_bytes(b"x")
        return {"notes": 3}

    files = [tmp_path / "bad.mid", tmp_path / "good.mid"]
    targets = find_targets(files, tmp_path / "o", "x")
    with pytest.raises(Exception) as caught:  # noqa: PT011 - typer's Exit
        transform_files(files, targets, transform, {"notes": "notes"}, as_json=False)
    assert caught.value.exit_code == 2
    shown = capsys.readouterr()
    assert "good.mid" in shown.out
    assert "it is empty" in shown.err
    assert (tmp_path / "o" / "good.mid").exists()
