"""Convert a folder of sound files to what training reads fastest: 16 kHz mono WAV, 16 bits, a second to ten.

The source is only read. Each target is written whole and noted in a journal beside them, so an import that
was stopped goes on where it was, and one run again converts only what is new.
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Generator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import soundfile
from numpy.typing import NDArray

from kelly_core import atomic
from kelly_core.data.audio_files import CONVERTIBLE, READABLE, read_audio
from kelly_core.data.dataset import Problem
from kelly_core.data.listing import find_files
from kelly_core.data.metadata import Metadata, find_metadata, read_metadata
from kelly_core.errors import DataError, KellyError
from kelly_core.features.cache import file_state
from kelly_core.progress import Progress, Silent

JOURNAL = ".kelly-import.jsonl"


@dataclass(frozen=True, slots=True)
class ImportSettings:
    """What files become.

    Attributes:
        sample_rate: In Hz.
        shortest: Shorter clips get silence at their end, in s.
        longest: Longer clips lose their end, in s.
    """

    sample_rate: int = 16_000
    shortest: float = 1.0
    longest: float = 10.0

    def __post_init__(self) -> None:
        if not 0.1 <= self.shortest <= self.longest <= 60.0:
            raise DataError(
                f"clips can't be made {self.shortest:g} to {self.longest:g} s long",
                hint="choose 0.1 s <= shortest <= longest <= 60 s; 1 to 10 s is usual",
            )


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import did.

    Attributes:
        converted: Files written now.
        unchanged: Files that an earlier import had written from the same source and settings.
        padded, truncated: How many of those written now were too short or too long.
        problems: Files that can't be used, with reasons.
    """

    converted: int
    unchanged: int
    padded: int
    truncated: int
    problems: list[Problem]


def import_folder(
    source: str | Path,
    target: str | Path,
    settings: ImportSettings | None = None,
    progress: Progress | None = None,
    workers: int = 1,
) -> ImportReport:
    """Convert every sound file below `source` to the same place below `target`.

    A `metadata.csv` or `metadata.json` is carried over with the new file names.

    Args:
        source: A folder; never written to.
        target: A folder, made if needed; neither may lie in the other.
        settings: Rate and lengths.
        progress: Where the work reports.
        workers: Threads; decoding and resampling leave Python's lock.

    Raises:
        DataError: The source holds no sound, or the folders overlap.
        KellyError: The target can't be written.
    """
    settings = settings or ImportSettings()
    source, target = _checked_folders(Path(source), Path(target))
    listed = read_metadata(found) if (found := find_metadata(source)) else None
    jobs, problems = _plan(source, target)
    if not jobs:
        raise DataError("holds no sound files", where=str(source), hint="check the path", code="data.empty")
    journal = _read_journal(target)
    todo = [job for job in jobs if not _is_done(job, journal, settings)]
    lengths: list[float] = []
    try:
        target.mkdir(parents=True, exist_ok=True)
        # Closing ends the threads at once when the loop is left by Ctrl-C or an error.
        with _open_journal(target) as log, closing(_convert_all(todo, settings, workers)) as results:
            for done in (progress or Silent()).track(results, "import", len(todo)):
                if done.reason:
                    problems.append(Problem(str(done.job.source), done.reason))
                    continue
                lengths.append(done.seconds)
                log.write(json.dumps(_journal_entry(done, settings)) + "\n")
                log.flush()
    except OSError as error:
        raise KellyError(
            f"the import can't write: {error.strerror or error}",
            where=str(target),
            hint="free some space or choose another target, then run the same command again to go on",
            code="failure.write",
        ) from error
    if listed is not None:
        _write_metadata(listed, source, target)
    return ImportReport(
        len(lengths),
        len(jobs) - len(todo),
        sum(seconds < settings.shortest for seconds in lengths),
        sum(seconds > settings.longest for seconds in lengths),
        sorted(problems, key=lambda problem: problem.path),
    )


@dataclass(frozen=True, slots=True)
class _Job:
    name: str
    source: Path
    target: Path


@dataclass(frozen=True, slots=True)
class _Done:
    job: _Job
    state: tuple[int, int] | None = None
    seconds: float = 0.0
    reason: str = ""


def fit_length(samples: NDArray[np.float32], shortest: int, longest: int) -> NDArray[np.float32]:
    """Cut the end off, or add silence there, so that (samples,) lies in `shortest..longest` samples."""
    return np.pad(samples[:longest], (0, max(0, shortest - len(samples))))


def _checked_folders(source: Path, target: Path) -> tuple[Path, Path]:
    source, target = source.expanduser().resolve(), target.expanduser().resolve()
    if not source.is_dir():
        raise DataError(
            "there is no such folder",
            where=str(source),
            hint="give the folder to import",
            code="data.no-folder",
        )
    if source.is_relative_to(target) or target.is_relative_to(source):
        raise DataError(
            f"source and target overlap: the target is {target}",
            where=str(source),
            hint="import from a folder outside of the target; the source is never written to",
        )
    return source, target


