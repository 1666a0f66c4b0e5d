"""What a person sees of a run: a live table with ETA on a terminal, plain lines when piped."""

from __future__ import annotations

import time
from collections.abc import Mapping
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

SHOWN_EPOCHS = 8
STEP_SECONDS = 0.1
"""Shortest time between two moves of the step bar: steps of small networks take less than drawing does."""


class View(Protocol):
    """Follows a run."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def step(self, epoch: int, step: int, loss: float | None) -> None:
        """A step ended; `loss` is the epoch's mean so far, where it was looked at."""
        ...

    def epoch(self, epoch: int, metrics: Mapping[str, float], best: bool) -> None:
        """An epoch ended."""
        ...


class NoView:
    """Shows nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def step(self, epoch: int, step: int, loss: float | None) -> None:
        """Ignore it."""

    def epoch(self, epoch: int, metrics: Mapping[str, float], best: bool) -> None:
        """Ignore it."""


class LineView(NoView):
    """One plain line per epoch, for logs and pipes.

    Args:
        epochs: Epochs of the whole run.
        console: Where to print.
        first: Epochs already done before this process.
    """

    def __init__(self, epochs: int, console: Console, first: int = 0) -> None:
        self._epochs, self._console, self._first = epochs, console, first
        self._start = time.monotonic()

    def epoch(self, epoch: int, metrics: Mapping[str, float], best: bool) -> None:
        """Print the epoch."""
        columns = "  ".join(f"{name} {value:.4g}" for name, value in metrics.items() if name != "seconds")
        eta = _eta(self._start, epoch - self._first, self._epochs - epoch)
        mark = "  best" if best else ""
        self._console.print(
            f"epoch {epoch}/{self._epochs}  {columns}  eta {eta}{mark}", highlight=False, soft_wrap=True
        )


class LiveView:
    """The last epochs as a table above two bars.

    Args:
        epochs: Epochs of the whole run.
        steps: Steps per epoch.
        console: A terminal.
        first: Epochs already done before this process.
    """

    def __init__(self, epochs: int, steps: int, console: Console, first: int = 0) -> None:
        self._epochs, self._first, self._start = epochs, first, time.monotonic()
        self._moved = 0.0
        self._rows: list[tuple[int, Mapping[str, float], bool]] = []
        self._bars = Progress(
            TextColumn("{task.description:>6}"),
            BarColumn(bar_width=40),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[note]}", style="dim"),
        )
        self._epoch_bar = self._bars.add_task("epochs", total=epochs, completed=first, note="")
        self._step_bar = self._bars.add_task("steps", total=steps, note="")
        self._live = Live(console=console, refresh_per_second=4, get_renderable=self._draw)

    def __enter__(self) -> Self:
        self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.__exit__(kind, error, trace)

    def step(self, epoch: int, step: int, loss: float | None) -> None:
        """Move the step bar."""
        now = time.monotonic()
        if loss is not None:
            self._bars.update(self._step_bar, completed=step, note=f"loss {loss:.4g}")
        elif now - self._moved > STEP_SECONDS:
            self._moved = now
            self._bars.update(self._step_bar, completed=step)

    def epoch(self, epoch: int, metrics: Mapping[str, float], best: bool) -> None:
        """Add a row and move the epoch bar."""
        self._rows = [*self._rows[1 - SHOWN_EPOCHS :], (epoch, dict(metrics), best)]
        eta = _eta(self._start, epoch - self._first, self._epochs - epoch)
        self._bars.update(self._epoch_bar, completed=epoch, note=f"eta {eta}")

    def _draw(self) -> RenderableType:
        if not self._rows:
            return self._bars
        table = Table(box=None, padding=(0, 2, 0, 0))
        # Not every epoch is validated: the columns are those of all shown rows.
        names = [
            name for name in dict.fromkeys(n for _, row, _ in self._rows for n in row) if name != "seconds"
        ]
        for name in ("epoch", *names):
            table.add_column(name, justify="right", style="cyan" if name == "epoch" else "")
        for epoch, metrics, best in self._rows:
            cells = [f"{metrics[name]:.4g}" if name in metrics else "" for name in names]
            table.add_row(str(epoch), *cells, style="bold green" if best else "")
        return Group(table, self._bars)


def make_view(epochs: int, steps: int, console: Console, first: int = 0) -> View:
    """Live on a terminal, lines elsewhere."""
    if console.is_terminal:
        return LiveView(epochs, steps, console, first)
    return LineView(epochs, console, first)


def _eta(start: float, done: int, left: int) -> str:
    seconds = round((time.monotonic() - start) / max(1, done) * left)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
