"""What every command uses to speak: data on stdout, progress and warnings on stderr."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence, Sized
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from kelly_core.errors import KellyError
from kelly_core.progress import Progress
from kelly_core.workspace import Workspace

if TYPE_CHECKING:
    from rich.console import Console

    from kelly_core.plugins import PluginFailure, PluginHost

T = TypeVar("T")


def workspace() -> Workspace:
    """The workspace of this command: `--workspace`, else `KELLY_WORKSPACE`, else the current folder."""
    return Workspace.locate()


def host() -> PluginHost:
    """A plugin host whose failures print one warning line each."""
    from kelly_core.plugins import PluginHost

    return PluginHost(on_failure=_warn_of)


def set_for_command(ctx: Any, key: str, value: str) -> None:
    """Set an environment variable until the command ends: it reaches every room and child processes."""
    before = os.environ.get(key)

    def restore() -> None:
        if before is None:
            os.environ.pop(key, None)
        else:
            os.environ[key] = before

    ctx.call_on_close(restore)
    os.environ[key] = value


def require_training() -> None:
    """Stop with the extra to install when the training libraries aren't there.

    Raises:
        MissingExtraError: torch or Fabric can't be found.
    """
    from importlib.util import find_spec

    from kelly_core.errors import MissingExtraError

    missing = [name for name in ("torch", "lightning_fabric") if find_spec(name) is None]
    if missing:
        raise MissingExtraError(
            f"training needs {' and '.join(missing)}, not installed here",
            hint="install the extra: `pip install 'kelly-core[train]'` (or `kelly-emotion[train]`)",
            code="missing-extra.training",
        )


def print_json(value: Any) -> None:
    """Print plain values as indented JSON on stdout."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def say(message: str = "") -> None:
    """Print a line of results on stdout."""
    sys.stdout.write(message + "\n")


def note(message: str) -> None:
    """Print a line about what is going on, on stderr."""
    sys.stderr.write(message + "\n")


def warn(message: str) -> None:
    """Print a warning line on stderr."""
    sys.stderr.write(f"{paint('warning:', 'yellow', sys.stderr)} {message}\n")


def fail(message: str, code: str) -> None:
    """Print an error line on stderr, with the code by which `kelly explain` knows it."""
    sys.stderr.write(f"{paint(f'error[{code}]:', 'red', sys.stderr)} {message}\n")


def show_error(error: KellyError) -> None:
    """Print an error with its code, place and next step on stderr."""
    fail(error.message, error.code)
    if error.where:
        note(f"  at {error.where}")
    if error.hint:
        note(f"  {paint('->', 'cyan', sys.stderr)} {error.hint}")


def show_traceback(error: BaseException) -> None:
    """Print an exception's traceback on stderr."""
    import traceback

    sys.stderr.write("".join(traceback.format_exception(error)))


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, title: str | None = None) -> None:
    """Print a table on stdout: drawn for people, aligned plain text when piped.

    Args:
        columns: Headings.
        rows: Cells; anything with a `str`.
        title: Line above, shown to people only.
    """
    cells = [[str(cell) for cell in row] for row in rows]
    if not is_terminal(sys.stdout):
        _write_aligned([list(columns), *cells], width=None)
        return
    from rich.table import Table
    from rich.text import Text

    drawn = Table(
        *columns, title=None if title is None else Text(title), title_justify="left", header_style="bold"
    )
    for row in cells:
        drawn.add_row(*(Text.from_ansi(cell) for cell in row))
    rich_console().print(drawn)


def columns(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print aligned columns on stdout without Rich, for commands that must start fast.

    On a terminal the headings are bold and the last column is cut at the right edge.
    """
    cells = [[str(cell) for cell in row] for row in rows]
    width = shutil.get_terminal_size().columns if is_terminal(sys.stdout) else None
    _write_aligned([[paint(heading, "bold") for heading in headings], *cells], width)


def rich_console(*, stderr: bool = False) -> Console:
    """A Rich console on stdout or stderr."""
    from rich.console import Console

    return Console(stderr=stderr)


@contextmanager
def progress() -> Iterator[Progress]:
    """Follow work: live bars when stderr is a terminal, plain lines otherwise.

    Usage: `with console.progress() as bar: import_folder(source, target, progress=bar)`.
    """
    if not is_terminal(sys.stderr):
        yield _Lines()
        return
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as RichProgress

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with RichProgress(*columns, console=rich_console(stderr=True)) as bars:
        yield _Bars(bars)


def is_terminal(stream: Any) -> bool:
    """Whether a person watches this stream."""
    return bool(getattr(stream, "isatty", lambda: False)())


def paint(text: str, colour: str, stream: Any = None) -> str:
    """`text` in a colour (`red`, `green`, `yellow`, `cyan`, `bold`, `dim`) when the stream is a terminal.

    The environment variable `NO_COLOR` turns colours off.
    """
    if not is_terminal(stream or sys.stdout) or os.environ.get("NO_COLOR"):
        return text
    return f"\x1b[{_CODES[colour]}m{text}\x1b[0m"


_CODES = {"red": 31, "green": 32, "yellow": 33, "cyan": 36, "bold": 1, "dim": 2}


class _Lines:
    """Progress as plain lines: the start, then at most one line per tenth of the work."""

    def track(self, work: Iterable[T], description: str, total: int | None = None) -> Iterator[T]:
        if total is None and isinstance(work, Sized):
            total = len(work)
        note(f"{description} ..." if total is None else f"{description}: {total} to do")
        shown = 0
        for done, item in enumerate(work, 1):
            yield item
            if total and done * 10 // total > shown:
                shown = done * 10 // total
                note(f"{description}: {done}/{total}")

    def say(self, message: str) -> None:
        note(message)


class _Bars:
    """Progress as Rich bars."""

    def __init__(self, bars: Any) -> None:
        self.bars = bars

    def track(self, work: Iterable[T], description: str, total: int | None = None) -> Iterator[T]:
        if total is None and isinstance(work, Sized):
            total = len(work)
        yield from self.bars.track(work, total=total, description=description)

    def say(self, message: str) -> None:
        self.bars.console.print(message, markup=False, highlight=False)


def _warn_of(failure: PluginFailure) -> None:
    warn(f"{' '.join(str(failure).split())} (see `kelly doctor`)")


def _write_aligned(rows: list[list[str]], width: int | None) -> None:
    widths = [max(_visible(row[i]) for row in rows) for i in range(len(rows[0]))]
    room = None if width is None else width - sum(size + 2 for size in widths[:-1])
    for row in rows:
        *first, last = row
        if room is not None and "\x1b" not in last and len(last) > max(room, 1):
            last = last[: max(room, 1) - 1] + "…"
        padded = [cell + " " * (size - _visible(cell)) for cell, size in zip(first, widths, strict=False)]
        sys.stdout.write("  ".join([*padded, last]).rstrip() + "\n")


def _visible(text: str) -> int:
    return len(re.sub(r"\x1b\[[0-9;]*m", "", text))
