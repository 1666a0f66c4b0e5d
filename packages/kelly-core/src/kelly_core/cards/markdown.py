"""Safe Markdown: escaped text, code, tables, and figures with sensible digits."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from kelly_core.registry.entries import Interval

# Within a line: what begins code, emphasis, links, HTML, entities or a cell. An underscore between letters and
# a `>` after text mean nothing there and stay readable.
_SPECIAL = re.compile(r"([\\`*\[\]<|~]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|&(?=#|\w+;))")
_WRITTEN = {name.lower(): name for name in ("AUC", "BPM", "dB", "ECE", "F1", "MAE", "NLL", "RMSE", "UAR")}
_SHARES = ("accuracy", "top1", "top3", "top5")


def escape(text: object) -> str:
    r"""Plain text that shows as itself, in a table cell too; line breaks become spaces.

    >>> escape("rock|one_two*")
    'rock\\|one_two\\*'
    """
    return _SPECIAL.sub(r"\\\1", " ".join(str(text).split()))


def code(text: object) -> str:
    r"""A code span, in a table cell too.

    >>> code("a|b")
    '`a\\|b`'
    """
    shown = " ".join(str(text).split()).replace("|", "\\|")
    if not shown:
        return ""
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", shown)), default=0))
    pad = " " if "`" in shown else ""
    return f"{fence}{pad}{shown}{pad}{fence}"


def block(language: str, text: str) -> str:
    """A fenced block that its own content can't close."""
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", text)), default=0))
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]], numbers: int = 0) -> str:
    """A table of cells that are Markdown already; the last `numbers` columns are right-aligned."""
    marks = ["---"] * (len(head) - numbers) + ["---:"] * numbers
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, marks, *rows])


def heading(title: str, *parts: str) -> str:
    """A section with its parts, or nothing when all parts are empty."""
    filled = [part for part in parts if part]
    return "\n\n".join([f"## {title}", *filled]) if filled else ""


def metric_name(name: str) -> str:
    """A metric for people.

    >>> metric_name("macro_f1")
    'Macro F1'
    """
    words = [_WRITTEN.get(word, word) for word in name.split("_")]
    text = " ".join(words)
    return escape(text[:1].upper() + text[1:])


def figure(metric: str, one: Interval | None) -> str:
    """A figure with its interval; accuracies as percentages.

    >>> figure("uar", Interval(value=0.6554, low=0.611, high=0.702))
    '0.655 [0.61, 0.70]'
    >>> figure("accuracy", Interval(value=0.95))
    '95.0%'
    """
    if one is None:
        return "-"
    if metric in _SHARES:
        text, ends = f"{one.value * 100:.1f}%", (_percent(one.low), _percent(one.high))
    else:
        text, ends = number(one.value), (_end(one.low), _end(one.high))
    return f"{text} [{ends[0]}, {ends[1]}]" if one.low is not None and one.high is not None else text


def number(value: float) -> str:
    """Three decimals, or three digits for what is small or very large.

    >>> number(0.12345), number(0.0059234), number(4e-17)
    ('0.123', '0.00592', '0.000')
    """
    return f"{value:.3g}" if 1e-9 < abs(value) < 0.02 or abs(value) >= 1e4 else f"{value:.3f}"


def size(count: int) -> str:
    """Bytes for people.

    >>> size(345678)
    '345.7 kB'
    """
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= factor:
            return f"{count / factor:.1f} {unit}"
    return f"{count} bytes"


def duration(seconds: float) -> str:
    """Seconds for people.

    >>> duration(95.4), duration(7260)
    ('1 min 35 s', '2 h 1 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.1f} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def _percent(value: float | None) -> str:
    return "" if value is None else f"{value * 100:.1f}"


def _end(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.3g}" if 1e-9 < abs(value) < 0.005 or abs(value) >= 1e4 else f"{value:.2f}"
