"""Put an installed plugin through every rule that concerns it."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from kelly_core.errors import KellyError, PluginError
from kelly_core.plugins import PluginHost
from kelly_core.progress import Progress, Silent
from kelly_core.testing import (
    configs,
    datasets,
    declared,
    devices,
    exporters,
    exports,
    light,
    mistakes,
    tensors,
    training,
    weights,
)
from kelly_core.testing.report import Report, Result
from kelly_core.testing.rules import RULES, BrokenRuleError, NotApplicableError, Rule
from kelly_core.testing.subject import Subject
from kelly_core.workspace import Workspace

ORDER = (declared, light, configs, mistakes, weights, datasets, tensors, training, exports, exporters, devices)
"""Groups of rules in the order they are tried; importing them enters their rules."""


def check_plugin(
    name: str, *, train: bool = True, sets: Sequence[str] = (), progress: Progress | None = None
) -> Report:
    """Try every rule on the plugins called `name`, in a temporary workspace.

    Args:
        name: Of a plugin, `distribution:name`, or of a package: then of everything that it brings.
        train: Whether to try the rules that train the model.
        sets: Settings for training as after `--set`, to make a large model small.
        progress: Where each rule is announced.

    Raises:
        PluginError: Nothing of this name is installed.
    """
    host = PluginHost(on_failure=lambda _: None)
    entries = [
        e for e in host.entries if name in (e.name, e.qualified, e.distribution) and e.kind != "observer"
    ]
    if not entries:
        raise PluginError(
            f"no plugin or package {name!r} is installed",
            hint="see `kelly list`; a package is installed with `pip install -e FOLDER`",
        )
    results: list[Result] = []
    for entry in entries:
        with tempfile.TemporaryDirectory(prefix="kelly-check-") as folder:
            subject = Subject(entry, host, Workspace(Path(folder).resolve()), tuple(sets))
            results += _check(subject, train=train, progress=progress or Silent())
    return Report(name, results)


def ordered_rules() -> list[Rule]:
    """All rules in the order they are tried."""
    places = [group.__name__ for group in ORDER]
    return sorted(RULES.values(), key=lambda rule: places.index(rule.check.__module__))


def _check(subject: Subject, *, train: bool, progress: Progress) -> list[Result]:
    results: list[Result] = []
    rules = [rule for rule in ordered_rules() if subject.entry.kind in rule.kinds]
    for rule in rules:
        progress.say(f"{subject.title}: {rule.name}")
        if reason := _left_out(rule, subject, train=train):
            results.append(Result(subject.title, rule.name, "skip", reason))
            continue
        results.append(_try(rule, subject))
        if results[-1].verdict == "fail" and rule.check in declared.FATAL:
            break  # a plugin that doesn't load can't be asked anything else
    return results


def _left_out(rule: Rule, subject: Subject, *, train: bool) -> str:
    """Why a rule isn't tried; empty where it is."""
    if rule.about_training and subject.pretrained is not None:
        return "it is only run, not trained"
    return "training was left out" if rule.cost == "trains" and not train else ""


def _try(rule: Rule, subject: Subject) -> Result:
    started = time.monotonic()
    try:
        detail = rule.check(subject) or ""
    except NotApplicableError as reason:
        return Result(subject.title, rule.name, "skip", str(reason))
    except BrokenRuleError as broken:
        problem = str(broken)
    except KellyError as error:
        problem = f"it stopped with: {' '.join(str(error).split())}"
    except Exception as error:  # noqa: BLE001 - somebody's plugin; the other rules must go on
        problem = f"it raised {_place(error)}"
    else:
        return Result(subject.title, rule.name, "pass", detail, seconds=time.monotonic() - started)
    seconds = time.monotonic() - started
    return Result(subject.title, rule.name, "fail", problem, rule.why, rule.mend, seconds)


def _place(error: Exception) -> str:
    """The exception with the innermost file and line, which is what an author looks for first."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = f" at {trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace is not None else ""
    return f"{type(error).__name__}: {error}{where}"
