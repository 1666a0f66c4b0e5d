"""Level 1: import the plugin modules a command needs, each behind a fence of its own."""

from __future__ import annotations

import difflib
import importlib
import logging
import os
import sys
import traceback
from collections.abc import Callable, Iterable
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from functools import partial
from types import ModuleType
from typing import Any, Literal, TypeVar, cast

import pluggy

from kelly_core import API_VERSION, OLDEST_API, hookspecs
from kelly_core.catalog import Entry, Kind, find, read_catalog
from kelly_core.errors import KellyError, PluginError
from kelly_core.observers import Observers
from kelly_core.specs import AnySpec, DatasetSpec, DeviceSpec, ExporterSpec, ModelSpec

Phase = Literal["import", "api version", "hooks", "specs", "names"]
Spec = TypeVar("Spec", bound=AnySpec)

SUPPORTED_API = range(OLDEST_API, API_VERSION + 1)
HOOK_OF: dict[Kind, tuple[str, type]] = {
    "model": ("kelly_models", ModelSpec),
    "dataset": ("kelly_datasets", DatasetSpec),
    "exporter": ("kelly_exporters", ExporterSpec),
    "device": ("kelly_devices", DeviceSpec),
}
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PluginFailure:
    """A plugin that could not be used, kept as a value.

    Attributes:
        distribution, version, module: Whose it is.
        phase: How far it came.
        error: What it raised.
    """

    distribution: str
    version: str
    module: str
    phase: Phase
    error: BaseException

    def __str__(self) -> str:
        return f"plugin {self.distribution} {self.version} ({self.module}) {self.outcome}"

    @property
    def outcome(self) -> str:
        """How it failed, without saying whose it is."""
        if isinstance(self.error, KellyError):
            what = self.error.message
        else:
            what = ": ".join(filter(None, (type(self.error).__name__, str(self.error))))
        return f"failed at {self.phase}: {what}"

    @property
    def code(self) -> str:
        """The code of an error about it."""
        return "plugin.api" if self.phase == "api version" else "plugin.broken"

    @property
    def traceback(self) -> str:
        """The traceback as text, for `kelly doctor`."""
        return "".join(traceback.format_exception(self.error))


class _RejectedError(Exception):
    """A plugin broke a rule of ours; carries the phase."""

    def __init__(self, phase: Phase, error: BaseException) -> None:
        self.phase: Phase = phase
        self.error = error


