"""Metrics of every epoch on disk: JSON lines for programs, TensorBoard for curves."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from kelly_core import atomic

METRICS_FILE = "metrics.jsonl"


class MetricsLog:
    """Appends one line per epoch to `metrics.jsonl` and the same scalars to TensorBoard.

    Args:
        folder: The run's folder.
        keep_epochs: Lines of later epochs are dropped first: a resumed run writes them again.
        tensorboard: Whether to write event files as well.
    """

    def __init__(self, folder: Path, *, keep_epochs: int = 0, tensorboard: bool = True) -> None:
        self._path = folder / METRICS_FILE
        self._events: Any = None
        if self._path.exists():
            kept = [line for line in read_metrics(folder) if line["epoch"] <= keep_epochs]
            atomic.write_text(self._path, "".join(json.dumps(line) + "\n" for line in kept))
        if tensorboard:
            from torch.utils.tensorboard.writer import SummaryWriter

            self._events = SummaryWriter(
                str(folder / "tensorboard"), purge_step=keep_epochs + 1 if keep_epochs else None
            )

    def write(self, epoch: int, metrics: Mapping[str, float]) -> None:
        """Record an epoch (from 1)."""
        known = {name: value if math.isfinite(value) else None for name, value in metrics.items()}
        with self._path.open("a") as file:
            file.write(json.dumps({"epoch": epoch, **known}) + "\n")
        if self._events is not None:
            for name, value in metrics.items():
                self._events.add_scalar(name, value, epoch)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._events is not None:
            self._events.close()


def read_metrics(folder: Path) -> list[dict[str, Any]]:
    """The lines of `metrics.jsonl`; a last line cut off by a kill is left out. JSON's null stands for NaN."""
    lines: list[dict[str, Any]] = []
    for text in (folder / METRICS_FILE).read_text().splitlines():
        try:
            lines.append(json.loads(text))
        except json.JSONDecodeError:
            break
    return lines
