"""Conformance: rules that every plugin keeps, ours and strangers', for tests and `kelly plugin check`."""

from kelly_core.testing.check import check_plugin, ordered_rules
from kelly_core.testing.checkpoints import untrained
from kelly_core.testing.report import Report, Result
from kelly_core.testing.rules import RULES, Rule

__all__ = ["RULES", "Report", "Result", "Rule", "check_plugin", "ordered_rules", "untrained"]
