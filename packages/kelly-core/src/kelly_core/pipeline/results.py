"""After training: figures of every split with intervals, the registry entry, the model card."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kelly_core.evaluate.intervals import Interval, bootstrap

if TYPE_CHECKING:
    from torch import nn

    from kelly_core.task import Predictions, Source, Task

BASELINE_SPLIT = "test"


@dataclass(frozen=True)
class Results:
    """What a trained model reached.

    Attributes:
        metrics: split -> metric -> figure with its interval, `loss` among them.
        baselines: baseline -> metric -> figure, on `measured_on`.
        variants: change of the input -> metric -> figure, on `measured_on`.
        breakdown: Further figures, on `measured_on`.
        measured_on: `"test"`, or `"validation"` where there is no test split.
        predictions: The model's on `measured_on`.
    """

    metrics: Mapping[str, Mapping[str, Interval]]
    baselines: Mapping[str, Mapping[str, Interval]]
    variants: Mapping[str, Mapping[str, Interval]]
    breakdown: Mapping[str, float]
    measured_on: str
    predictions: Predictions

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "measured_on": self.measured_on,
            "metrics": _plain(self.metrics),
            "baselines": _plain(self.baselines),
            "variants": _plain(self.variants),
            "breakdown": dict(self.breakdown),
        }


def measure(task: Task[Any], module: nn.Module, sources: Mapping[str, Source], seed: int = 0) -> Results:
    """Evaluate trained weights on every split, beside baselines where a training side can fit them."""
    measured_on = BASELINE_SPLIT if BASELINE_SPLIT in sources else "validation"
    predictions = {side: task.predict(module, source, 256) for side, source in sources.items()}
    baselines = task.baselines(sources, measured_on) if "train" in sources else {}
    return Results(
        metrics={side: _figures(task, said, seed) for side, said in predictions.items()},
        baselines={name: _figures(task, said, seed) for name, said in baselines.items()},
        variants={
            name: _figures(task, said, seed)
            for name, said in task.variants(module, sources[measured_on]).items()
        },
        breakdown=task.breakdown(predictions[measured_on]),
        measured_on=measured_on,
        predictions=predictions[measured_on],
    )


def draw_figures(task: Task[Any], results: Results, folder: Path) -> list[Path]:
    """Pictures for the card."""
    folder.mkdir(parents=True, exist_ok=True)
    return task.figures(results.predictions, folder)


def _figures(task: Task[Any], predictions: Predictions, seed: int) -> dict[str, Interval]:
    figures = bootstrap(predictions, task.metrics, sums=task.sums, seed=seed)
    if not math.isnan(predictions.loss):
        figures["loss"] = Interval(predictions.loss, float("nan"), float("nan"))
    return figures


def _plain(rows: Mapping[str, Mapping[str, Interval]]) -> dict[str, Any]:
    """NaN ends become null, which JSON knows."""
    return {
        name: {metric: interval.as_json() for metric, interval in figures.items()}
        for name, figures in rows.items()
    }
