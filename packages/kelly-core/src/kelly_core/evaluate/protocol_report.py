"""What a protocol found, as numbers and as tables."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from kelly_core.evaluate.folds import FoldResult, pooled
from kelly_core.evaluate.intervals import Interval, bootstrap, over_folds
from kelly_core.evaluate.protocol import Protocol
from kelly_core.task import Predictions

Metrics = Callable[[Predictions], dict[str, float]]


@dataclass(frozen=True)
class Row:
    """One predictor: its metrics as mean over folds (and seeds) with intervals."""

    name: str
    folds: Mapping[str, Interval]
    groups: Mapping[str, Interval]
    per_seed: Mapping[int, Mapping[str, float]] = field(default_factory=dict)


@dataclass(frozen=True)
class ProtocolReport:
    """Everything a protocol found.

    Attributes:
        rows: The model first, then its variants, then baselines.
        breakdown: Further figures of the model, mean over seeds.
        best_epochs: Epoch chosen per (seed, fold).
        seconds: Training seconds per seed, summed over folds.
    """

    protocol: Protocol
    model: str
    architecture: str
    parameters: int
    seeds: Sequence[int]
    rows: Sequence[Row]
    breakdown: Mapping[str, float]
    best_epochs: Mapping[str, int]
    seconds: Mapping[int, float]

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        rows = [
            {
                "name": row.name,
                "over_folds": {name: value.as_dict() for name, value in row.folds.items()},
                "over_groups": {name: value.as_dict() for name, value in row.groups.items()},
                "per_seed": {str(seed): dict(values) for seed, values in row.per_seed.items()},
            }
            for row in self.rows
        ]
        return {
            "protocol": self.protocol.name,
            "model": self.model,
            "architecture_type": self.architecture,
            "parameters": self.parameters,
            "headline": self.protocol.headline,
            "seeds": list(self.seeds),
            "rows": rows,
            "breakdown": dict(self.breakdown),
            "best_epochs": dict(self.best_epochs),
            "training_seconds": {str(seed): round(value, 1) for seed, value in self.seconds.items()},
            "published": [vars_of(row) for row in self.protocol.published],
        }


def make_report(
    protocol: Protocol, model: str, architecture: str, results: Sequence[FoldResult], task: Any
) -> ProtocolReport:
    """Gather the folds of every seed, in whatever order they ended."""
    results = sorted(results, key=lambda result: (result.seed, result.fold))
    seeds = sorted({result.seed for result in results})
    by_seed = {seed: [r for r in results if r.seed == seed] for seed in seeds}
    predictors: dict[str, list[list[Predictions]]] = defaultdict(list)
    for seed in seeds:
        predictors[f"{model} ({architecture})"].append([r.test for r in by_seed[seed]])
        for name in by_seed[seed][0].variants:
            predictors[f"{model}, {name}"].append([r.variants[name] for r in by_seed[seed]])
    for name in by_seed[seeds[0]][0].baselines:
        predictors[name].append([r.baselines[name] for r in by_seed[seeds[0]]])
    rows = [_row(name, runs, seeds, task.metrics) for name, runs in predictors.items()]
    parts = [task.breakdown(pooled([r.test for r in by_seed[seed]])) for seed in seeds]
    return ProtocolReport(
        protocol=protocol,
        model=model,
        architecture=architecture,
        parameters=results[0].parameters,
        seeds=seeds,
        rows=rows,
        breakdown={name: float(np.mean([part[name] for part in parts])) for name in parts[0]},
        best_epochs={f"seed {r.seed} fold {r.fold}": r.best_epoch for r in results},
        seconds={seed: sum(r.seconds for r in by_seed[seed]) for seed in seeds},
    )


def _row(name: str, runs: Sequence[Sequence[Predictions]], seeds: Sequence[int], metrics: Metrics) -> Row:
    """Fold values averaged over seeds, then the interval over folds; groups from the first seed's pool."""
    scores = [[metrics(part) for part in folds] for folds in runs]
    folds = {
        metric: over_folds([float(np.mean([run[k][metric] for run in scores])) for k in range(len(scores[0]))])
        for metric in scores[0][0]
    }
    per_seed = {
        seed: {metric: float(np.mean([part[metric] for part in run])) for metric in run[0]}
        for seed, run in zip(seeds, scores, strict=False)
    }
    return Row(name, folds, bootstrap(pooled(runs[0]), metrics), per_seed)


def vars_of(row: Any) -> dict[str, Any]:
    """A slotted dataclass as a dictionary."""
    return {name: getattr(row, name) for name in row.__slots__}
