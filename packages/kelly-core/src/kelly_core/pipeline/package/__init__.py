"""A trained model as an installable package: what goes in, how it is laid out, and the wheel of it."""

from kelly_core.pipeline.package.plan import Plan, plan_package
from kelly_core.pipeline.package.wheel import write_wheel

__all__ = ["Plan", "plan_package", "write_wheel"]
