"""An observer: a line for every epoch of every run, in `diary.md` of the run's folder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kelly_core.hookspecs import hookimpl

KELLY_API = 1
NAME = "diary.md"


@hookimpl
def kelly_run_started(run: Any, config: Mapping[str, Any]) -> None:
    """The heading, with what was asked for."""
    asked = f"{config.get('epochs', '?')} epochs, seed {config.get('seed', '?')}"
    _write(run, f"# {run.id}\n\n{run.model_id}: {asked}\n")


@hookimpl
def kelly_epoch_finished(run: Any, epoch: int, metrics: Mapping[str, float]) -> None:
    """The epoch's figures."""
    figures = ", ".join(f"{name} {value:.4g}" for name, value in metrics.items() if name != "epoch")
    _write(run, f"- epoch {epoch}: {figures}")


@hookimpl
def kelly_run_finished(run: Any, status: str) -> None:
    """How it ended."""
    _write(run, f"\n{status}")


def _write(run: Any, line: str) -> None:
    with (run.folder / NAME).open("a", encoding="utf-8") as file:
        file.write(f"{line}\n")
