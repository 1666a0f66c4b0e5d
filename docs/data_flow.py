"""The picture of docs/explanation/architecture.md, drawn from the table below; generate.py writes it."""  # noqa: INP001 - a script

from __future__ import annotations

# Room, where it is, what it leaves in the workspace.
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
STYLE = """
.paper { fill: #ffffff } .box { fill: #eceff1; stroke: #546e7a } .line { stroke: #546e7a; fill: none }
.head { fill: #546e7a } text { font-family: sans-serif; text-anchor: middle; fill: #263238; font-size: 12px }
.room { font-weight: bold; font-size: 14px } .left { fill: #00695c; font-family: monospace; font-size: 11.5px }
""".strip()


def svg() -> str:
    """The rooms from left to right in two rows, under each what it leaves behind."""
    width = 2 * MARGIN + 6 * BOX + 5 * GAP
    height = 2 * MARGIN + STRIDE + HEIGHT + 28
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">',
        "<title>The way of the data</title>",
        f"<style>{STYLE}</style>",
        '<marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto">',
        '<path class="head" d="M0 0L8 4L0 8z"/></marker>',
        f'<rect class="paper" width="{width}" height="{height}" rx="8"/>',
    ]
    for row, rooms in enumerate(ROWS):
        top = MARGIN + row * STRIDE
        for column, (room, where, leaves) in enumerate(rooms):
            left = MARGIN + column * (BOX + GAP)
            middle = left + BOX / 2
            parts += [
                f'<rect class="box" x="{left}" y="{top}" width="{BOX}" height="{HEIGHT}" rx="6"/>',
                f'<text class="room" x="{middle:g}" y="{top + 24}">{room}</text>',
                f'<text x="{middle:g}" y="{top + 43}">{where}</text>',
                f'<text class="left" x="{middle:g}" y="{top + HEIGHT + 18}">{leaves}</text>',
            ]
            if column:
                parts.append(_arrow(f"M{left - GAP} {top + HEIGHT / 2:g}H{left - 2}"))
    first, last = MARGIN + BOX / 2, MARGIN + 5 * (BOX + GAP) + BOX / 2
    turn = MARGIN + HEIGHT + 40
    parts.append(_arrow(f"M{last:g} {MARGIN + HEIGHT + 24}V{turn}H{first:g}V{MARGIN + STRIDE - 2}"))
    return "\n".join([*parts, "</svg>", ""])


def _arrow(path: str) -> str:
    return f'<path class="line" d="{path}" marker-end="url(#head)"/>'
