"""The same work on many files: in this process, and in others where starting them is worth it."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

Result = TypeVar("Result")

STARTING = 4.0
"""Seconds of work that other processes must save before they are started: each imports libraries first."""
_TRIAL = 0.3
"""Seconds of work here that tell how long the rest takes."""


def each(work: Callable[..., Result], calls: Sequence[Sequence[Any]], workers: int) -> Iterator[Result]:
    """Results in the order of the calls.

    Args:
        work: The function, picklable.
        calls: Its arguments, call by call.
        workers: Processes that may share what is left after the first calls; 1 for none.
    """
    spent, left = 0.0, len(calls)
    for arguments in calls:
        started = time.perf_counter()
        result = work(*arguments)
        if left < len(calls):  # the first also pays for what is imported or read once
            spent += time.perf_counter() - started
        left -= 1
        yield result
        if workers > 1 and spent > _TRIAL:
            each_takes = spent / (len(calls) - left - 1)
            if left * each_takes * (1 - 1 / workers) > STARTING:
                break
    if left:
        yield from _shared(work, calls[-left:], workers)


def _shared(work: Callable[..., Result], calls: Sequence[Sequence[Any]], workers: int) -> Iterator[Result]:
    import joblib  # an extra; one process needs nothing

    jobs: Iterable[Any] = (joblib.delayed(work)(*arguments) for arguments in calls)
    with warnings.catch_warnings():
        # Stopping at the first unusable file leaves results unused: that is what was asked for.
        warnings.filterwarnings("ignore", message=".*tasks have been successfully executed")
        yield from joblib.Parallel(n_jobs=workers, return_as="generator")(jobs)