def _plan(source: Path, target: Path) -> tuple[list[_Job], list[Problem]]:
    jobs: dict[Path, _Job] = {}
    problems: list[Problem] = []
    for file in sorted(find_files(source, READABLE | CONVERTIBLE)):
        name = os.path.relpath(file, source)
        to = (target / name).with_suffix(".wav")
        if to in jobs:
            other = jobs[to].name
            problems.append(Problem(file, f"would become the same file as {other!r}; rename one of them"))
        else:
            jobs[to] = _Job(name, Path(file), to)
    return list(jobs.values()), problems


def _convert_all(jobs: list[_Job], settings: ImportSettings, workers: int) -> Generator[_Done, None, None]:
    with ThreadPoolExecutor(max(1, workers)) as pool:
        futures = [pool.submit(_convert, job, settings) for job in jobs]
        try:
            for future in as_completed(futures):
                yield future.result()
        finally:  # after Ctrl-C or a full disk: finish what is under way, begin nothing more
            pool.shutdown(cancel_futures=True)


def _convert(job: _Job, settings: ImportSettings) -> _Done:
    state = file_state(str(job.source))
    rate = settings.sample_rate
    try:
        samples = _decode(job.source, rate)
    except DataError as error:
        return _Done(job, reason=error.message)
    fitted = fit_length(samples, round(settings.shortest * rate), round(settings.longest * rate))
    fitted = fitted / max(1.0, float(np.abs(fitted).max()))  # a float file may be louder than 16 bits can hold
    whole = np.clip(np.rint(fitted * 32768.0), -32768, 32767).astype(np.int16)
    with atomic.replacing(job.target) as part:
        soundfile.write(part, whole, rate, subtype="PCM_16", format="WAV")
    return _Done(job, state, len(samples) / rate)


def _decode(path: Path, rate: int) -> NDArray[np.float32]:
    """By libsndfile, else by librosa, which asks the decoders of the system (ffmpeg, Core Audio)."""
    try:
        return read_audio(path, rate)
    except DataError:
        if path.suffix.lower() not in CONVERTIBLE:
            raise
        try:
            import librosa

            samples, _ = librosa.load(path, sr=rate, mono=True)
        except Exception as error:  # noqa: BLE001 - each decoder has errors of its own
            reason = f"needs ffmpeg and kelly-core[train] to be read ({type(error).__name__})"
            raise DataError(reason, where=str(path), code="data.sound") from None
        return np.asarray(samples, dtype=np.float32)


def _journal_entry(done: _Done, settings: ImportSettings) -> dict[str, Any]:
    return {
        "source": str(done.job.source),
        "state": done.state,
        "settings": asdict(settings),
        "target": done.job.target.name,
        "written": file_state(str(done.job.target)),
    }


def _open_journal(target: Path) -> TextIO:
    """The journal at its end, on a new line even where a kill tore the last one."""
    journal = (target / JOURNAL).open("a+", encoding="utf-8")
    size = journal.tell()
    journal.seek(max(0, size - 1))
    if size and journal.read() != "\n":
        journal.write("\n")
    return journal


def _read_journal(target: Path) -> dict[str, dict[str, Any]]:
    """The last entry of each source; a line torn by a kill is passed over."""
    entries: dict[str, dict[str, Any]] = {}
    try:
        lines = (target / JOURNAL).read_text(encoding="utf-8").splitlines()
    except OSError:
        return entries
    for line in lines:
        try:
            entry = json.loads(line)
            entries[entry["source"]] = entry
        except (ValueError, KeyError, TypeError):
            continue
    return entries


def _is_done(job: _Job, journal: Mapping[str, Any], settings: ImportSettings) -> bool:
    entry = journal.get(str(job.source))
    return entry is not None and (
        entry["state"] == list(file_state(str(job.source)) or ())
        and entry["settings"] == asdict(settings)
        and entry["written"] == list(file_state(str(job.target)) or ())
    )


def _write_metadata(listed: Metadata, source: Path, target: Path) -> None:
    extras = sorted({name for row in listed.rows for name in row.extra})
    speaker = ["speaker"] if listed.has_speakers else []
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["file", "label", *speaker, "fold", "split", *extras])
    for row in listed.rows:
        name = Path(row.path).relative_to(source).with_suffix(".wav")
        if (target / name).exists():
            cells = [name.as_posix(), row.label, *([row.group] if speaker else [])]
            extra = [row.extra.get(column, "") for column in extras]
            writer.writerow([*cells, row.fold or "", row.split or "", *extra])
    atomic.write_text(target / "metadata.csv", text.getvalue())
