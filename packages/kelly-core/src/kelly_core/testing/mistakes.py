"""Rules about what happens when a user makes a mistake."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from kelly_core.data.dataset import Dataset
from kelly_core.errors import ConfigError, KellyError
from kelly_core.testing.rules import BrokenRuleError, NotApplicableError, rule
from kelly_core.testing.subject import Subject, child_environment

PREDICT_LIMIT_S = 120.0
"""Longest time in which a predict command may find out that it can't go on."""


@rule(
    "model",
    why="a traceback tells a user nothing; an error says what is wrong, where, and what to do",
    mend="let pydantic check settings by type and range; raise ConfigError from validators",
    about_training=True,
)
def wrong_settings_are_errors_of_ours(subject: Subject) -> None:
    """Settings of a wrong type or out of range end with a ConfigError."""
    from kelly_core.config.resolve import resolve

    for given in ("epochs=many", "learning_rate=-1", "batch_size=0", "split.validation=2"):
        try:
            resolve(subject.model.config_class(), sets=[given])
        except ConfigError as error:
            if not error.message:
                raise BrokenRuleError(f"the error about {given} says nothing") from error
            continue
        raise BrokenRuleError(f"{given} was accepted")


@rule(
    "model",
    why="people give wrong files all the time; a script tells them from failures of ours by the exit code",
    mend="raise kelly_core.errors.DataError over a file that can't be used, and a KellyError without a model",
)
def unusable_files_are_errors_of_ours(subject: Subject) -> str:
    """`kelly predict` on a file that holds nothing usable ends with 2 and an error of Kelly's."""
    if subject.model.predict is None:
        raise NotApplicableError("it brings no `kelly predict` command")
    file = subject.empty_folder("unusable") / "unusable.wav"
    file.write_text("neither sound nor notes")
    done = run_predict(subject, file)
    said = done.stderr.strip()
    if done.returncode != 2 or "Traceback" in said or not said:
        last = (said.splitlines() or ["nothing"])[-1]
        raise BrokenRuleError(f"it ended with {done.returncode} and said: {last}")
    return said.splitlines()[0]


@rule(
    "dataset",
    why="a traceback tells a user nothing; an error says what is wrong, where, and what to do",
    mend="raise kelly_core.errors.DataError with `where` and `hint` from the opener",
)
def unusable_folders_are_errors_of_ours(subject: Subject) -> None:
    """Opening a folder that holds nothing usable, or can't be written to, ends with an error of Kelly's."""
    opener = subject.dataset.opener.resolve()
    empty, junk = subject.empty_folder("empty"), subject.empty_folder("junk")
    notes = junk / "notes.txt"
    notes.write_text("nothing of use")
    # Built-in data is written into any folder, so that only a place where there can be none is of no use.
    places = (notes, notes / "inside") if subject.dataset.builtin else (empty, junk, empty / "missing")
    for place in places:
        try:
            opener(place, {})
        except KellyError:
            continue
        except Exception as error:
            raise BrokenRuleError(f"{place.name}: it raised {type(error).__name__}: {error}") from error
        raise BrokenRuleError(f"{place.name}: it was opened as if it held something")


@rule(
    "dataset",
    why="every dataset plugin is asked about a user's folder; one that raises would hide the others",
    mend="look at names only, and return False for whatever can't be looked at",
)
def recognising_never_raises(subject: Subject) -> str:
    """`recognises` tells its own layout from folders that don't have it, and never raises."""
    if subject.dataset.recognises is None:
        raise NotApplicableError("it recognises nothing: --dataset names it")
    recognises = subject.dataset.recognises.resolve()
    empty = subject.empty_folder("blank")
    file = subject.workspace.root / "file.txt"
    file.write_text("a file")
    for path in (empty, empty / "missing", file):
        if recognises(path) is not False:
            raise BrokenRuleError(f"it recognises {path.name!r}, which has no layout at all")
    own = _own_folder(subject)
    if own is None:
        return "foreign folders only: its own comes with --data FOLDER"
    if recognises(own) is not True:
        raise BrokenRuleError(f"it doesn't recognise {str(own)!r}")
    return "its own folder, and no other"


def _own_folder(subject: Subject) -> Path | None:
    if subject.data is not None:
        return subject.data
    opened = subject.opened if subject.dataset.builtin else None
    return opened.root if isinstance(opened, Dataset) else None


def run_predict(subject: Subject, file: Path) -> subprocess.CompletedProcess[str]:
    """`kelly predict` of the model on a file, in a process of its own in the subject's workspace."""
    command = [sys.executable, "-m", "kelly_core.cli", "predict", subject.entry.qualified, str(file)]
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        timeout=PREDICT_LIMIT_S,
        env=child_environment(KELLY_WORKSPACE=str(subject.workspace.root)),
    )
