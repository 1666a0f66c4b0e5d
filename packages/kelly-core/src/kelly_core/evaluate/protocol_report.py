"""What a protocol found, as numbers and as tables."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from kelly_core.evaluate.folds import FoldResult, pooled
from kelly_core.evaluate.intervals import Interval, bootstrap, over_folds, paired
from kelly_core.evaluate.protocol import Protocol
from kelly_core.task import Predictions


@dataclass(frozen=True)
class Row:
    """One predictor: its metrics as mean over folds (and seeds) with intervals.

    Attributes:
        name: The predictor.
        folds: Mean over folds with Student's t; with a single fold the ends are NaN.
        groups: Bootstrap over the groups of all folds' test sides, first seed.
        per_seed: Mean over folds per seed.
        arm: The protocol's arm; empty where there are none.
        against: Baseline -> metric -> difference to it, paired over the same groups; for the model alone.
    """

    name: str
    folds: Mapping[str, Interval]
    groups: Mapping[str, Interval]
    per_seed: Mapping[int, Mapping[str, float]] = field(default_factory=dict)
    arm: str = ""
    against: Mapping[str, Mapping[str, Interval]] = field(default_factory=dict)

    def figure(self, metric: str) -> Interval:
        """Its value with the interval over folds, or over groups where there is one fold."""
        over = self.folds[metric]
        known = over if not np.isnan(over.low) else self.groups[metric]
        return Interval(over.value, known.low, known.high)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        plain = {
            "name": self.name,
            "over_folds": _plain(self.folds),
            "over_groups": _plain(self.groups),
            "per_seed": {str(seed): dict(values) for seed, values in self.per_seed.items()},
        }
        if self.arm:
            plain["arm"] = self.arm
        if self.against:
            plain["paired_difference"] = {name: _plain(of) for name, of in self.against.items()}
        return plain


@dataclass(frozen=True)
class Arm:
    """How one arm was trained.

    Attributes:
        architecture, parameters: The network and the numbers it learned.
        breakdown: Further figures of the model, mean over seeds.
        best_epochs: Epoch chosen per (seed, fold).
        seconds: Training seconds per seed, summed over folds.
    """

    architecture: str
    parameters: int
    breakdown: Mapping[str, float]
    best_epochs: Mapping[str, int]
    seconds: Mapping[int, float]

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "architecture_type": self.architecture,
            "parameters": self.parameters,
            "breakdown": dict(self.breakdown),
            "best_epochs": dict(self.best_epochs),
            "training_seconds": {str(seed): round(value, 1) for seed, value in self.seconds.items()},
        }


@dataclass(frozen=True)
class ProtocolReport:
    """Everything a protocol found.

    Attributes:
        rows: Arm by arm: the model first, then its variants, then baselines.
        arms: How each arm was trained; without arms a single one without a name.
    """

    protocol: Protocol
    model: str
    seeds: Sequence[int]
    rows: Sequence[Row]
    arms: Mapping[str, Arm]

    @property
    def first(self) -> Arm:
        """The only arm, or the first."""
        return next(iter(self.arms.values()))

    @property
    def seconds(self) -> dict[int, float]:
        """Training seconds per seed, summed over folds and arms."""
        return {seed: sum(arm.seconds[seed] for arm in self.arms.values()) for seed in self.seeds}

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON; an arm without a name stands at the top level."""
        named = {name: arm.as_dict() for name, arm in self.arms.items() if name}
        return {
            "protocol": self.protocol.name,
            "model": self.model,
            **({"arms": named} if named else self.first.as_dict()),
            "headline": self.protocol.headline,
            "seeds": list(self.seeds),
            "rows": [row.as_dict() for row in self.rows],
            "published": [vars_of(row) for row in self.protocol.published],
        }


def make_report(
    protocol: Protocol, model: str, architectures: Mapping[str, str], results: Sequence[FoldResult], task: Any
) -> ProtocolReport:
    """Gather the folds of every arm and seed, in whatever order they ended.

    Args:
        protocol: What was run.
        model: Short name of the model.
        architectures: The network of each arm, by the arm's name.
        results: What the folds said.
        task: Whose metrics count.
    """
    seeds = sorted({result.seed for result in results})
    rows: list[Row] = []
    arms: dict[str, Arm] = {}
    for arm, architecture in architectures.items():
        mine = sorted((r for r in results if r.arm == arm), key=lambda result: (result.seed, result.fold))
        by_seed = {seed: [r for r in mine if r.seed == seed] for seed in seeds}
        rows += _rows(f"{model} ({architecture})", model, arm, by_seed, task)
        parts = [task.breakdown(pooled([r.test for r in by_seed[seed]])) for seed in seeds]
        arms[arm] = Arm(
            architecture=architecture,
            parameters=mine[0].parameters,
            breakdown={name: float(np.mean([part[name] for part in parts])) for name in parts[0]},
            best_epochs={f"seed {r.seed} fold {r.fold}": r.best_epoch for r in mine},
            seconds={seed: sum(r.seconds for r in by_seed[seed]) for seed in seeds},
        )
    return ProtocolReport(protocol, model, seeds, rows, arms)


def _rows(name: str, model: str, arm: str, by_seed: Mapping[int, Sequence[FoldResult]], task: Any) -> list[Row]:
    seeds = list(by_seed)
    first = by_seed[seeds[0]]
    runs: dict[str, list[list[Predictions]]] = defaultdict(list)
    for results in by_seed.values():
        runs[name].append([r.test for r in results])
        for variant in results[0].variants:
            runs[f"{model}, {variant}"].append([r.variants[variant] for r in results])
    for baseline in first[0].baselines:
        runs[baseline].append([r.baselines[baseline] for r in first])
    ours = pooled(runs[name][0])
    against = {}
    for baseline in first[0].baselines:
        theirs = pooled(runs[baseline][0])
        if set(theirs.groups) == set(ours.groups):
            against[baseline] = paired(ours, theirs, task.metrics, sums=task.sums)
    return [_row(row, parts, seeds, task, arm, against if row == name else {}) for row, parts in runs.items()]


def _row(
    name: str,
    runs: Sequence[Sequence[Predictions]],
    seeds: Sequence[int],
    task: Any,
    arm: str,
    against: Mapping[str, Mapping[str, Interval]],
) -> Row:
    """Fold values averaged over seeds, then the interval over folds; groups from the first seed's pool."""
    scores = [[task.metrics(part) for part in folds] for folds in runs]
    folds = {
        metric: over_folds([float(np.mean([run[k][metric] for run in scores])) for k in range(len(scores[0]))])
        for metric in scores[0][0]
    }
    per_seed = {
        seed: {metric: float(np.mean([part[metric] for part in run])) for metric in run[0]}
        for seed, run in zip(seeds, scores, strict=False)
    }
    groups = bootstrap(pooled(runs[0]), task.metrics, sums=task.sums)
    return Row(name, folds, groups, per_seed, arm, against)


def _plain(figures: Mapping[str, Interval]) -> dict[str, Any]:
    return {metric: interval.as_json() for metric, interval in figures.items()}


def vars_of(row: Any) -> dict[str, Any]:
    """A slotted dataclass as a dictionary."""
    return {name: getattr(row, name) for name in row.__slots__}
