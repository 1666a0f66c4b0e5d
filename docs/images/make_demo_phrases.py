"""Writes picture and table of docs/reference/demo-data.md: `python docs/images/make_demo_phrases.py`."""  # noqa: INP001 - a script

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import numpy as np

from kelly_core.features.audio import LogMel
from kelly_emotion.demo import DemoOptions
from kelly_emotion.demo.cues import CENTRES, RATIOS, SPREAD, UNITS, Cues
from kelly_emotion.demo.dataset import make_clips
from kelly_emotion.demo.synth import SAMPLE_RATE

IMAGES = Path(__file__).parent


def cue_table() -> str:
    """Markdown table: one row a cue, one column an emotion."""
    lines = [
        "| cue | unit | " + " | ".join(CENTRES) + " | spread |",
        "|---|---|" + "---:|" * (len(CENTRES) + 1),
    ]
    for field in fields(Cues):
        name = field.name
        spread = getattr(SPREAD, name)
        shown = "-" if name == "major" else f"{100 * spread:.0f} %" if name in RATIOS else f"{spread:g}"
        middles = " | ".join(f"{getattr(cues, name):g}" for cues in CENTRES.values())
        lines.append(f"| {name} | {UNITS[name]} | {middles} | {shown} |")
    return "\n".join(lines)


def draw(file: Path) -> None:
    """One phrase of each emotion by the first performer: waveform above log-mel picture."""
    from matplotlib.figure import Figure

    front = LogMel()
    clips = list(make_clips(DemoOptions(performers=1, takes=1)))
    figure = Figure(figsize=(14, 3.4), layout="constrained")
    axes = figure.subplots(2, len(clips), height_ratios=(1, 2), sharex="col")
    for (wave, picture), clip in zip(axes.T, clips, strict=True):
        seconds = len(clip.samples) / SAMPLE_RATE
        wave.plot(np.arange(len(clip.samples)) / SAMPLE_RATE, clip.samples, linewidth=0.3)
        wave.set(ylim=(-1, 1), title=f"{clip.row['label']}\n{clip.row['tempo']}/min, {clip.row['key']}")
        picture.imshow(
            front(clip.samples),
            origin="lower",
            aspect="auto",
            vmin=-70,
            vmax=20,
            extent=(0, seconds, 0, 64),
            cmap="magma",
        )
        picture.set_xlabel("s")
        for axis in (wave, picture):
            axis.tick_params(labelleft=axis in (axes[0, 0], axes[1, 0]))
    axes[1, 0].set_ylabel("mel band")
    figure.savefig(file, dpi=80, metadata={"Software": None})


def main() -> None:
    """Write both."""
    draw(IMAGES / "demo-phrases.png")
    page = IMAGES.parent / "reference" / "demo-data.md"
    begin, end = "<!-- cues: generated -->", "<!-- end -->"
    text = re.sub(
        f"{begin}.*{end}", f"{begin}\n{cue_table()}\n{end}", page.read_text(encoding="utf-8"), flags=re.DOTALL
    )
    page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
