"""For pytest: each rule that a plugin has to keep as a test of its own. Does nothing unless a plugin is named.

pytest loads this wherever kelly-core is installed, so that it imports nothing before it is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from kelly_core.testing.report import Result
    from kelly_core.testing.rules import Rule
    from kelly_core.testing.subject import Subject


class FailedRuleError(Exception):
    """A rule is broken; carries what the check found."""

    def __init__(self, result: Result) -> None:
        super().__init__(str(result))
        self.result = result


class PluginNode(pytest.Collector):
    """A model, dataset, exporter, device or observer: a test for each rule that concerns it."""

    subject: Subject
    train: bool

    def collect(self) -> Iterator[pytest.Item]:
        """One test per rule, in the order of `kelly plugin check`."""
        from kelly_core.testing.check import rules_for

        for rule in rules_for(self.subject):
            item: RuleItem = RuleItem.from_parent(self, name=rule.name)
            item.rule = rule
            item.add_marker(pytest.mark.xdist_group(f"kelly {self.name}"))  # what rules share is made once
            if rule.cost == "trains":
                item.add_marker(pytest.mark.slow)
            yield item


class RuleItem(pytest.Item):
    """One rule."""

    rule: Rule

    def runtest(self) -> None:
        """Try the rule.

        Raises:
            FailedRuleError: It is broken.
        """
        from kelly_core.testing.check import try_rule

        assert isinstance(self.parent, PluginNode)
        result = try_rule(self.rule, self.parent.subject, train=self.parent.train)
        if result.verdict == "skip":
            pytest.skip(result.detail)
        if result.verdict == "fail":
            raise FailedRuleError(result)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """What is wrong, why the rule exists, how to mend it; no traceback of ours."""
        if isinstance(excinfo.value, FailedRuleError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[str, int | None, str]:
        """The plugin and the rule, for headings."""
        assert self.parent is not None
        return self.nodeid.partition("::")[0], None, f"{self.parent.name}: {self.name}"


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--kelly-plugin` and what goes with it; the same as settings of the project."""
    group = parser.getgroup("kelly", "Kelly: rules that plugins keep")
    group.addoption(
        "--kelly-plugin",
        action="append",
        metavar="NAME",
        help="Try Kelly's rules on an installed plugin, or on all that a package brings; repeat it.",
    )
    group.addoption(
        "--kelly-set", action="append", metavar="KEY=VALUE", help="A setting for training; repeat it."
    )
    group.addoption("--kelly-no-train", action="store_true", help="Skip the rules that train a model.")
    parser.addini("kelly_plugins", "Plugins or packages that --kelly-plugin names.", "args")
    parser.addini("kelly_set", "Settings that --kelly-set gives.", "args")


def pytest_configure(config: pytest.Config) -> None:
    """The marks that rules bear, for --strict-markers."""
    if _wanted(config):
        config.addinivalue_line("markers", "slow: takes more than a few seconds")
        config.addinivalue_line("markers", "xdist_group(name): runs in one process with its likes")


@pytest.hookimpl(tryfirst=True)  # before -k and -m choose
def pytest_collection_modifyitems(
    session: pytest.Session, config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Append the rules of every plugin that is named."""
    names = _wanted(config)
    if not names:
        return
    from kelly_core.errors import KellyError
    from kelly_core.testing.check import find_subjects

    sets = [*config.getini("kelly_set"), *(config.getoption("--kelly-set") or [])]
    folders = ExitStack()
    config.add_cleanup(folders.close)
    for name in dict.fromkeys(names):
        try:
            subjects = folders.enter_context(find_subjects(name, sets=sets))
        except KellyError as error:
            raise pytest.UsageError(f"--kelly-plugin {name}: {error}") from None
        for subject in subjects:
            title = f"{subject.entry.qualified} ({subject.entry.kind})"
            node: PluginNode = PluginNode.from_parent(session, name=title, nodeid=title)
            node.subject, node.train = subject, not config.getoption("--kelly-no-train")
            found = list(node.collect())
            report = pytest.CollectReport(node.nodeid, "passed", None, [*found])
            config.hook.pytest_collectreport(report=report)  # who counts tests counts these, too
            items += found


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a process of pytest-xdist, which can't tell arguments from settings, what was named."""
    node.workerinput["kelly_plugins"] = _wanted(node.config)


def _wanted(config: pytest.Config) -> list[str]:
    """Plugins named by the option, and by the project's settings unless single tests were asked for."""
    told = getattr(config, "workerinput", {}).get("kelly_plugins")
    if told is not None:
        return list(told)
    named: list[str] = list(config.getoption("--kelly-plugin") or [])
    settings: list[str] = config.getini("kelly_plugins")
    if settings and config.args_source is not pytest.Config.ArgsSource.ARGS:
        named += settings
    return named
