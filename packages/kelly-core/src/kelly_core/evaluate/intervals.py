"""95 % intervals: by bootstrap over groups, and by Student's t over folds."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from kelly_core.task import Predictions

RESAMPLES = 1000
Metrics = Callable[["Predictions"], dict[str, float]]
Sums = Callable[["Predictions"], Mapping[str, tuple[NDArray[Any], NDArray[Any]]] | None]
"""Numerator and denominator per item of every metric; see `kelly_core.task.Task.sums`."""


def decimals(value: float) -> int:
    """Decimals with which a figure is shown: three, and more for a small one.

    >>> decimals(12.9), decimals(0.0365), decimals(0.0)
    (3, 4, 3)
    """
    return 3 + (0.001 <= abs(value) < 0.1) + (0.001 <= abs(value) < 0.01)


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure and the ends of its 95 % interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        places = decimals(self.value)
        return f"{self.value:.{places}f} [{self.low:.{places}f}, {self.high:.{places}f}]"

    def as_dict(self) -> dict[str, float]:
        """Plain values; ends that aren't known are NaN."""
        return asdict(self)

    def as_json(self) -> dict[str, float | None]:
        """Plain values for JSON, which has no NaN: None stands for it."""
        return {name: None if math.isnan(value) else value for name, value in asdict(self).items()}


def bootstrap(
    predictions: Predictions,
    metrics: Metrics,
    *,
    sums: Sums | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> dict[str, Interval]:
    """Percentile bootstrap that draws whole groups (speakers, songs), since their items are alike.

    Args:
        predictions: Items with their groups.
        metrics: Scalars of a set of predictions.
        sums: The same as ratios of sums per item (`Task.sums`), which is quick; None calls `metrics`.
        resamples: Number of draws.
        seed: Seed of the draws.

    Returns:
        An interval per metric. With a single group the interval is as wide as the metric's scale allows
        us to know: low and high are NaN.

    Source: Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapters 13 and 8 (cluster data).
    """
    point = metrics(predictions)
    groups = np.unique(predictions.groups)
    if len(groups) < 2:
        return {name: Interval(value, float("nan"), float("nan")) for name, value in point.items()}
    drawn = _resampled(predictions, metrics, sums, _draws(len(groups), resamples, seed))
    return {name: _percentiles(point[name], drawn[name]) for name in point}


def paired(
    ours: Predictions,
    theirs: Predictions,
    metrics: Metrics,
    *,
    sums: Sums | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> dict[str, Interval]:
    """Differences ours - theirs, both measured on the same draws of groups.

    What makes a group hard for both cancels out, so this tells two predictors apart that their own wide
    intervals don't. An interval on one side of 0 is a difference that the groups bear out.

    Args:
        ours: Predictions of one predictor.
        theirs: Predictions of another on the same groups; the items may be cut otherwise.
        metrics: Scalars of a set of predictions.
        sums: As for `bootstrap`.
        resamples: Number of draws.
        seed: Seed of the draws.

    Returns:
        An interval per metric that both have; low and high are NaN with a single group.

    Raises:
        ValueError: The two were measured on different groups.
    """
    groups = np.unique(ours.groups)
    if not np.array_equal(groups, np.unique(theirs.groups)):
        raise ValueError("predictions of different groups can't be paired")
    first, second = metrics(ours), metrics(theirs)
    point = {name: first[name] - second[name] for name in first if name in second}
    if len(groups) < 2:
        return {name: Interval(value, float("nan"), float("nan")) for name, value in point.items()}
    draws = _draws(len(groups), resamples, seed)
    a, b = (_resampled(side, metrics, sums, draws) for side in (ours, theirs))
    return {name: _percentiles(value, a[name] - b[name]) for name, value in point.items()}


def _draws(groups: int, resamples: int, seed: int) -> NDArray[np.int64]:
    """(resamples, groups) positions of the groups drawn."""
    rng = np.random.default_rng(seed)
    return np.array([rng.integers(groups, size=groups) for _ in range(resamples)])


def _resampled(
    predictions: Predictions, metrics: Metrics, sums: Sums | None, draws: NDArray[np.int64]
) -> dict[str, NDArray[np.float64]]:
    """Each metric on each draw of groups: (resamples,)."""
    names, codes = np.unique(predictions.groups, return_inverse=True)
    ratios = sums(predictions) if sums is not None else None
    if ratios is not None:
        # How often each group was drawn, (resamples, groups), times its sums.
        times = np.stack([np.bincount(draw, minlength=len(names)) for draw in draws]).astype(np.float64)
        with np.errstate(invalid="ignore", divide="ignore"):
            return {
                name: np.divide(*(times @ np.bincount(codes, part, len(names)) for part in parts))
                for name, parts in ratios.items()
            }
    members = [np.flatnonzero(codes == code) for code in range(len(names))]
    values = [metrics(predictions.take(np.concatenate([members[group] for group in draw]))) for draw in draws]
    return {name: np.array([value[name] for value in values]) for name in values[0]}


def _percentiles(value: float, drawn: NDArray[np.float64]) -> Interval:
    low, high = np.nanpercentile(drawn, [2.5, 97.5])
    return Interval(value, float(low), float(high))


def over_folds(values: Sequence[float]) -> Interval:
    """Mean over folds with Student's t interval.

    Folds share training data, so the interval is somewhat too narrow (Bengio and Grandvalet, 2004).

    >>> print(over_folds([0.5, 0.6, 0.7]))
    0.600 [0.352, 0.848]
    """
    from scipy.stats import t

    array = np.asarray(values, dtype=np.float64)
    mean = float(array.mean())
    if len(array) < 2:
        return Interval(mean, float("nan"), float("nan"))
    half = float(t.ppf(0.975, len(array) - 1) * array.std(ddof=1) / np.sqrt(len(array)))
    return Interval(mean, mean - half, mean + half)
