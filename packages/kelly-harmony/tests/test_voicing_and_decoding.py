"""Voicings stay in range and move little; Viterbi finds the best sequence; draws follow their seed."""

from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kelly_core.errors import UserError
from kelly_core.features.midi import make_notes, read_bytes
from kelly_core.features.midi.write import encode
from kelly_harmony.chords import N_CHORDS, N_QUALITIES, NAMES, NONE, QUALITIES, parse_label
from kelly_harmony.data.midi import beats_of, lead_of
from kelly_harmony.decode import decode, varied
from kelly_harmony.infer import Harmonised, chord_notes, written
from kelly_harmony.lead import Lead
from kelly_harmony.voicing import BASS, UPPER, segments, voice_chords, voicings
from kelly_harmony.voicing.lead import movement

progressions = st.lists(st.integers(0, N_CHORDS - 1), min_size=1, max_size=12)


@pytest.mark.parametrize("chord", range(NONE))
def test_every_chord_has_voicings_of_its_tones_in_range(chord):
    options = voicings(chord)
    assert options
    root = chord // N_QUALITIES
    for voicing in options:
        assert BASS[0] <= voicing[0] < BASS[1]
        assert all(UPPER[0] <= note < UPPER[1] for note in voicing[1:])
        assert voicing[0] % 12 == root
        assert sorted((note - root) % 12 for note in voicing[1:]) == sorted(
            QUALITIES[NAMES[chord % N_QUALITIES]]
        )


@settings(max_examples=50, deadline=None)
@given(progressions)
def test_a_voicing_for_each_chord_and_silence_for_none(chords):
    voiced = voice_chords(chords, [72.0] * len(chords))
    assert [bool(voices) for voices in voiced] == [chord != NONE for chord in chords]
    for voices in voiced:
        assert list(voices) == sorted(set(voices))


def test_voices_hold_what_two_chords_share():
    chords = [parse_label(label) for label in ("C:maj", "A:min", "F:maj", "G:maj", "C:maj")]
    voiced = voice_chords(chords, [float("inf")] * 5)
    moved = [movement(one, other) - 0.3 * abs(one[0] - other[0]) for one, other in pairwise(voiced)]
    assert max(moved) <= 6
    assert len(set(voiced[0][1:]) & set(voiced[1][1:])) == 2


def test_a_low_melody_keeps_the_voices_down():
    chord = [parse_label("C:maj")]
    assert voice_chords(chord, [60.0])[0][-1] <= voice_chords(chord, [float("inf")])[0][-1] + 1
    assert voice_chords(chord, [57.0])[0][-1] <= 60


def test_segments_are_runs_and_begin_at_bars():
    chords = np.array([1, 1, 1, 1, 2, 2, 3, 3])
    assert [(part.start, part.stop) for part in segments(chords)] == [(0, 4), (4, 6), (6, 8)]
    bars = np.array([0, 0, 1, 1, 1, 1, 2, 2])
    assert [(part.start, part.stop) for part in segments(chords, bars)] == [(0, 2), (2, 4), (4, 6), (6, 8)]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 5), st.floats(0.0, 2.0))
def test_viterbi_is_the_best_of_all_sequences(seed, beats, weight):
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(beats, 3))
    moves = [rng.normal(size=(4, 3)) for _ in range(beats)]

    def total(path):
        steps = sum(moves[at][path[at - 1] if at else 3, path[at]] for at in range(beats))
        return scores[np.arange(beats), path].sum() + weight * steps

    best = max(total(np.array(path)) for path in product(range(3), repeat=beats))
    assert total(decode("viterbi", scores, moves, weight=weight)) == pytest.approx(best)
    assert total(decode("beam", scores, moves, weight=weight, beam=3)) == pytest.approx(best)
    assert total(decode("beam", scores, moves, weight=weight, beam=1)) <= best + 1e-9


def test_without_weight_all_ways_agree():
    rng = np.random.default_rng(0)
    scores, moves = rng.normal(size=(9, 5)), [rng.normal(size=(6, 5)) for _ in range(9)]
    greedy = decode("greedy", scores, []).tolist()
    assert decode("viterbi", scores, moves, weight=0.0).tolist() == greedy
    assert decode("beam", scores, moves, weight=0.0).tolist() == greedy


def test_an_unknown_way_is_refused():
    with pytest.raises(UserError, match="no decoding 'best'"):
        decode("best", np.zeros((1, 2)), [])


def test_draws_follow_the_seed_and_the_probabilities():
    scores = np.log(np.tile([0.7, 0.2, 0.1], (4000, 1)))
    one, again, other = (varied(scores, 1.0, seed) for seed in (1, 1, 2))
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)
    assert np.bincount(one.argmax(axis=1)) / 4000 == pytest.approx([0.7, 0.2, 0.1], abs=0.03)
    assert varied(scores, 0.0, 5) is scores


@settings(max_examples=40, deadline=None)
@given(
    notes=st.lists(
        st.tuples(st.integers(0, 7000), st.integers(1, 900), st.integers(40, 90), st.integers(0, 15)),
        min_size=1,
        max_size=25,
    ),
    metre=st.sampled_from([(4, 4), (3, 4), (6, 8), (2, 2), (7, 8)]),
    seed=st.integers(0, 1000),
)
def test_whatever_the_chords_the_file_keeps_its_notes_and_gets_clean_ones(notes, metre, seed):
    onset, length, pitch, channel = np.array(notes).T
    channel = np.where(channel == 9, 8, channel)
    midi = read_bytes(encode(make_notes(pitch, onset, length, 80, channel=channel), 100.0, metre))
    lead, _ = lead_of(midi)
    chords = np.random.default_rng(seed).integers(0, N_CHORDS, len(lead)).astype(np.int64)
    lead = Lead(lead.melody, lead.metre, lead.key, chords, lead.edges)
    end = int((midi.notes["onset_tick"] + midi.notes["duration_tick"]).max())
    made, texts = chord_notes(midi, midi.notes, beats_of(midi, end), lead)
    result = Harmonised(lead, "estimated", np.ones((len(lead), N_CHORDS)), made, texts)
    after = read_bytes(written(midi, result, "both"))
    assert not [problem for problem in after.problems if "end" in problem or "sounds" in problem]
    fields = ["onset_tick", "duration_tick", "pitch", "velocity", "channel", "track"]
    old = after.notes[after.notes["track"] < len(midi.names)]
    new = after.notes[after.notes["track"] == len(midi.names)]
    assert old[fields].tolist() == midi.notes[fields].tolist()
    assert len(new) == len(made)
    assert all(BASS[0] <= note < UPPER[1] for note in new["pitch"])
    assert (new["duration_tick"] > 0).all()
