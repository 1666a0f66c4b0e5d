"""Timing several calls in turn, so that a change of the machine's load meets all alike; and the table of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import numpy as np

WARM_UP = 20


def time_in_turn(calls: Mapping[str, Callable[[], object]], runs: int) -> dict[str, list[float]]:
    """Milliseconds of each call, `runs` times each after a warm-up."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(runs + WARM_UP):
        for name, call in calls.items():
            started = time.perf_counter()
            call()
            if turn >= WARM_UP:
                times[name].append((time.perf_counter() - started) * 1000)
    return times


def print_latencies(heading: str, times: Mapping[str, list[float]], budget_ms: float) -> None:
    """Print p50, p99 and the longest call of each, and the share of the budget that p99 takes."""
    print(f"{heading}, one thread, {len(next(iter(times.values())))} runs, ms")
    print(f"{'':45}{'p50':>8}{'p99':>8}{'max':>8}   p99 of the {budget_ms:g} ms budget")
    for name, values in times.items():
        p50, p99 = np.percentile(values, [50, 99])
        print(f"{name:45}{p50:8.3f}{p99:8.3f}{max(values):8.3f}{p99 / budget_ms:10.0%}")
