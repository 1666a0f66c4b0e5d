"""Two layouts: a folder of MIDI files with key signatures, and POP909. Tunes that are one stay on one side."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from kelly_core.data import Dataset, Item, Problem
from kelly_core.data.listing import find_files
from kelly_core.errors import DataError
from kelly_core.features.midi import SUFFIXES, read_midi
from kelly_core.features.midi.tunes import same_tunes, tune_runs

from kelly_chroma_key.chroma import AUDIO_KEYS, signature_of
from kelly_chroma_key.keys import LABELS, number_of

_NUMBER = re.compile(r"\d{3}")


def recognises_signatures(path: Path) -> bool:
    """Whether MIDI files lie here, in another layout than POP909's."""
    try:
        return not recognises_pop909(path) and bool(_candidates(Path(path)))
    except (DataError, OSError):
        return False


def open_signatures(path: Path, options: Mapping[str, Any]) -> Dataset:
    """List files that hold a key signature: those right in the folder, or all below where there is none.

    Args:
        path: The folder.
        options: None are used.

    Raises:
        DataError: No file can be used.
    """
    root = Path(path).absolute()
    files = _candidates(root) if root.is_dir() else []
    return _listed("midi-key-signatures", root, files, {})


def recognises_pop909(path: Path) -> bool:
    """Whether numbered folders with a song and its `key_audio.txt` lie here, or in a folder `POP909`."""
    return _find_songs(Path(path)) is not None


def open_pop909(path: Path, options: Mapping[str, Any]) -> Dataset:
    """List the songs, with the key that their `key_audio.txt` names.

    Args:
        path: The folder of the numbered folders, or one above.
        options: None are used.

    Raises:
        DataError: There is no such folder, or no song of it can be used.
    """
    root = _find_songs(Path(path).absolute())
    if root is None:
        raise DataError(
            f"holds no numbered folders with a song and its {AUDIO_KEYS}",
            where=str(path),
            hint="unpack POP909 there: 001/001.mid, 001/key_audio.txt, ...",
            code="data.layout",
        )
    songs = [folder / f"{folder.name}.mid" for folder in sorted(root.iterdir()) if _is_song(folder)]
    return _listed("pop909-keys", root, songs, {"keys_from": AUDIO_KEYS})


def _candidates(root: Path) -> list[Path]:
    direct = sorted(file for file in root.iterdir() if file.suffix.lower() in SUFFIXES and file.is_file())
    return direct or sorted(map(Path, find_files(root, SUFFIXES)))


def _find_songs(path: Path) -> Path | None:
    try:
        for folder in (path, path / "POP909"):
            if folder.is_dir() and any(_is_song(child) for child in folder.iterdir()):
                return folder
    except OSError:
        return None
    return None


def _is_song(folder: Path) -> bool:
    named = _NUMBER.fullmatch(folder.name) is not None
    return named and (folder / f"{folder.name}.mid").is_file() and (folder / AUDIO_KEYS).is_file()


def _listed(name: str, root: Path, files: Sequence[Path], extra: Mapping[str, str]) -> Dataset:
    usable, problems, runs, labels = [], [], [], []
    for file in files:
        found = _looked_at(str(file), file.stat().st_mtime_ns, signed="keys_from" not in extra)
        if isinstance(found, str):
            problems.append(Problem(str(file), found))
        else:
            usable.append(file)
            runs.append(found[0])
            labels.append(found[1])
    if not usable:
        hint = f"the first: {problems[0]}" if problems else "give a folder of MIDI files with key signatures"
        raise DataError("holds no file whose key is known", where=str(root), hint=hint, code="data.empty")
    tunes = same_tunes(runs)
    items = [
        Item(str(file), label=label, group=usable[tune].stem, extra=dict(extra))
        for file, label, tune in zip(usable, labels, tunes, strict=True)
    ]
    twice = len(tunes) - len(set(tunes))
    notes = [f"{twice} files are tunes that others hold too; each tune stays on one side"] if twice else []
    return Dataset(name, root, items, group_kind="tune", problems=problems, notes=notes)


@lru_cache(maxsize=20_000)
def _looked_at(path: str, mtime_ns: int, *, signed: bool) -> tuple[frozenset[int], str] | str:
    """The runs of a file's tune and the key it begins with ("" where it isn't in the file); or why not."""
    try:
        midi = read_midi(Path(path))
    except DataError as error:
        return error.message
    key = signature_of(midi)
    if not len(midi.notes):
        return "it holds no notes"
    if signed and key is None:
        return "it holds no key signature"
    return tune_runs(midi.notes), LABELS[number_of(key)] if signed and key is not None else ""
