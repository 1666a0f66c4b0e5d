"""The picture of docs/explanation/architecture.md, drawn from the table below; generate.py writes it."""  # noqa: INP001 - a script

from __future__ import annotations

# Room, where it is in core, which files it reads or leaves.
ROWS = (
    (
        ("discover", "catalog, plugins", "entry points"),
        ("configure", "config", "configs/"),
        ("load data", "data", "data/raw/"),
        ("features", "features", "data/cache/"),
        ("train", "train", "logs/training/"),
        ("checkpoint", "checkpoint", "checkpoints/"),
    ),
    (
        ("evaluate", "evaluate", "results.json"),
        ("export", "export, kelly-export", "models/"),
        ("verify", "verify", "contract.json"),
        ("register, card", "registry, cards", "registry.json"),
        ("infer", "infer, inference", "predictions"),
        ("hand on", "pipeline.package", "a wheel"),
    ),
)
BOX, GAP, HEIGHT, STRIDE, MARGIN = 124, 26, 56, 124, 16
INK, LINE, PAPER, FILL, LEFT = "#263238", "#546e7a", "#ffffff", "#eceff1", "#00695c"


def svg() -> str:
    """The rooms from left to right in two rows, under each its files."""
    width = 2 * MARGIN + 6 * BOX + 5 * GAP
    height = 2 * MARGIN + STRIDE + HEIGHT + 28
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">',
        "<title>The way of the data</title>",
        f'<rect width="{width}" height="{height}" rx="8" fill="{PAPER}"/>',
        '<g font-family="sans-serif" text-anchor="middle">',
    ]
    for row, rooms in enumerate(ROWS):
        top = MARGIN + row * STRIDE
        for column, (room, where, leaves) in enumerate(rooms):
            left = MARGIN + column * (BOX + GAP)
            size = f'width="{BOX}" height="{HEIGHT}" rx="6"'
            parts += [
                f'<rect x="{left}" y="{top}" {size} fill="{FILL}" stroke="{LINE}"/>',
                _text(left, top + 24, room, 14, INK, ' font-weight="bold"'),
                _text(left, top + 43, where, 12, INK),
                _text(left, top + HEIGHT + 18, leaves, 12, LEFT),
            ]
            if column:
                parts += _arrow(f"M{left - GAP} {top + HEIGHT // 2}H{left - 8}", left - 2, top + HEIGHT // 2)
    first, last = MARGIN + BOX // 2, MARGIN + 5 * (BOX + GAP) + BOX // 2
    turn, below = MARGIN + HEIGHT + 40, MARGIN + STRIDE - 2
    parts += _arrow(f"M{last} {MARGIN + HEIGHT + 24}V{turn}H{first}V{below - 6}", first, below, down=True)
    return "\n".join([*parts, "</g>", "</svg>", ""])


def _text(left: int, y: int, text: str, size: int, colour: str, more: str = "") -> str:
    return f'<text x="{left + BOX // 2}" y="{y}" font-size="{size}" fill="{colour}"{more}>{text}</text>'


def _arrow(path: str, x: int, y: int, *, down: bool = False) -> list[str]:
    """A line and a head whose point is at `x`, `y`."""
    head = f"M{x - 4} {y - 7}H{x + 4}L{x} {y}z" if down else f"M{x - 7} {y - 4}V{y + 4}L{x} {y}z"
    return [f'<path d="{path}" fill="none" stroke="{LINE}"/>', f'<path d="{head}" fill="{LINE}"/>']
