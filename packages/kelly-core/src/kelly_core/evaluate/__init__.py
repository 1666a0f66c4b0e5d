"""Evaluation: metrics with intervals, beside baselines, under declared protocols."""

from kelly_core.evaluate.intervals import Interval, bootstrap, over_folds
from kelly_core.evaluate.protocol import Protocol, PublishedRow

__all__ = ["Interval", "Protocol", "PublishedRow", "bootstrap", "over_folds"]
