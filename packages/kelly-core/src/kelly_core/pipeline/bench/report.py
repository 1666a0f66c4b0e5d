"""What `kelly bench` says: rows for people, plain values for JSON, ratios to an earlier run, a picture."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kelly_core.errors import UserError
from kelly_core.pipeline.bench.timing import ModelTimes, Timed, figures

QUANTILES = (0.5, 0.99, 0.999)


def headings(budget: float) -> tuple[str, ...]:
    """Of the table of one model."""
    share = f"p99 / {budget:g} ms"
    return (
        "runtime",
        "call",
        "p50 ms",
        "p99",
        "p99.9",
        "max",
        "after others",
        share,
        "first ms",
        "load ms",
        "MiB",
        "calls",
    )


def table_rows(times: ModelTimes) -> list[tuple[str, ...]]:
    """Cells; the share of the budget stands where the budget is for this call."""
    return [
        (
            row.runtime,
            row.what,
            *(f"{row.quantile(share):.3f}" for share in QUANTILES),
            f"{row.ms[-1]:.3f}",
            f"{row.after_others_ms:.3f}",
            f"{row.quantile(0.99) / times.budget_ms:.0%}" if row.counts else "",
            *(_cell(row, key) for key in ("first_ms", "load_ms", "memory_mib")),
            str(len(row.ms)),
        )
        for row in times.rows
    ]


def as_dict(models: Sequence[ModelTimes], machine: Mapping[str, Any], runs: int) -> dict[str, Any]:
    """Plain values for JSON."""
    hardware = str(machine["processor"])
    return {
        "machine": dict(machine),
        "threads": 1,
        "batch": 1,
        "runs": runs,
        "passed": not any(times.misses() for times in models),
        "models": [
            {
                "model": times.name,
                "model_id": times.model_id,
                "architecture_type": times.architecture_type,
                "budget_ms": times.budget_ms,
                "misses": times.misses(),
                "not_run": dict(times.not_run),
                "waited": round(times.waited, 3),
                "rows": [
                    {**info.model_dump(exclude={"hardware"}), "budget": row.counts}
                    for info, row in zip(figures(times, hardware), times.rows, strict=True)
                ],
            }
            for times in models
        ],
    }


def compared(report: Mapping[str, Any], earlier: Path) -> list[tuple[str, ...]]:
    """Rows of model, runtime, call, p50 and p99 of both runs and their ratios.

    Raises:
        UserError: The earlier file is no report of this command.
    """
    try:
        old = json.loads(earlier.read_text(encoding="utf-8"))
        known = {
            (model["model"], row["runtime"], row["what"]): row
            for model in old["models"]
            for row in model["rows"]
        }
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"it is no report of `kelly bench --json`: {type(error).__name__}",
            where=str(earlier),
            hint="make one: `kelly bench --json > earlier.json`",
        ) from error
    rows = []
    for model in report["models"]:
        for row in model["rows"]:
            before = known.get((model["model"], row["runtime"], row["what"]))
            if before is not None:
                cells = [
                    f"{before[key]:.3f} -> {row[key]:.3f} ({row[key] / before[key]:.2f} x)"
                    for key in ("p50_ms", "p99_ms")
                ]
                rows.append((model["model"], row["runtime"], row["what"], *cells))
    return rows


def draw(models: Sequence[ModelTimes], path: Path, machine: Mapping[str, Any]) -> None:
    """For each model, the share of calls that take longer than a time: one line per runtime and call."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt
    import numpy as np

    figure, axes = plt.subplots(
        len(models), 1, figsize=(8, 3.2 * len(models)), squeeze=False, layout="constrained"
    )
    for axis, times in zip(axes[:, 0], models, strict=True):
        for row in times.rows:
            slower = 1.0 - np.arange(len(row.ms)) / len(row.ms)
            style = "-" if row.counts else ":" if not row.what else "--"
            axis.step(row.ms, slower, style, where="post", label=f"{row.runtime} {row.what}".strip())
        axis.axvline(times.budget_ms, color="tab:red", linewidth=1)
        axis.annotate("budget", (times.budget_ms, 1.0), rotation=90, va="top", ha="right", color="tab:red")
        axis.set(
            xscale="log",
            yscale="log",
            title=f"{times.name}, {times.architecture_type}",
            ylabel="share of calls that take longer",
        )
        axis.legend(fontsize="x-small", loc="lower left")
    axes[-1, 0].set_xlabel(f"ms, one thread, batch 1; {machine['processor']}")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)
    plt.close(figure)


def _cell(row: Timed, key: str) -> str:
    return f"{row.cold[key]:.1f}" if key in row.cold else ""
