"""95 % intervals: by bootstrap over groups, and by Student's t over folds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from kelly_core.task import Predictions

RESAMPLES = 1000


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure and the ends of its 95 % interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"

    def as_dict(self) -> dict[str, float]:
        """Plain values for JSON."""
        return asdict(self)


def bootstrap(
    predictions: Predictions,
    metrics: Callable[[Predictions], dict[str, float]],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> dict[str, Interval]:
    """Percentile bootstrap that draws whole groups (speakers, songs), since their items are alike.

    Args:
        predictions: Items with their groups.
        metrics: Scalars of a set of predictions.
        resamples: Number of draws.
        seed: Seed of the draws.

    Returns:
        An interval per metric. With a single group the interval is as wide as the metric's scale allows
        us to know: low and high are NaN.

    Source: Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapters 13 and 8 (cluster data).
    """
    point = metrics(predictions)
    names, codes = np.unique(predictions.groups, return_inverse=True)
    if len(names) < 2:
        return {name: Interval(value, float("nan"), float("nan")) for name, value in point.items()}
    members = [np.flatnonzero(codes == code) for code in range(len(names))]
    rng = np.random.default_rng(seed)
    draws: dict[str, list[float]] = {name: [] for name in point}
    for _ in range(resamples):
        chosen = rng.integers(len(names), size=len(names))
        sample = predictions.take(np.concatenate([members[group] for group in chosen]))
        for name, value in metrics(sample).items():
            draws[name].append(value)
    ends = {name: np.nanpercentile(values, [2.5, 97.5]) for name, values in draws.items()}
    return {name: Interval(point[name], float(low), float(high)) for name, (low, high) in ends.items()}


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
