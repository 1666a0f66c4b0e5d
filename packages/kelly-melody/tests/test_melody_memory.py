"""The memory of a tune: against a plain definition, causal, and able to grow."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from kelly_melody.features.inputs import memory_of, tell
from kelly_melody.features.memory import (
    DEGREE,
    LAGS,
    LONGEST_RUN,
    N_SOURCES,
    NO_DURATION,
    NO_PITCH,
    SOURCES,
    Memory,
    from_degree,
)
from kelly_melody.tokens import DURATIONS, REST, Melody

PITCHES = st.sampled_from([48, 50, 52, 53, REST])
LENGTHS = st.sampled_from([DURATIONS.index(ticks) for ticks in (12, 24)])
TOKENS = st.lists(st.tuples(PITCHES, LENGTHS), min_size=1, max_size=60)


def melody_of(tokens):
    return Melody(np.array([pitch for pitch, _ in tokens]), np.array([length for _, length in tokens]))


def longest(tokens, at, keep):
    """The longest run of tokens before `at` that an earlier place repeats, and what followed the latest."""
    best, followed = 0, None
    for place in range(1, at):
        if not keep(tokens[place]):
            continue
        run = 0
        while run < place and tokens[place - 1 - run] == tokens[at - 1 - run]:
            run += 1
        if run and run >= best:
            best, followed = run, tokens[place]
    return best, followed


@settings(max_examples=60, deadline=None)
@given(TOKENS)
def test_exact_and_other_are_what_a_plain_search_finds(tokens):
    memory = memory_of(melody_of(tokens))
    for at in range(len(tokens) + 1):
        run, followed = longest(tokens, at, lambda _: True)
        assert memory[at, 0, 2] == min(run, LONGEST_RUN)
        assert tuple(memory[at, 0, :2]) == (followed or (NO_PITCH, NO_DURATION))
        run, other = longest(tokens, at, lambda token, said=followed: token != said)
        assert memory[at, 1, 2] == min(run, LONGEST_RUN)
        assert tuple(memory[at, 1, :2]) == (other or (NO_PITCH, NO_DURATION))


@settings(max_examples=40, deadline=None)
@given(TOKENS, TOKENS)
def test_what_comes_later_changes_nothing(tokens, more):
    alone, longer = memory_of(melody_of(tokens)), memory_of(melody_of(tokens + more))
    np.testing.assert_array_equal(alone[: len(tokens) + 1], longer[: len(tokens) + 1])


@settings(max_examples=40, deadline=None)
@given(TOKENS)
def test_bars_propose_what_began_exactly_then(tokens):
    melody = melody_of(tokens)
    memory, onsets = memory_of(melody), melody.onsets().tolist()
    for at, onset in enumerate(onsets):
        for lag, bars in enumerate(LAGS):
            earlier = [tokens[i] for i in range(at) if onsets[i] == onset - 96 * bars]
            assert tuple(memory[at, 4 + lag, :2]) == (earlier[0] if earlier else (NO_PITCH, NO_DURATION))


def test_a_sequence_is_moved_along_the_scale():
    steps = [0, 1, 2, 0, 1, 2, 3, 1, 2, 3, 4]
    tokens = [(from_degree(int(DEGREE[48]) + step), 11) for step in steps]
    memory = memory_of(melody_of(tokens))
    assert memory[len(tokens), SOURCES.index("steps"), 0] == from_degree(int(DEGREE[48]) + 2)


def test_rhythm_needs_the_same_place_of_the_bar():
    lengths = [DURATIONS.index(ticks) for ticks in (36, 12, 24, 24, 36)]
    memory = memory_of(Melody(np.array([48, 50, 52, 53, 55]), np.array(lengths)))
    source = SOURCES.index("rhythm")
    assert memory[5, source].tolist() == [NO_PITCH, lengths[1], 1]
    assert memory[3, source, 2] == 0


def test_it_grows_without_forgetting():
    rng = np.random.default_rng(0)
    small, large = Memory(2), Memory(1000)
    onset = 0
    for _ in range(100):
        token = int(rng.integers(40, 43)), int(rng.integers(10, 13))
        for memory in (small, large):
            memory.add(*token, onset, onset % 96, 96)
        onset += DURATIONS[token[1]]
        for one, other in zip(small.candidates(onset, 96), large.candidates(onset, 96), strict=True):
            np.testing.assert_array_equal(one, other)
    assert large.candidates(onset, 96)[1].shape == (N_SOURCES,)


def test_a_repeat_is_not_novel():
    tokens = [(48 + at % 6, 11) for at in range(12)]
    told = tell(melody_of(tokens))
    assert told.novel.tolist() == [True] * 10 + [False] * 3
