import numpy as np
import pytest

from kelly_core.evaluate.intervals import bootstrap, over_folds, paired
from kelly_core.task import Predictions


def predictions(outputs, groups):
    outputs = np.asarray(outputs, dtype=np.float64)
    return Predictions(
        outputs, np.zeros(len(outputs)), np.asarray(groups), [str(i) for i in range(len(outputs))]
    )


def mean(drawn):
    return {"mean": float(drawn.outputs.mean())}


def test_the_same_seed_gives_the_same_interval():
    said = predictions(np.random.default_rng(0).standard_normal(60), np.repeat(np.arange(12), 5))
    assert bootstrap(said, mean, seed=4) == bootstrap(said, mean, seed=4)
    assert bootstrap(said, mean, seed=4) != bootstrap(said, mean, seed=5)


def test_whole_groups_are_drawn():
    said = predictions(range(12), [name for name in "abcd" for _ in range(3)])
    members = {frozenset(range(start, start + 3)) for start in (0, 3, 6, 9)}

    def check(drawn):
        values, counts = np.unique(drawn.outputs, return_counts=True)
        times = dict(zip(values.tolist(), counts.tolist(), strict=True))
        for group in members:
            assert len({times.get(float(item), 0) for item in group}) == 1
        assert len(drawn.items) == len(drawn.targets) == 12
        return {"mean": float(drawn.outputs.mean())}

    bootstrap(said, check, resamples=50)


def test_alike_items_make_no_interval_narrower():
    """Ten copies of each item say nothing new, so the interval by groups stays as it was."""
    values = np.random.default_rng(1).standard_normal(20)
    once = bootstrap(predictions(values, np.arange(20)), mean)["mean"]
    copied = bootstrap(predictions(np.repeat(values, 10), np.repeat(np.arange(20), 10)), mean)["mean"]
    assert copied.low == pytest.approx(once.low)
    assert copied.high == pytest.approx(once.high)


def test_the_interval_covers_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(2)
    covered = 0
    for _ in range(200):
        speakers = rng.standard_normal(30)
        items = (speakers[:, None] + 0.3 * rng.standard_normal((30, 4))).ravel()
        interval = bootstrap(predictions(items, np.repeat(np.arange(30), 4)), mean, resamples=200)["mean"]
        covered += interval.low <= 0 <= interval.high
    assert 0.88 <= covered / 200 <= 0.99


def test_one_group_has_no_interval():
    interval = bootstrap(predictions([1.0, 2.0], ["a", "a"]), mean)["mean"]
    assert interval.value == 1.5
    assert np.isnan([interval.low, interval.high]).all()


def test_a_metric_that_some_draws_lack_is_passed_over():
    def sometimes(drawn):
        return {"mean": float(drawn.outputs.mean()) if drawn.outputs.any() else float("nan")}

    interval = bootstrap(predictions([0.0, 1.0, 1.0], ["a", "b", "c"]), sometimes)["mean"]
    assert np.isfinite([interval.low, interval.high]).all()


def test_over_folds_is_students_interval():
    from scipy.stats import t

    values = [0.61, 0.66, 0.58, 0.70, 0.64]
    low, high = t.interval(0.95, 4, loc=np.mean(values), scale=np.std(values, ddof=1) / np.sqrt(5))
    interval = over_folds(values)
    assert (interval.value, interval.low, interval.high) == pytest.approx((np.mean(values), low, high))
    assert np.isnan(over_folds([0.5]).low)


def sums(said):
    return {"mean": (said.outputs, np.ones(len(said.outputs)))}


def test_sums_give_the_interval_that_metrics_give():
    rng = np.random.default_rng(1)
    said = predictions(rng.standard_normal(200), rng.integers(9, size=200))
    slow, quick = bootstrap(said, mean)["mean"], bootstrap(said, mean, sums=sums)["mean"]
    assert (quick.value, quick.low, quick.high) == pytest.approx((slow.value, slow.low, slow.high))


@pytest.mark.parametrize("how", [None, sums])
def test_a_small_constant_difference_is_seen_through_wide_intervals(how):
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(10), 20)
    hard = 5 * rng.standard_normal(10)[groups] + 0.1 * rng.standard_normal(200)
    ours, theirs = predictions(hard - 0.3, groups), predictions(hard, groups)
    alone, together = bootstrap(ours, mean, sums=how)["mean"], paired(ours, theirs, mean, sums=how)["mean"]
    assert alone.high - alone.low > 2
    assert together.value == pytest.approx(-0.3)
    assert together.high < -0.29


def test_different_groups_are_not_paired():
    with pytest.raises(ValueError, match="different groups"):
        paired(predictions([1, 2], ["a", "b"]), predictions([1, 2], ["a", "c"]), mean)


def test_one_group_has_a_difference_and_no_interval():
    interval = paired(predictions([1, 2], ["a", "a"]), predictions([1, 1], ["a", "a"]), mean)["mean"]
    assert interval.value == 0.5
    assert np.isnan(interval.low)
