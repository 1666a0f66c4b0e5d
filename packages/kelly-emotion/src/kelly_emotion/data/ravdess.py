"""Dataset `ravdess`: emotional speech of 24 actors, everything told by the file name.

A name is seven two-digit fields, modality-channel-emotion-intensity-statement-repetition-actor, as
Livingstone & Russo (2018), doi:10.1371/journal.pone.0196391, give them. The folds are the five
speaker-independent ones of Luna-Jiménez et al. (2021), doi:10.3390/s21227665.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from kelly_core.data import Dataset, Item, Problem
from kelly_core.data.listing import find_files, sub_folders
from kelly_core.errors import DataError
from kelly_emotion.labels import map_labels

NAME = "ravdess"
LICENCE = "CC BY-NC-SA 4.0"
CITATION = (
    "Livingstone SR, Russo FA (2018). The Ryerson Audio-Visual Database of Emotional Speech and Song "
    "(RAVDESS). PLoS ONE 13(5): e0196391. doi:10.1371/journal.pone.0196391"
)
EMOTION_CODES = {
    "01": "neutral",
    "02": "calm",
    "03": "happy",
    "04": "sad",
    "05": "angry",
    "06": "fearful",
    "07": "disgust",
    "08": "surprised",
}
FOLDS = (
    (2, 5, 14, 15, 16),
    (3, 6, 7, 13, 18),
    (10, 11, 12, 19, 20),
    (8, 17, 21, 23, 24),
    (1, 4, 9, 22),
)
_SUFFIXES = frozenset({".wav", ".flac"})
_FILE = re.compile(r"(\d\d)-(\d\d)-(\d\d)-(\d\d)-(\d\d)-(\d\d)-(\d\d)\.(?:wav|flac)", re.IGNORECASE)
_ACTOR = re.compile(r"Actor_\d\d", re.IGNORECASE)
_FOLD_OF = {actor: str(fold) for fold, actors in enumerate(FOLDS) for actor in actors}


def recognises(path: Path) -> bool:
    """Whether there is an `Actor_NN` folder, here or one level down, with a file named as RAVDESS does."""
    try:
        for folder in (Path(path), *(Path(path) / name for name in sub_folders(path))):
            actor = next((name for name in sub_folders(folder) if _ACTOR.fullmatch(name)), None)
            if actor is not None:
                files = find_files(folder / actor, _SUFFIXES, max_depth=0)
                return any(_FILE.fullmatch(os.path.basename(file)) for file in files)  # noqa: PTH119
    except (DataError, OSError):
        pass
    return False


def open_ravdess(path: Path, options: Mapping[str, Any]) -> Dataset:
    """List the spoken clips, wherever below the folder they lie.

    Args:
        path: Folder of the actors' folders, or one above.
        options: `calm`: `"drop"` leaves the calm clips out, `"neutral"` counts them as neutral;
            `synonyms`: labels that should mean another class.

    Raises:
        DataError: There is no spoken clip.
    """
    root = Path(path).absolute()
    clips, problems, notes = _clips(sorted(find_files(root, _SUFFIXES)))
    if not clips:
        raise DataError(
            "holds no RAVDESS speech (Actor_01/03-01-06-01-02-01-12.wav)",
            where=str(root),
            hint="unpack Audio_Speech_Actors_01-24.zip there",
            code="data.layout",
        )
    counts = Counter(EMOTION_CODES[fields[2]] for fields in clips.values())
    calm = str(options.get("calm", "drop"))
    label_of = map_labels(counts, str(root), options.get("synonyms"), calm)
    if label_of.get("calm", "") is None:
        notes.append(f"{counts['calm']} calm clips left out")
    elif "calm" in counts:
        notes.append(f"{counts['calm']} calm clips counted as {label_of['calm']}")
    items = [
        _item(file, fields, label)
        for file, fields in clips.items()
        if (label := label_of[EMOTION_CODES[fields[2]]]) is not None
    ]
    return Dataset(
        NAME,
        root,
        items,
        licence=LICENCE,
        citation=CITATION,
        group_kind="speaker",
        problems=problems,
        notes=notes,
    )


def _clips(files: Iterable[str]) -> tuple[dict[str, tuple[str, ...]], list[Problem], list[str]]:
    """Fields of each spoken clip by path; the common download holds every clip twice, so once each."""
    clips: dict[str, tuple[str, ...]] = {}
    problems: list[Problem] = []
    seen: set[tuple[str, ...]] = set()
    left_out: Counter[str] = Counter()
    for file in files:
        match = _FILE.fullmatch(os.path.basename(file))  # noqa: PTH119 - 10x a Path's speed
        if match is None:
            problems.append(Problem(file, "is not named as RAVDESS names its clips (03-01-06-01-02-01-12.wav)"))
            continue
        fields = match.groups()
        modality, channel, emotion, *_, actor = fields
        if channel == "02":
            left_out["song clips left out"] += 1
        elif modality == "02":
            left_out["video-only clips left out"] += 1
        elif channel != "01" or modality not in ("01", "03") or emotion not in EMOTION_CODES:
            problems.append(Problem(file, "its name holds a code that RAVDESS doesn't define"))
        elif int(actor) not in _FOLD_OF:
            problems.append(Problem(file, f"RAVDESS has no actor {int(actor)}"))
        elif fields[1:] in seen:
            left_out["further copies of the same clips left out"] += 1
        else:
            seen.add(fields[1:])
            clips[file] = fields
    return clips, problems, [f"{count} {what}" for what, count in sorted(left_out.items())]


def _item(file: str, fields: tuple[str, ...], label: str) -> Item:
    _, _, emotion, intensity, statement, repetition, actor = fields
    extra = {
        "sex": "male" if int(actor) % 2 else "female",
        "emotion": EMOTION_CODES[emotion],
        "intensity": "strong" if intensity == "02" else "normal",
        "statement": statement,
        "repetition": repetition,
    }
    return Item(file, label, f"Actor_{actor}", fold=_FOLD_OF[int(actor)], extra=extra)
