"""Kelly's framework: find, train, check and ship small real-time music models."""

__version__ = "0.1.0"

API_VERSION = 1
"""Version of the plugin interface. A plugin module states the one it was written for as `KELLY_API`."""

OLDEST_API = 1
"""Oldest version of it that still works; docs/reference/api.md says what changes it, and for how long."""
