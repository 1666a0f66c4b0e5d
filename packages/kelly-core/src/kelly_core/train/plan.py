"""What a run is given beside its task and data, and what it gives back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kelly_core.train.view import NoView, View


def _tell_nobody(hook: str, **arguments: Any) -> None:
    """Stands in for observers."""


@dataclass(frozen=True)
class Plan:
    """What a run needs beside task and data.

    Attributes:
        checkpoints: Folder of `epoch_N.pt`, `best.pt`, `last.pt`; None keeps the best weights in memory only.
        folder: The run's folder, for metrics and samples; None writes neither.
        batch_size: Examples per step over all processes.
        identity: Stored in every checkpoint: name, model id, config, run id, data hash, versions.
        notify: Calls observers: `notify(hook, **arguments)`.
        view: What a person sees.
        eval_batch_size: Examples at once in evaluation.
        tensorboard: Whether metrics also go to event files.
    """

    checkpoints: Path | None
    folder: Path | None
    batch_size: int
    identity: Mapping[str, Any] = field(default_factory=dict)
    notify: Callable[..., None] = _tell_nobody
    view: View = field(default_factory=NoView)
    eval_batch_size: int = 256
    tensorboard: bool = True

    @property
    def last(self) -> Path | None:
        """The checkpoint that a resumed run goes on from."""
        return self.checkpoints / "last.pt" if self.checkpoints is not None else None


@dataclass
class Fitted:
    """What training gave.

    Attributes:
        best_epoch: Epoch (from 1) whose weights `state` holds, chosen on validation data.
        state: Weights of that epoch.
        metrics: That epoch's metrics.
        epochs: Epochs that were run.
        stopped_early: Whether early stopping ended it.
    """

    best_epoch: int = 0
    state: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    epochs: int = 0
    stopped_early: bool = False
