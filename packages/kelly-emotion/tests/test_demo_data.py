import subprocess
import sys
from collections import Counter

import numpy as np
import pytest
import soundfile

from kelly_core.data.demo import checksum
from kelly_core.errors import ConfigError
from kelly_core.features.audio import LogMel
from kelly_emotion.demo import DemoOptions, open_demo, recognises
from kelly_emotion.demo.cues import CENTRES, LIMITS, UNITS, draw_cues
from kelly_emotion.demo.dataset import make_clips
from kelly_emotion.demo.synth import PEAK, SAMPLE_RATE, loudness
from kelly_emotion.labels import EMOTIONS

SMALL = {"performers": 2, "takes": 1}


@pytest.fixture(scope="module")
def clips():
    return list(make_clips(DemoOptions(performers=6, takes=2)))


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return open_demo(tmp_path_factory.mktemp("demo"), SMALL)


def test_default_set_is_large_enough_and_balanced():
    options = DemoOptions()
    assert options.performers >= 14
    assert options.performers * options.takes * len(CENTRES) == 392


def test_every_emotion_has_cues_and_nothing_else_has():
    assert set(CENTRES) == set(EMOTIONS)


def test_dataset_says_what_it_is(small):
    assert small.name == "emotion-demo"
    assert small.synthetic
    assert small.group_kind == "performer"
    assert any("synthetic" in note for note in small.notes)
    assert all(item.group.startswith("synthetic-") for item in small.items)
    assert small.counts() == dict.fromkeys(sorted(EMOTIONS), 2)
    assert Counter(item.group for item in small.items) == {"synthetic-01": 7, "synthetic-02": 7}
    assert [item.path for item in small.items] == sorted(item.path for item in small.items)


def test_files_are_16_bit_mono_at_16_khz(small):
    for item in small.items:
        info = soundfile.info(item.path)
        assert (info.samplerate, info.channels, info.subtype) == (16_000, 1, "PCM_16")
        assert 2.0 <= info.duration <= 4.0
        assert float(item.extra["duration"]) == pytest.approx(info.duration, abs=1e-3)


def test_same_options_give_the_same_bytes(small, tmp_path):
    again = open_demo(tmp_path, SMALL)
    assert again.root != small.root
    assert checksum(again.root) == checksum(small.root)


def test_more_performers_leave_the_first_ones_as_they_were():
    one = list(make_clips(DemoOptions(performers=1, takes=1)))
    two = list(make_clips(DemoOptions(performers=2, takes=1)))
    for mine, other in zip(one, two, strict=False):
        assert mine.row == other.row
        np.testing.assert_array_equal(mine.samples, other.samples)


def test_another_seed_gives_other_clips(small, tmp_path):
    other = open_demo(tmp_path, {**SMALL, "seed": 1})
    assert other.root.name != small.root.name
    assert checksum(other.root) != checksum(small.root)


def test_opening_again_writes_nothing(tmp_path):
    first = open_demo(tmp_path, {"performers": 1, "takes": 1})
    before = {file: file.stat().st_mtime_ns for file in first.root.rglob("*")}
    again = open_demo(tmp_path, {"performers": 1, "takes": 1})
    assert again == first
    assert {file: file.stat().st_mtime_ns for file in first.root.rglob("*")} == before


def test_the_folder_of_clips_itself_can_be_opened(small):
    assert open_demo(small.root) == small