@dataclass
class PluginHost:
    """Loads plugins on demand and hands out their specs.

    Args:
        entries: The catalog; read from the installed packages by default.
        on_failure: Called once for each plugin that fails without having been asked for.
    """

    entries: list[Entry] = field(default_factory=read_catalog)
    on_failure: Callable[[PluginFailure], None] = lambda failure: log.warning("%s", failure)

    def __post_init__(self) -> None:
        self.manager = pluggy.PluginManager(hookspecs.PROJECT)
        self.manager.add_hookspecs(hookspecs)
        self.failures: list[PluginFailure] = []
        self._loaded: dict[tuple[str, str], dict[Kind, dict[str, AnySpec]] | PluginFailure] = {}

    def model(self, name: str) -> ModelSpec:
        """The model with this name, `distribution:name`, model id or alias."""
        if any(entry.kind == "model" and name in (entry.name, entry.qualified) for entry in self.entries):
            return self._one("model", name, ModelSpec)
        specs = self._working("model", ModelSpec)
        found = {entry.qualified: spec for entry, spec in specs if name in (spec.model_id, *spec.aliases)}
        if len(found) == 1:
            return next(iter(found.values()))
        if len(found) > 1:
            names = ", ".join(repr(qualified) for qualified in found)
            raise PluginError(
                f"{name!r} means several models: {names}",
                hint="use one of these names",
                code="plugin.ambiguous",
            )
        return self._one("model", name, ModelSpec)  # raises, naming what is installed

    def dataset(self, name: str) -> DatasetSpec:
        """The dataset layout with this name."""
        return self._one("dataset", name, DatasetSpec)

    def exporter(self, name: str) -> ExporterSpec:
        """The exporter of this format."""
        return self._one("exporter", name, ExporterSpec)

    def device(self, name: str) -> DeviceSpec:
        """The device with this name."""
        return self._one("device", name, DeviceSpec)

    def specs(self, kind: Kind, spec_class: type[Spec]) -> list[Spec]:
        """Specs of every working plugin of a kind; broken ones are reported and left out.

        Raises:
            PluginError: A plugin is broken and `KELLY_STRICT_PLUGINS=1`.
        """
        return [spec for _, spec in self._working(kind, spec_class)]

    def notifier(self) -> Observers:
        """Observers of one run: plugins of kind `observer`, and loaded ones that implement run hooks."""
        for entry in self.entries:
            if entry.kind == "observer":
                self._load(entry)
        return Observers(self.manager)

    def probe(self, entry: Entry) -> PluginFailure | None:
        """Load one plugin and return its failure, if any, without reporting it (for `kelly doctor`)."""
        loaded = self._load(entry, report=False)
        return loaded if isinstance(loaded, PluginFailure) else None

    def spec_of(self, entry: Entry) -> AnySpec:
        """The spec behind a catalog entry of any kind but observer.

        Raises:
            PluginError: The plugin is broken.
        """
        loaded = self._load(entry, report=False)
        if isinstance(loaded, PluginFailure):
            hint = getattr(loaded.error, "hint", None) or "see `kelly doctor` for the traceback"
            raise PluginError(str(loaded), hint=hint, code=loaded.code) from loaded.error
        return loaded[entry.kind][entry.name]

    def _working(self, kind: Kind, spec_class: type[Spec]) -> list[tuple[Entry, Spec]]:
        result: list[tuple[Entry, Spec]] = []
        for entry in self.entries:
            if entry.kind != kind:
                continue
            loaded = self._load(entry)
            if not isinstance(loaded, PluginFailure):
                result.append((entry, cast("Spec", loaded[kind][entry.name])))
        return result

    def _one(self, kind: Kind, name: str, spec_class: type[Spec]) -> Spec:
        return cast("Spec", self.spec_of(find(self.entries, name, kind)))

    def _load(self, entry: Entry, *, report: bool = True) -> dict[Kind, dict[str, AnySpec]] | PluginFailure:
        key = (entry.distribution, entry.module)
        known = self._loaded.get(key)
        if known is None:
            try:
                known = self._register(entry)
            except _RejectedError as rejected:
                known = PluginFailure(
                    entry.distribution, entry.version, entry.module, rejected.phase, rejected.error
                )
                self.failures.append(known)
            self._loaded[key] = known
            if isinstance(known, PluginFailure) and report:
                if os.environ.get("KELLY_STRICT_PLUGINS", "") not in ("", "0"):
                    hint = "mend or uninstall it, or unset KELLY_STRICT_PLUGINS"
                    raise PluginError(str(known), hint=hint, code=known.code) from known.error
                self.on_failure(known)
        return known

    def _register(self, entry: Entry) -> dict[Kind, dict[str, AnySpec]]:
        if ":" in entry.module:
            error = PluginError(f"its entry point must name a module, not {entry.module!r}")
            raise _RejectedError("import", error)
        module = cast("ModuleType", _fenced("import", lambda: importlib.import_module(entry.module)))
        _check_api(module)
        name = f"{entry.distribution}:{entry.module}"
        try:
            _fenced("hooks", lambda: self.manager.register(module, name))
            self._check_hooks(module)
            return self._collect(module, entry)
        except _RejectedError:
            # pluggy keeps what it registered before a hook was refused; a rejected plugin must not watch runs.
            if self.manager.get_plugin(name) is module:
                self.manager.unregister(name=name)
            raise

    def _check_hooks(self, module: ModuleType) -> None:
        for caller in self.manager.get_hookcallers(module) or []:
            for impl in (impl for impl in caller.get_hookimpls() if impl.plugin is module):
                if not caller.has_spec() and not impl.optionalhook:
                    error = PluginError(f"unknown hook {caller.name!r}", hint=_nearest_hook(caller.name))
                    raise _RejectedError("hooks", error)
                if impl.hookwrapper or impl.wrapper:
                    raise _RejectedError("hooks", PluginError(f"{caller.name!r} is a wrapper; none is allowed"))

    def _collect(self, module: ModuleType, entry: Entry) -> dict[Kind, dict[str, AnySpec]]:
        declared = entry.siblings or ((entry.kind, entry.name),)
        result: dict[Kind, dict[str, AnySpec]] = {}
        for kind, (hook, spec_class) in HOOK_OF.items():
            names = sorted(name for declared_kind, name in declared if declared_kind == kind)
            specs = self._call(hook, module)
            for spec in specs:
                if not isinstance(spec, spec_class):
                    error = PluginError(f"{hook} returned {spec!r}, which is no {spec_class.__name__}")
                    raise _RejectedError("specs", error)
            returned = sorted(spec.name for spec in specs)
            if returned != names:
                error = PluginError(f"{hook} returned {returned}, but the package declares {names}")
                raise _RejectedError("names", error)
            result[kind] = {spec.name: spec for spec in specs}
        return result

    def _call(self, hook: str, module: ModuleType) -> list[Any]:
        specs: list[Any] = []
        for impl in getattr(self.manager.hook, hook).get_hookimpls():
            if impl.plugin is module:
                specs += cast("list[Any]", _fenced("specs", partial(_listed, impl.function)))
        return specs


def _check_api(module: ModuleType) -> None:
    wanted = getattr(module, "KELLY_API", None)
    newest = SUPPORTED_API.stop - 1
    if type(wanted) is not int:
        hint = f"its author has to write KELLY_API = {newest} into {module.__name__}"
    elif wanted in SUPPORTED_API:
        return
    else:
        hint = "upgrade kelly-core" if wanted > newest else "upgrade the plugin, or install an older kelly-core"
    error = PluginError(
        f"it states KELLY_API = {wanted!r}; this kelly-core supports {SUPPORTED_API.start} to {newest}",
        hint=hint,
    )
    raise _RejectedError("api version", error)


def _nearest_hook(name: str) -> str:
    known = [hook for hook in vars(hookspecs) if hook.startswith("kelly_")]
    near = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {near[0]!r}?" if near else f"hooks are {', '.join(known)}"


def _listed(hook: Callable[[], Iterable[Any]]) -> list[Any]:
    return list(hook())


def _fenced(phase: Phase, action: Callable[[], object]) -> object:
    try:
        # What a plugin prints must not mix with a command's results.
        with redirect_stdout(sys.stderr):
            return action()
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a panic of an extension module is no Exception
        raise _RejectedError(phase, error) from error
