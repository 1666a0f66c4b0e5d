"""The baselines are distributions, and the memory of a tune helps where a tune repeats itself."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kelly_melody.baselines import predict_baselines
from kelly_melody.ngram import Markov, Model, run_class
from kelly_melody.tokens import Melody

SYMBOLS = st.lists(st.integers(0, 4), min_size=1, max_size=40)


@settings(max_examples=50, deadline=None)
@given(SYMBOLS, SYMBOLS, st.booleans(), st.sampled_from([0.1, 0.8]))
def test_probabilities_sum_to_1_after_any_context(heard, asked, types, discount):
    model = Markov(5, 3, discount, types)
    for at, symbol in enumerate(heard):
        model.add(tuple(heard[max(0, at - 3) : at][::-1]), symbol)
    said = model.probabilities(tuple(asked))
    assert said.sum() == pytest.approx(1.0)
    assert (said > 0).all()


def test_shorter_contexts_count_in_how_many_longer_ones_a_symbol_followed():
    model = Markov(3, 1, 0.5, types=True)
    for _ in range(5):
        model.add((0,), 1)
    for context in (0, 1, 2):
        model.add((context,), 2)
    said = model.probabilities(())
    assert said[2] > said[1] > said[0]


def random_melody(seed, repeats):
    rng = np.random.default_rng(seed)
    pitch, duration = np.tile(rng.integers(40, 60, 24), repeats), np.tile(rng.integers(8, 13, 24), repeats)
    return Melody(pitch, duration)


def test_memory_of_the_tune_helps_where_it_repeats():
    train = [random_melody(seed, 2) for seed in range(12)]
    tuned, measured = train[:4], [random_melody(seed, 3) for seed in (100, 101)]
    found = predict_baselines(train[4:], tuned, measured)
    nats = {name: np.concatenate(scores)[:, :2].sum(axis=1).mean() for name, scores in found.items()}
    assert nats["Kneser-Ney + this tune"] < nats["Kneser-Ney"] - 0.5
    assert all(len(scores[0]) == len(measured[0]) + 1 for scores in found.values())


def test_scores_are_of_what_came():
    model = Model(order=1)
    model.learn([Melody(np.array([40, 41] * 20), np.full(40, 11))])
    scores = model.score(Melody(np.array([40, 41, 40]), np.full(3, 11)))
    assert (scores[1:3, 2] == 1).all()
    assert scores[1, 0] < scores[3, 0]
    assert scores[3, 1] == 0
    assert scores[3, 3] == 1


@given(st.integers(0, 40))
def test_runs_have_one_class(run):
    assert 0 <= run_class(run) <= 7
    assert run_class(run) <= run_class(run + 1)