def test_two_processes_may_open_at_once(tmp_path):
    code = (
        "import sys, pathlib; from kelly_emotion.demo import open_demo; "
        "print(len(open_demo(pathlib.Path(sys.argv[1]), {'performers': 2, 'takes': 2}).items))"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert [process.communicate()[0].strip() for process in both] == ["28", "28"]
    assert not list(tmp_path.glob(".emotion-demo-*"))


@pytest.mark.parametrize("wrong", [{"performers": 0}, {"takes": "4"}, {"seed": -1}, {"takes": True}])
def test_options_out_of_range_are_refused(tmp_path, wrong):
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        open_demo(tmp_path, wrong)


def test_other_folders_are_not_taken_for_the_demo(tmp_path):
    assert not recognises(tmp_path)
    assert not recognises(tmp_path / "missing")


def test_every_cue_has_a_unit_and_stays_inside_its_limits():
    rng = np.random.default_rng(0)
    for emotion in EMOTIONS:
        for _ in range(200):
            cues = draw_cues(emotion, rng)
            assert set(cues.__slots__) == set(UNITS)
            assert cues.major in (0.0, 1.0)
            for name, (low, high) in LIMITS.items():
                assert low <= getattr(cues, name) <= high


def test_no_clip_clips_has_an_offset_or_starts_with_a_click(clips):
    for clip in clips:
        assert np.abs(clip.samples).max() <= PEAK < 1.0
        assert abs(float(clip.samples.mean())) < 1e-3
        assert np.abs(clip.samples[:160]).max() < 0.01
        assert np.abs(clip.samples[-20:]).max() < 0.01
        assert loudness(clip.samples) > 10 ** (-42 / 20)


def mean_over(clips, emotion, measure):
    return float(np.mean([measure(clip.samples) for clip in clips if clip.row["label"] == emotion]))


def onset_density(samples):
    """Rises of the log-mel energy per second."""
    decibels = LogMel()(samples)
    flux = np.maximum(np.diff(np.maximum(decibels, decibels.max() - 50.0), axis=1), 0.0).mean(axis=0)
    peaks = (flux[1:-1] > flux[:-2]) & (flux[1:-1] >= flux[2:]) & (flux[1:-1] > 1.5)
    return peaks.sum() / (len(samples) / SAMPLE_RATE)


def decibels(samples):
    return 20 * np.log10(loudness(samples))


def high_share(samples):
    """Level above 2 kHz against the whole, dB."""
    power = np.abs(np.fft.rfft(samples)) ** 2
    hertz = np.fft.rfftfreq(len(samples), 1 / SAMPLE_RATE)
    return 10 * np.log10(power[hertz > 2000].sum() / power.sum())


def rests(samples):
    """Share of the clip that is 20 dB or more below its loudest 20 ms."""
    frames = samples[: len(samples) // 320 * 320].reshape(-1, 320)
    power = np.square(frames).mean(axis=1)
    return float((power < power.max() / 100).mean())


def level_variation(samples):
    """Standard deviation of the level while it sounds, dB."""
    frames = samples[: len(samples) // 1600 * 1600].reshape(-1, 1600)
    level = 10 * np.log10(np.square(frames).mean(axis=1) + 1e-12)
    return float(level[level > level.max() - 25].std())


@pytest.mark.parametrize(
    ("measure", "more", "less", "by"),
    [
        (onset_density, "happy", "sad", 1.0),
        (onset_density, "angry", "disgust", 0.3),
        (decibels, "angry", "sad", 8.0),
        (decibels, "happy", "fear", 4.0),
        (decibels, "angry", "neutral", 4.0),
        (high_share, "angry", "sad", 5.0),
        (high_share, "surprise", "neutral", 1.0),
        (rests, "happy", "sad", 0.1),
        (rests, "fear", "neutral", 0.05),
        (level_variation, "fear", "sad", 1.0),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_cues_are_audible_in_the_published_direction(clips, measure, more, less, by):
    assert mean_over(clips, more, measure) > mean_over(clips, less, measure) + by


def test_major_and_minor_follow_the_emotion(clips):
    keys = Counter((clip.row["label"], clip.row["key"]) for clip in clips)
    assert keys["happy", "major"] > keys["happy", "minor"]
    assert keys["sad", "minor"] > keys["sad", "major"]


def test_emotions_can_be_told_apart_on_unheard_performers_but_not_perfectly():
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    front, rows, labels, performers = LogMel(), [], [], []
    for clip in make_clips(DemoOptions(performers=10, takes=1)):
        mel = front(clip.samples)
        rows.append(np.concatenate([mel.mean(axis=1), mel.std(axis=1), np.diff(mel).std(axis=1)]))
        labels.append(clip.row["label"])
        performers.append(clip.row["speaker"])
    rows, labels = np.array(rows), np.array(labels)
    heard = np.array(performers) <= "synthetic-06"
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=500))
    accuracy = model.fit(rows[heard], labels[heard]).score(rows[~heard], labels[~heard])
    assert 0.4 < accuracy < 0.97
