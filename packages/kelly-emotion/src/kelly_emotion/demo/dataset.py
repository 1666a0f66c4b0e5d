"""The data set `emotion-demo`: writes the synthetic clips once and lists them."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from kelly_core import atomic
from kelly_core.data import Dataset, Item
from kelly_core.errors import ConfigError
from kelly_emotion.demo.cues import CENTRES, draw_cues
from kelly_emotion.demo.performers import Performer, make_performer
from kelly_emotion.demo.phrase import compose
from kelly_emotion.demo.synth import SAMPLE_RATE, render

DEMO_VERSION = 1
"""Changed whenever the same options would give other clips."""

NOTE = "synthetic: short phrases made from published acoustic cues, not recordings of people"
MARKER = "complete.json"
COLUMNS = ("file", "label", "speaker", "duration", "tempo", "key")


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

    @property
    def folder(self) -> str:
        """Name of the folder that holds exactly these clips."""
        return f"emotion-demo-v{DEMO_VERSION}-{self.performers}x{self.takes}-seed{self.seed}"


@dataclass(frozen=True, slots=True)
class Clip:
    """One rendered phrase: where it goes, its row of the table, and its sound."""

    row: Mapping[str, str]
    samples: npt.NDArray[np.float32]


def open_demo(path: Path, options: Mapping[str, Any] | None = None) -> Dataset:
    """Make the clips below `path` unless they are there already, and list them.

    The clips lie in a folder named for the version and the options, so different ones stand side by side.
    A folder that isn't complete, or whose content isn't what was written, is made again. Two processes
    may open at once.

    Args:
        path: Folder that may be written to, made if missing; or the folder of clips made earlier.
        options: `performers`, `takes`, `seed`; the fields of `DemoOptions`. Others are left to the caller.

    Returns:
        The clips with emotion as label and performer as group, marked synthetic.

    Raises:
        ConfigError: An option is out of range.
    """
    from filelock import FileLock

    wanted = _read_options(options or {})
    path = Path(path).expanduser().absolute()
    if recognises(path) and is_complete(path):
        return _list(path)
    path.mkdir(parents=True, exist_ok=True)
    root = path / wanted.folder
    with FileLock(path / ".emotion-demo.lock"):
        if not is_complete(root):
            _build(root, wanted)
    return _list(root)


def recognises(path: Path) -> bool:
    """Whether `path` is a folder of clips that `open_demo` wrote."""
    return Path(path).name.startswith("emotion-demo-v") and (Path(path) / MARKER).is_file()


def is_complete(root: Path) -> bool:
    """Whether every file is there with the content that was written."""
    try:
        marker = json.loads((root / MARKER).read_text())
        return marker["version"] == DEMO_VERSION and marker["sha256"] == checksum(root)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def checksum(root: Path) -> str:
    """SHA-256 over the names and contents of the table and all clips."""
    digest = hashlib.sha256()
    for file in [root / "metadata.csv", *sorted(root.glob("*/*.wav"))]:
        content = file.read_bytes()
        digest.update(f"{file.relative_to(root).as_posix()} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()


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


def _build(root: Path, options: DemoOptions) -> None:
    """Write everything beside `root`, then put it in place by renaming."""
    import soundfile

    part = Path(tempfile.mkdtemp(dir=root.parent, prefix=".emotion-demo-"))
    try:
        rows = []
        for clip in make_clips(options):
            file = part / clip.row["file"]
            file.parent.mkdir(exist_ok=True)
            pcm = np.rint(clip.samples * 32767).astype(np.int16)
            soundfile.write(file, pcm, SAMPLE_RATE, subtype="PCM_16")
            rows.append(clip.row)
        table = io.StringIO()
        writer = csv.DictWriter(table, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(sorted(rows, key=lambda row: row["file"]))
        atomic.write_text(part / "metadata.csv", table.getvalue())
        marker = {"version": DEMO_VERSION, "synthetic": True, **asdict(options), "sha256": checksum(part)}
        atomic.write_json(part / MARKER, marker)
        part.chmod(0o755)
        shutil.rmtree(root, ignore_errors=True)
        part.replace(root)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _list(root: Path) -> Dataset:
    with (root / "metadata.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    sides = _sides(sorted({row["speaker"] for row in rows}))
    items = [
        Item(
            path=str(root / row["file"]),
            label=row["label"],
            group=row["speaker"],
            split=sides.get(row["speaker"]),
            extra={name: row[name] for name in ("duration", "tempo", "key")},
        )
        for row in rows
    ]
    return Dataset(
        name="emotion-demo",
        root=root,
        items=tuple(items),
        synthetic=True,
        licence="Apache-2.0 (generated by Kelly)",
        citation="made by Kelly from cues in Juslin and Laukka (2003) and Scherer and Oshinsky (1977)",
        group_kind="performer",
        notes=(NOTE,),
    )


def _sides(performers: Sequence[str]) -> dict[str, str]:
    """The set's own split: a seventh of the performers each for validation and test, two of fourteen.

    With fewer than six performers there is none, and the configured split decides.
    """
    if len(performers) < 6:
        return {}
    held = max(1, len(performers) // 7)
    first = len(performers) - 2 * held
    names = ["train"] * first + ["validation"] * held + ["test"] * held
    return dict(zip(performers, names, strict=True))


def _read_options(options: Mapping[str, Any]) -> DemoOptions:
    known = {name: options[name] for name in ("performers", "takes", "seed") if name in options}
    for name, value in known.items():
        low, high = (0, 2**32 - 1) if name == "seed" else (1, 1000)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise ConfigError(
                f"{name} is {value!r}",
                where="emotion-demo",
                hint=f"give a whole number from {low} to {high}",
            )
    return DemoOptions(**known)
