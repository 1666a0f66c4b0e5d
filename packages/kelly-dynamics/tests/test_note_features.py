"""What the network sees: finite, of fixed width, and blind to what hasn't been played yet."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from kelly_dynamics.features.context import CONTEXT, context
from kelly_dynamics.features.history import HISTORY, History, history
from kelly_dynamics.score import Performance, Score
from kelly_dynamics.targets import HIGH, LOW, targets


def _score(onsets: list[float], pitches: list[int]) -> Score:
    order = sorted(zip(onsets, pitches, strict=True))
    onset = np.array([note[0] for note in order])
    count = len(order)
    return Score(
        onset,
        np.full(count, 0.5),
        np.array([float(note[1]) for note in order]),
        np.mod(onset, 4.0),
        np.full(count, 4.0),
        np.ones(count),
        100.0,
        np.zeros((count, 24), np.float32),
    )


def _performance(score: Score, seed: int) -> Performance:
    rng = np.random.default_rng(seed)
    start = score.onset * 0.6 + rng.normal(0, 0.01, len(score))
    return Performance(
        rng.integers(1, 128, len(score)).astype(float), start, start + rng.uniform(0.01, 1, len(score))
    )


NOTES = st.lists(st.tuples(st.integers(0, 64), st.integers(0, 127)), min_size=1, max_size=40)


@settings(max_examples=50, deadline=None)
@given(notes=NOTES, seed=st.integers(0, 9))
def test_every_score_gives_finite_numbers_within_bounds(notes: list[tuple[int, int]], seed: int) -> None:
    score = _score([n[0] / 4 for n in notes], [n[1] for n in notes])
    played = _performance(score, seed)
    table = context(score)
    assert table.shape == (len(notes), len(CONTEXT)) == (len(notes), 32)
    assert np.isfinite(table).all()
    past = history(score, played)
    assert past.shape == (len(notes), len(HISTORY))
    assert np.isfinite(past).all()
    values, weights = targets(score, played)
    assert np.isfinite(values).all()
    assert ((values >= np.float32(LOW)) & (values <= np.float32(HIGH))).all()
    assert set(np.unique(weights)) <= {0.0, 1.0}


def test_the_past_alone_is_known() -> None:
    score = _score([at / 2 for at in range(60)], [60 + at % 7 for at in range(60)])
    played = _performance(score, 0)
    before = history(score, played)
    louder = np.where(np.arange(60) >= 30, 127.0, played.velocity)
    later = np.where(np.arange(60) >= 30, played.start + 5.0, played.start)
    after = history(score, Performance(louder, later, later + 0.1))
    np.testing.assert_array_equal(before[:31], after[:31])
    assert not np.array_equal(before[31:], after[31:])


def test_live_history_is_the_one_trained_on() -> None:
    score = _score([at // 2 / 2 for at in range(50)], [60 + at % 5 for at in range(50)])
    played = _performance(score, 1)
    live, rows = History(score), []
    for first, last in zip(live.firsts[:-1], live.firsts[1:], strict=True):
        rows.append(live.coming())
        live.played(played.velocity[first:last], float(played.start[first:last].mean()))
    np.testing.assert_array_equal(np.concatenate(rows), history(score, played))


def test_a_passage_that_returns_is_recognised() -> None:
    score = _score([float(at) for at in range(32)], [60 + at % 8 for at in range(32)])
    seen = history(score, _performance(score, 2))[:, HISTORY.index("seen_before")]
    assert not seen[:8].any()
    assert seen[16:24].all()


def test_a_steady_performance_deviates_by_nothing() -> None:
    score = _score([at / 2 for at in range(40)], [60] * 40)
    start = 1.0 + score.onset * 0.5
    values, _ = targets(score, Performance(np.full(40, 64.0), start, start + 0.125))
    np.testing.assert_allclose(values[:, 1], 0.0, atol=1e-6)
    np.testing.assert_allclose(values[:, 2], -1.0, atol=1e-5)  # half of the written quarter second
