"""What grooving a file does to its notes, and what it never does."""

import contextlib

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from kelly_core.errors import KellyError
from kelly_core.features.midi import make_notes, read_bytes, rewritten
from kelly_core.features.midi.write import encode
from kelly_groove.data.read import drum_notes, on_grid
from kelly_groove.grid import LIMIT, N_DRUMS
from kelly_groove.humanise import Changes, Feel, Said, changes, in_order

TICKS = 480
STEADY = Feel(variation=0.0)
NOTE = st.tuples(
    st.integers(0, 16 * TICKS),
    st.sampled_from([36, 38, 42, 46, 51, 81]),
    st.integers(1, 127),
    st.integers(1, 300),
)


def midi_of(rows, channel=9, bpm=120.0):
    onset, pitch, velocity, duration = (np.array(column) for column in zip(*rows, strict=True))
    notes = make_notes(pitch, onset, duration, velocity, channel=channel, ticks_per_beat=TICKS, bpm=bpm)
    return read_bytes(encode(notes, bpm, (4, 4), TICKS))


def said_of(part, offset, velocity, spread=0.1):
    full = np.ones((len(part.steps), N_DRUMS))
    return Said(full * offset, full * velocity, full * spread, full * 100 * spread)


def grooved(midi, offset=0.2, velocity=100.0, feel=STEADY, spread=0.1) -> Changes:
    chosen = drum_notes(midi)
    part = on_grid(midi, chosen)
    return changes(midi, chosen, part, said_of(part, offset, velocity, spread), feel)


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(NOTE, min_size=1, max_size=40),
    offset=st.floats(-LIMIT, LIMIT),
    velocity=st.floats(1, 127),
    amount=st.floats(0, 1),
    variation=st.floats(0, 1),
    seed=st.integers(0, 5),
)
def test_whatever_is_predicted_the_file_stays_sound(rows, offset, velocity, amount, variation, seed):
    if not any(row[1] != 81 for row in rows):
        rows = [*rows, (0, 36, 80, 10)]
    midi = midi_of(rows)
    made = grooved(midi, offset, velocity, Feel(amount, variation, seed), spread=0.3)
    before = midi.notes
    after = read_bytes(rewritten(midi, onset_tick=made.onset_tick, velocity=made.velocity)).notes
    assert len(after) == len(before)
    assert after["velocity"].min() >= 1
    assert after["velocity"].max() <= 127
    assert sorted(after["pitch"]) == sorted(before["pitch"])
    assert (after["duration_tick"] >= 0).all()
    for pitch in np.unique(after["pitch"]):
        mine = after[after["pitch"] == pitch]
        ends = mine["onset_tick"] + mine["duration_tick"]
        assert (ends[:-1] <= mine["onset_tick"][1:]).all()
    order = np.argsort(before["onset_tick"], kind="stable")
    drums = np.isin(before["pitch"][order], [36, 38, 42, 46, 51])
    onsets = made.onset_tick[order][drums]
    later = np.diff(before["onset_tick"][order][drums]) > 0
    assert (np.diff(onsets)[later] >= 0).all()


@settings(max_examples=40, deadline=None)
@given(
    steps=st.lists(st.integers(0, 31), min_size=1, max_size=20, unique=True),
    offset=st.floats(-LIMIT, LIMIT),
    bpm=st.floats(40, 240),
)
def test_notes_on_the_grid_end_within_the_bounds(steps, offset, bpm):
    midi = midi_of([(step * TICKS // 4, 38, 80, 30) for step in sorted(steps)], bpm=bpm)
    feel = Feel(variation=0.0)
    moved = np.abs(grooved(midi, offset, 90.0, feel).onset_tick - midi.notes["onset_tick"])
    assert moved.max() <= TICKS / 4 * LIMIT + 1
    assert (moved * 60_000 / bpm / TICKS).max() <= feel.longest_ms + 60_000 / bpm / TICKS


def test_amount_zero_changes_nothing():
    midi = midi_of([(3, 36, 70, 20), (130, 38, 90, 20)])
    made = grooved(midi, 0.4, 20.0, Feel(amount=0.0, variation=1.0))
    assert made.onset_tick.tolist() == midi.notes["onset_tick"].tolist()
    assert made.velocity.tolist() == midi.notes["velocity"].tolist()


def test_amount_is_the_share_of_the_way():
    midi = midi_of([(120, 38, 60, 20)])
    half = grooved(midi, 0.4, 100.0, Feel(amount=0.5, variation=0.0))
    assert half.onset_tick.tolist() == [120 + 24]
    assert half.velocity.tolist() == [80]


def test_a_played_note_goes_to_where_the_model_puts_it():
    midi = midi_of([(120 + 30, 38, 60, 20)])
    assert grooved(midi, -0.1).onset_tick.tolist() == [120 - 12]


def test_a_written_triplet_keeps_its_place():
    midi = midi_of([(320, 42, 80, 20)])  # the last third of a beat: step 3, a third early
    assert grooved(midi, 0.05).onset_tick.tolist() == [320 + 6]
    assert grooved(midi, -0.3).onset_tick.tolist() == [360 - 36]


def test_flams_move_together():
    midi = midi_of([(110, 38, 40, 5), (120, 38, 90, 20)])
    made = grooved(midi, 0.2, 90.0)
    assert np.diff(made.onset_tick).tolist() == [10]
    assert made.velocity.tolist() == [40, 90]


def test_notes_of_other_instruments_and_channels_stay():
    midi = midi_of([(0, 81, 33, 20), (120, 38, 60, 20)])
    made = grooved(midi)
    assert made.onset_tick[0] == 0
    assert made.velocity[0] == 33


def test_the_seed_decides_the_variation():
    midi = midi_of([(120 * k, 42, 80, 20) for k in range(16)])
    first, again, other = (grooved(midi, 0.0, 80.0, Feel(variation=1.0, seed=seed)) for seed in (1, 1, 2))
    assert first.onset_tick.tolist() == again.onset_tick.tolist()
    assert first.onset_tick.tolist() != other.onset_tick.tolist()


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(-20, 20)), max_size=30))
def test_in_order_never_lets_a_note_pass_another(pairs):
    before = np.array(sorted(a for a, _ in pairs), dtype=np.int64)
    if not len(before):
        return
    after = in_order(before, before + np.array([b for _, b in pairs], dtype=np.int64))
    assert (after >= 0).all()
    for here in range(len(before) - 1):
        assert (after[here + 1 :][before[here + 1 :] > before[here]] >= after[here]).all()


@settings(max_examples=60, deadline=None)
@given(flips=st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=8))
def test_damaged_files_are_grooved_whole_or_refused(flips):
    notes = make_notes([36, 42, 38, 42] * 8, np.arange(32) * 120, 40, 80, channel=9, ticks_per_beat=TICKS)
    data = bytearray(encode(notes, 110.0, (4, 4), TICKS))
    for place, value in flips:
        data[place % len(data)] = value
    with contextlib.suppress(KellyError):  # any other error is a failure
        midi = read_bytes(bytes(data))
        made = grooved(midi, 0.3, 90.0, Feel(variation=1.0))
        after = read_bytes(rewritten(midi, onset_tick=made.onset_tick, velocity=made.velocity)).notes
        assert len(after) == len(midi.notes)
        assert after["velocity"].min() >= 1
