"""Put an installed plugin through every rule that concerns it."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from kelly_core.catalog import read_catalog
from kelly_core.errors import KellyError, PluginError, UserError
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
    observers,
    tensors,
    training,
    weights,
)
from kelly_core.testing.report import Report, Result
from kelly_core.testing.rules import RULES, BrokenRuleError, NotApplicableError, Rule
from kelly_core.testing.subject import Subject
from kelly_core.workspace import Workspace

ORDER = (
    declared,
    light,
    configs,
    mistakes,
    weights,
    datasets,
    tensors,
    training,
    exports,
    exporters,
    devices,
    observers,
)
"""Groups of rules in the order they are tried; importing them enters their rules."""
ONLY_RUN = "it is only run, not trained"
"""Why a rule doesn't concern a model whose weights come from elsewhere."""


def check_plugin(
    name: str,
    *,
    train: bool = True,
    sets: Sequence[str] = (),
    data: Path | None = None,
    rules: Collection[str] | None = None,
    progress: Progress | None = None,
) -> Report:
    """Try every rule on the plugins called `name`, in a temporary workspace.

    Args:
        name: Of a plugin, `distribution:name`, or of a package: then of everything that it brings.
        train: Whether to try the rules that train the model.
        sets: Settings for training as after `--set`, to make a large model small.
        data: Folder that the dataset opens, or that the model trains on, instead of built-in data.
        rules: Names of the rules to try; None for all that concern the plugin.
        progress: Where each rule is announced.

    Raises:
        PluginError: Nothing of this name is installed.
        UserError: There is no such rule, or it isn't clear whose data `data` is.
    """
    unknown = sorted(set(rules or ()) - set(RULES))
    if unknown:
        raise UserError(f"there is no rule {unknown[0]!r}", where=name, hint=f"rules are {', '.join(RULES)}")
    results: list[Result] = []
    with find_subjects(name, sets=sets, data=data) as subjects:
        for subject in subjects:
            for rule in rules_for(subject):
                if rules is not None and rule.name not in rules:
                    continue
                (progress or Silent()).say(f"{subject.title}: {rule.name}")
                results.append(try_rule(rule, subject, train=train))
                if subject.blocked:
                    break
    return Report(name, results)


@contextmanager
def find_subjects(name: str, *, sets: Sequence[str] = (), data: Path | None = None) -> Iterator[list[Subject]]:
    """The plugins called `name`, each with a workspace that is gone afterwards.

    Args:
        name: As for `check_plugin`.
        sets: Settings for training.
        data: Folder for the one dataset or model.

    Raises:
        PluginError: Nothing of this name is installed.
        UserError: It isn't clear whose data `data` is.
    """
    host = PluginHost(on_failure=lambda _: None)
    entries = [e for e in host.entries if name in (e.name, e.qualified, e.distribution)]
    if not entries:
        trained = [e for e in read_catalog(("trained",)) if name in (e.name, e.qualified, e.distribution)]
        if trained:
            raise PluginError(
                f"{name!r} is a trained model, no plugin",
                hint=f"`kelly verify {trained[0].qualified}` checks what it computes, `kelly doctor` its files",
            )
        raise PluginError(
            f"no plugin or package {name!r} is installed",
            hint="see `kelly list`; a package is installed with `pip install -e FOLDER`",
            code="plugin.missing",
        )
    takers = [e for e in entries if e.kind in ("model", "dataset")]
    if data is not None and len(takers) != 1:
        named = ", ".join(repr(e.qualified) for e in takers) or "none of its plugins"
        raise UserError(
            f"{name!r} brings {len(takers)} models and datasets",
            where="--data",
            hint=f"say whose data it is: {named}",
        )
    with tempfile.TemporaryDirectory(prefix="kelly-check-") as folder:
        subjects = []
        for at, entry in enumerate(entries):
            place = Path(folder).resolve() / str(at)
            place.mkdir()
            subjects.append(Subject(entry, host, Workspace(place), tuple(sets), data and data.absolute()))
        yield subjects


def ordered_rules() -> list[Rule]:
    """All rules in the order they are tried."""
    places = [group.__name__ for group in ORDER]
    return sorted(RULES.values(), key=lambda rule: places.index(rule.check.__module__))


def rules_for(subject: Subject) -> list[Rule]:
    """The rules that concern a plugin, in the order they are tried."""
    return [rule for rule in ordered_rules() if subject.entry.kind in rule.kinds]


def try_rule(rule: Rule, subject: Subject, *, train: bool = True) -> Result:
    """Try one rule; whatever the plugin raises is the finding.

    Args:
        rule: The rule.
        subject: The plugin; what rules need in common is made once.
        train: Whether to try it if it trains the model.
    """
    if subject.blocked:
        return Result(subject.title, rule.name, "skip", f"{subject.blocked} is broken")
    result = _tried(rule, subject, train=train)
    if result.verdict == "fail" and rule.check in declared.FATAL:
        subject.blocked = rule.name  # a plugin that doesn't load can't be asked anything else
    return result


def _tried(rule: Rule, subject: Subject, *, train: bool) -> Result:
    started = time.monotonic()
    try:
        if rule.about_training and subject.pretrained is not None:
            raise NotApplicableError(ONLY_RUN)
        if rule.cost == "trains" and not train:
            raise NotApplicableError("training was left out")
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
