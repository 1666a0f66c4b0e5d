"""Tells observers what a run does; one that raises is logged and muted for the rest of that run."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pluggy

OBSERVER_HOOKS = (
    "kelly_run_started",
    "kelly_epoch_finished",
    "kelly_checkpoint_saved",
    "kelly_export_verified",
    "kelly_run_finished",
)
log = logging.getLogger(__name__)


class Observers:
    """Everyone who watches one run; make one per run with `PluginHost.notifier()`.

    Args:
        manager: The plugin manager whose loaded plugins are told.
    """

    def __init__(self, manager: pluggy.PluginManager) -> None:
        self._manager = manager
        self.muted: set[str] = set()

    def call(self, hook: str, **arguments: Any) -> None:
        """Call an observer hook of every plugin that isn't muted, in the order of registration.

        Args:
            hook: One of `OBSERVER_HOOKS`.
            arguments: All arguments of its hookspec.

        Raises:
            ValueError: `hook` is no observer hook.
        """
        if hook not in OBSERVER_HOOKS:
            known = ", ".join(OBSERVER_HOOKS)
            raise ValueError(f"{hook!r} is no observer hook (known: {known})")
        for implementation in getattr(self._manager.hook, hook).get_hookimpls():
            name = implementation.plugin_name
            if name in self.muted:
                continue
            try:
                implementation.function(*(arguments[key] for key in implementation.argnames))
            except (Exception, SystemExit) as error:
                self.muted.add(name)
                said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
                log.warning("observer %s raised in %s and is muted for this run: %s", name, hook, said)
                log.debug("traceback of observer %s", name, exc_info=error)
