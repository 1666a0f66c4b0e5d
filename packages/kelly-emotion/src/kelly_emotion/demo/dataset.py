"""The data set `emotion-demo`: writes the synthetic clips once and lists them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from kelly_core.data import Dataset
from kelly_core.data.demo import TABLE, Demo, write_table
from kelly_emotion.demo.cues import CENTRES, draw_cues
from kelly_emotion.demo.performers import Performer, make_performer
from kelly_emotion.demo.phrase import compose
from kelly_emotion.demo.synth import SAMPLE_RATE, render

NOTE = "synthetic: short phrases made from published acoustic cues, not recordings of people"


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """Which clips to make.

    Attributes:
        performers: Number of synthetic performers, the groups that splits keep apart.
        takes: Clips per performer and emotion.
        seed: Seed of everything random.
    """

    performers: int = 14
    takes: int = 4
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Clip:
    """One rendered phrase: where it goes, its row of the table, and its sound."""

    row: Mapping[str, str]
    samples: npt.NDArray[np.float32]


def open_demo(path: Path, options: Mapping[str, Any] | None = None) -> Dataset:
    """Make the clips below `path` unless they are there already, and list them.

    Args:
        path: Folder that may be written to, made if missing; or the folder of clips made earlier.
        options: `performers`, `takes`, `seed`; the fields of `DemoOptions`. Others are left to the caller.

    Returns:
        The clips with emotion as label and performer as group, marked synthetic.

    Raises:
        ConfigError: An option is out of range.
    """
    return DEMO.listed(
        path,
        options,
        group="speaker",
        one_in=7,
        group_kind="performer",
        extra=("duration", "tempo", "key"),
        notes=(NOTE,),
        citation="made by Kelly from cues in Juslin and Laukka (2003) and Scherer and Oshinsky (1977)",
    )


def make_clips(options: DemoOptions) -> Iterator[Clip]:
    """Render the clips of `options` one by one; each depends on its own place alone."""
    for number in range(options.performers):
        performer = make_performer(number, options.seed)
        for place, emotion in enumerate(CENTRES):
            for take in range(options.takes):
                rng = np.random.default_rng([options.seed, number, place, take])
                yield _make_clip(emotion, performer, take, rng)


def _make_clip(emotion: str, performer: Performer, take: int, rng: np.random.Generator) -> Clip:
    cues = draw_cues(emotion, rng)
    seconds = float(rng.uniform(2.2, 3.8))
    played = type(cues)(**{**asdict(cues), "tempo": cues.tempo * performer.tempo})
    notes = compose(played, seconds - 0.3, rng)
    samples = render(notes, played, performer, seconds, rng)
    row = {
        "file": f"{emotion}/{performer.name}-{take + 1}.wav",
        "label": emotion,
        "speaker": performer.name,
        "duration": f"{len(samples) / SAMPLE_RATE:.3f}",
        "tempo": f"{played.tempo:.0f}",
        "key": "major" if cues.major else "minor",
    }
    return Clip(row, samples)


def _write(folder: Path, options: DemoOptions) -> None:
    import soundfile

    rows = []
    for clip in make_clips(options):
        file = folder / clip.row["file"]
        file.parent.mkdir(exist_ok=True)
        pcm = np.rint(clip.samples * 32767).astype(np.int16)
        soundfile.write(file, pcm, SAMPLE_RATE, subtype="PCM_16")
        rows.append(clip.row)
    write_table(folder / TABLE, sorted(rows, key=lambda row: row["file"]))


DEMO = Demo("emotion-demo", version=1, options=DemoOptions, write=_write)
recognises = DEMO.recognises
