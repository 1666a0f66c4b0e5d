"""Running a protocol: train and test every fold and seed, several at once, and gather what they said."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from kelly_core.data import Dataset
from kelly_core.evaluate.protocol import Protocol
from kelly_core.specs import ModelSpec
from kelly_core.task import Context, Predictions, Split


@dataclass(frozen=True)
class FoldJob:
    """One training to do, picklable."""

    spec: ModelSpec
    config: Mapping[str, Any]
    dataset: Dataset
    fold: str
    split: Split
    seed: int
    cache: Path
    threads: int
    with_baselines: bool
    arm: str = ""


@dataclass(frozen=True)
class FoldResult:
    """What one fold gave.

    Attributes:
        fold, seed: Which one.
        best_epoch: Chosen on validation groups.
        validation: Its metrics there.
        test: Predictions on the fold's test side.
        baselines: Predictions of the baselines there (first seed only: they have no seed).
        variants: Predictions on changed inputs.
        seconds: Training time.
        parameters: Numbers the network learned.
        arm: The protocol's arm it belongs to; empty where there are none.
    """

    fold: str
    seed: int
    best_epoch: int
    validation: Mapping[str, float]
    test: Predictions
    baselines: Mapping[str, Predictions]
    variants: Mapping[str, Predictions]
    seconds: float
    parameters: int
    arm: str = ""


def make_jobs(
    protocol: Protocol,
    spec: ModelSpec,
    config: Mapping[str, Any],
    dataset: Dataset,
    seeds: Sequence[int],
    cache: Path,
    threads: int,
    arm: str = "",
) -> list[FoldJob]:
    """Every fold of every seed of one arm; the validation groups depend on the seed, the test sides don't."""
    jobs = []
    for seed in seeds:
        for fold, split in protocol.folds(dataset, seed):
            values = {**config, "seed": seed}
            first = seed == seeds[0]
            jobs.append(FoldJob(spec, values, dataset, fold, split, seed, cache, threads, first, arm))
    return jobs


def run_jobs(jobs: Sequence[FoldJob], processes: int) -> Iterator[FoldResult]:
    """Results as they come."""
    from joblib import Parallel, delayed

    if processes == 1:
        yield from map(run_fold, jobs)
        return
    workers = Parallel(n_jobs=processes, return_as="generator_unordered", batch_size=1)
    yield from workers(delayed(run_fold)(job) for job in jobs)


def run_fold(job: FoldJob) -> FoldResult:
    """Train on one fold and predict its test side with the epoch that validation chose."""
    import torch
    from lightning_fabric import Fabric

    from kelly_core.config.resolve import load_stored
    from kelly_core.train.loop import Plan, fit

    torch.set_num_threads(job.threads)
    config = load_stored(job.spec.config_class(), job.config)
    task = job.spec.make_task(config)
    prepared = task.prepare(job.dataset, job.split, Context(job.cache))
    sources = prepared.sources
    started = time.monotonic()
    plan = Plan(checkpoints=None, folder=None, batch_size=config.batch_size or 16)
    fabric = Fabric(accelerator="cpu", devices=1, precision=config.precision)
    fitted = fit(task, sources["train"], sources["validation"], plan, fabric)
    seconds = time.monotonic() - started
    module = task.build(None)
    module.load_state_dict(fitted.state)
    module.eval()
    with torch.no_grad():
        test = task.predict(module, sources["test"], plan.eval_batch_size)
        variants = task.variants(module, sources["test"])
    return FoldResult(
        fold=job.fold,
        seed=job.seed,
        best_epoch=fitted.best_epoch,
        validation=fitted.metrics,
        test=test,
        baselines=task.baselines(sources, "test") if job.with_baselines else {},
        variants=variants,
        seconds=seconds,
        parameters=sum(parameter.numel() for parameter in module.parameters()),
        arm=job.arm,
    )


def pooled(parts: Sequence[Predictions]) -> Predictions:
    """The folds' test sides as one set, which covers the data once."""
    first = parts[0]
    sizes = np.array([len(part.targets) for part in parts])
    return replace(
        first,
        outputs=np.concatenate([part.outputs for part in parts]),
        targets=np.concatenate([part.targets for part in parts]),
        groups=np.concatenate([part.groups for part in parts]),
        items=[item for part in parts for item in part.items],
        loss=float(np.average([part.loss for part in parts], weights=sizes)),
        extra={name: np.concatenate([part.extra[name] for part in parts]) for name in first.extra},
    )
