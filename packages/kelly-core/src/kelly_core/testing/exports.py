"""Rules about a trained model as programs use it: its files, its speed, what it says about bad files."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

from kelly_core.errors import KellyError
from kelly_core.testing.mistakes import run_predict
from kelly_core.testing.rules import BrokenRuleError, NotApplicableError, rule
from kelly_core.testing.subject import Subject

if TYPE_CHECKING:
    from kelly_core.errors import FormatError

CALLS = 20
EXIT_USER = 2
"""What a command ends with over a user's mistake."""


@rule(
    "model",
    why="what is shipped must compute what was trained",
    mend="see the case and output that differ; leave out of export_formats what can't carry the network",
    cost="trains",
)
def exports_pass_parity(subject: Subject) -> str:
    """Every declared format that is installed here computes what the trained model computes."""
    from kelly_core.pipeline.export import export_model, supported_formats

    formats = supported_formats(subject.model, subject.host)
    if not formats:
        raise NotApplicableError("no exporter of its formats is installed: pip install kelly-export")
    source = subject.prepared.sources.get("test") or subject.prepared.sources["validation"]
    refused: list[FormatError] = []
    results = export_model(subject.trained, subject.workspace, subject.host, formats, source, refused=refused)
    if not results:
        raise BrokenRuleError(f"no format carries it; the first says: {refused[0]}")
    found = [f"{one.format} {one.report.verdict}" for one in results]
    left = [name for name in formats if name not in {one.format for one in results}]
    found += [f"{name} can't carry it" for name in left]
    found += [f"{name} isn't installed" for name in subject.model.export_formats if name not in formats]
    return ", ".join(found)


@rule(
    "model",
    why="Kelly's models run in real time; a figure is shown, and how fast this machine is decides nothing",
    mend="state how long a call may take, in ms, as latency_budget_ms; shrink a network that is far above it",
    cost="trains",
)
def latency_is_reported(subject: Subject) -> str:
    """A budget is stated, and the network answers one item; the time is shown beside the budget."""
    from kelly_core.verify import from_reset

    budget = subject.model.latency_budget_ms
    if not (budget > 0 and math.isfinite(budget)):
        raise BrokenRuleError(f"latency_budget_ms is {budget!r}")
    inputs = from_reset(subject.contract, subject.examples[0])
    times = []
    for _ in range(CALLS):
        started = time.perf_counter()
        subject.runner.run(inputs)
        times.append(1000 * (time.perf_counter() - started))
    middle = sorted(times)[CALLS // 2]
    return f"{middle:.2f} ms in PyTorch; the budget is {budget:g} ms (`kelly bench` measures)"


@rule(
    "model",
    why="people drop any file on a program; a traceback tells them nothing, and hides the files that are good",
    mend="read the file before anything else, and raise DataError with `where` and `hint` over a bad one",
    cost="trains",
)
def bad_inputs_are_errors_of_ours(subject: Subject) -> str:
    """A file that is missing, empty or of another kind ends `infer_file` and `kelly predict` with an error."""
    found = []
    if subject.model.infer_file is not None:
        found.append(_infer_bad_files(subject))
    if subject.model.predict is not None:
        found.append(_predict_bad_file(subject))
    if not found:
        raise NotApplicableError("the model names neither infer_file nor predict")
    return "; ".join(found)


def _infer_bad_files(subject: Subject) -> str:
    from kelly_core.inference import Engine

    _require_contract(subject)
    engine = Engine(
        subject.model.model_id, runtime="torch", workspace=subject.workspace, host=subject.host
    ).load()
    assert subject.model.infer_file is not None
    infer = subject.model.infer_file.resolve()
    folder = subject.empty_folder("bad")
    (folder / "empty").write_bytes(b"")
    (folder / "text").write_text("neither sound nor notes")
    names = ("missing", "empty", "text", ".")
    for name in names:
        try:
            infer(engine, folder / name)
        except KellyError as error:
            if not error.message:
                raise BrokenRuleError(f"infer_file({name!r}): its error says nothing") from error
            continue
        except Exception as error:
            raise BrokenRuleError(f"infer_file({name!r}) raised {type(error).__name__}: {error}") from error
        raise BrokenRuleError(f"infer_file({name!r}) took it for a good file")
    return f"infer_file refused {len(names)}"


def _predict_bad_file(subject: Subject) -> str:
    _require_contract(subject)
    file = subject.empty_folder("bad") / "unreadable.mid"
    file.write_text("neither sound nor notes")
    done = run_predict(subject, file)
    last = (done.stderr.strip().splitlines() or ["nothing"])[-1]
    if done.returncode == 0:
        raise BrokenRuleError(f"kelly predict took {file.name!r} for a good file")
    if done.returncode != EXIT_USER or "Traceback" in done.stderr:
        raise BrokenRuleError(f"kelly predict ended with {done.returncode} over a bad file: {last}")
    if file.name not in done.stdout + done.stderr:
        return f"kelly predict wants more than a file ({last})"
    return "kelly predict said why"


def _require_contract(subject: Subject) -> None:
    """See to it that the workspace holds the trained model as `kelly predict` finds it."""
    place = subject.workspace.contract(subject.model.model_id)
    if not place.exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        subject.contract.save(place)
