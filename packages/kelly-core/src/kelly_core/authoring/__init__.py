"""Writes new plugin packages from templates."""

from kelly_core.authoring.new import KINDS, new_plugin

__all__ = ["KINDS", "new_plugin"]
