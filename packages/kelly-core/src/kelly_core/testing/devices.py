"""Rules about devices."""

from __future__ import annotations

from kelly_core.testing.rules import BrokenRuleError, rule
from kelly_core.testing.subject import Subject


@rule(
    "device",
    why="every training asks each device; one that raises, or says no without a reason, helps nobody",
    mend="catch what the driver raises and return DeviceReport(name, available=False, reason=...)",
)
def probe_reports(subject: Subject) -> str:
    """The probe returns a report under the device's name, with a reason where it isn't available."""
    from kelly_core.devices.probe import DeviceReport

    try:
        report = subject.device.probe.resolve()()
    except Exception as error:
        raise BrokenRuleError(f"the probe raised {type(error).__name__}: {error}") from error
    if not isinstance(report, DeviceReport):
        raise BrokenRuleError(f"the probe returned a {type(report).__name__}")
    if report.name != subject.device.name:
        raise BrokenRuleError(f"the report is about {report.name!r}")
    if not report.available and not report.reason:
        raise BrokenRuleError("it isn't available, and no reason is given")
    return "available" if report.available else f"not here: {report.reason}"
