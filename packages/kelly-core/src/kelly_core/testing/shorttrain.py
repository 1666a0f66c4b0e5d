"""A short training of a model under test, which can be killed in the middle."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kelly_core import __version__
from kelly_core.config.resolve import dump

if TYPE_CHECKING:
    from torch import Tensor

    from kelly_core.task import Source, Task
    from kelly_core.testing.subject import Subject

STEPS = 6
"""Steps of an epoch."""


class KilledError(BaseException):
    """Stands for a kill: nothing catches it, so that nothing is saved on the way out."""


class Few:
    """The first examples of a source."""

    def __init__(self, source: Source, count: int) -> None:
        self.source, self.count = source, min(count, len(source))

    def __len__(self) -> int:
        return self.count

    def fetch(self, indices: NDArray[np.int64], rng: np.random.Generator | None) -> dict[str, Tensor]:
        """Examples of the whole source."""
        return self.source.fetch(indices, rng)


def batch_size(subject: Subject) -> int:
    """Examples per step: the configured number, at most 32."""
    return min(subject.job.config.batch_size or 16, 32)


def train(subject: Subject, folder: Path, *, kill_at: int | None = None, resume: bool = False) -> None:
    """Train into `folder`; with `kill_at`, up to this step (from 1) and no further.

    Raises:
        KilledError: The step was reached.
    """
    from lightning_fabric import Fabric

    from kelly_core.checkpoint import read_checkpoint
    from kelly_core.train.loop import Plan, fit

    job, sources = subject.job, subject.prepared.sources
    run = folder / "run"
    run.mkdir(parents=True, exist_ok=True)
    size = batch_size(subject)
    identity = {
        "name": job.spec.name,
        "model_id": job.spec.model_id,
        "architecture_type": job.config.architecture_type,
        "config": {**dump(job.config), "batch_size": size},
        "data": job.data,
        "dataset": job.dataset.name,
        "synthetic_data": job.dataset.synthetic,
        "data_hash": subject.prepared.content_hash,
        "run_id": "check",
        "kelly_version": __version__,
    }
    plan = Plan(folder, run, size, identity, tensorboard=False)
    task = _limited(job.task, sources["train"], kill_at)
    found = read_checkpoint(folder / "last.pt") if resume else None
    few = Few(sources["train"], STEPS * size)
    fit(task, few, sources["validation"], plan, Fabric(accelerator="cpu", devices=1), found)


def _limited(task: Task[Any], whole: Source, kill_at: int | None) -> Task[Any]:
    """The task, built on the whole source, and dying at a step."""
    kind = type(task)
    steps = 0

    class Limited(kind):  # type: ignore[misc, valid-type]
        def build(self, train: Source | None) -> Any:
            return super().build(whole if train is not None else None)

        def loss(self, model: Any, batch: Mapping[str, Any], generator: Any) -> Any:
            nonlocal steps
            steps += 1
            if steps == kill_at:
                raise KilledError
            return super().loss(model, batch, generator)

    return Limited(task.config)
