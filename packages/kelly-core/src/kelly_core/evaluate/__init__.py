"""Evaluation: metrics with intervals, beside baselines, under declared protocols."""

from kelly_core.evaluate.intervals import Interval, bootstrap, over_folds, paired
from kelly_core.evaluate.protocol import Protocol, PublishedRow, declared_folds, official_split

__all__ = [
    "Interval",
    "Protocol",
    "PublishedRow",
    "bootstrap",
    "declared_folds",
    "official_split",
    "over_folds",
    "paired",
]
