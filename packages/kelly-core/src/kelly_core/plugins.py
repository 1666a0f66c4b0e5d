"""Level 1: import the plugin modules a command needs, each behind a fence of its own."""

from __future__ import annotations

import importlib
import logging
import os
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from types import ModuleType
from typing import Any, Literal, TypeVar, cast

import pluggy

from kelly_core import API_VERSION, hookspecs
from kelly_core.catalog import Entry, Kind, find, read_catalog
from kelly_core.errors import PluginError
from kelly_core.specs import AnySpec, DatasetSpec, DeviceSpec, ExporterSpec, ModelSpec

Phase = Literal["import", "api version", "hooks", "specs", "names"]
Spec = TypeVar("Spec", bound=AnySpec)

SUPPORTED_API = range(1, API_VERSION + 1)
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
        what = f"{type(self.error).__name__}: {self.error}" if str(self.error) else type(self.error).__name__
        return f"plugin {self.distribution} {self.version} ({self.module}) failed at {self.phase}: {what}"

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
        specs = self.specs("model", ModelSpec)
        found = [spec for spec in specs if name in (spec.model_id, *spec.aliases)]
        if len(found) == 1:
            return found[0]
        if len(found) > 1:
            names = ", ".join(repr(spec.name) for spec in found)
            raise PluginError(f"{name!r} means several models: {names}", hint="use one of these names")
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
        result: list[Spec] = []
        for entry in self.entries:
            if entry.kind != kind:
                continue
            loaded = self._load(entry)
            if not isinstance(loaded, PluginFailure):
                result.append(cast("Spec", loaded[kind][entry.name]))
        return result

    def load_observers(self) -> None:
        """Register every plugin that only watches runs."""
        for entry in self.entries:
            if entry.kind == "observer":
                self._load(entry)

    def probe(self, entry: Entry) -> PluginFailure | None:
        """Load one plugin and return its failure, if any, without reporting it (for `kelly doctor`)."""
        loaded = self._load(entry, report=False)
        return loaded if isinstance(loaded, PluginFailure) else None

    def _one(self, kind: Kind, name: str, spec_class: type[Spec]) -> Spec:
        entry = find(self.entries, name, kind)
        loaded = self._load(entry, report=False)
        if isinstance(loaded, PluginFailure):
            raise PluginError(str(loaded), hint="see `kelly doctor` for the traceback") from loaded.error
        return cast("Spec", loaded[kind][entry.name])

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
                    raise PluginError(
                        str(known), hint="mend or uninstall it, or unset KELLY_STRICT_PLUGINS"
                    ) from known.error
                self.on_failure(known)
        return known

    def _register(self, entry: Entry) -> dict[Kind, dict[str, AnySpec]]:
        module = cast("ModuleType", _fenced("import", lambda: importlib.import_module(entry.module)))
        _check_api(module)
        name = f"{entry.distribution}:{entry.module}"
        _fenced("hooks", lambda: self.manager.register(module, name))
        try:
            self._reject_unknown_hooks(module)
            return self._collect(module, entry)
        except _RejectedError:
            self.manager.unregister(module)
            raise

    def _reject_unknown_hooks(self, module: ModuleType) -> None:
        for caller in self.manager.get_hookcallers(module) or []:
            optional = all(impl.optionalhook for impl in caller.get_hookimpls() if impl.plugin is module)
            if not caller.has_spec() and not optional:
                raise _RejectedError("hooks", PluginError(f"unknown hook {caller.name!r}"))

    def _collect(self, module: ModuleType, entry: Entry) -> dict[Kind, dict[str, AnySpec]]:
        declared = [e for e in self.entries if (e.distribution, e.module) == (entry.distribution, entry.module)]
        result: dict[Kind, dict[str, AnySpec]] = {}
        for kind, (hook, spec_class) in HOOK_OF.items():
            names = {e.name for e in declared if e.kind == kind}
            specs = self._call(hook, module)
            for spec in specs:
                if not isinstance(spec, spec_class):
                    error = PluginError(f"{hook} returned {spec!r}, which is no {spec_class.__name__}")
                    raise _RejectedError("specs", error)
            result[kind] = {spec.name: spec for spec in specs}
            if names and names != set(result[kind]):
                error = PluginError(
                    f"{hook} returned {sorted(result[kind])}, but the package declares {sorted(names)}"
                )
                raise _RejectedError("names", error)
        return result

    def _call(self, hook: str, module: ModuleType) -> list[Any]:
        specs: list[Any] = []
        for impl in getattr(self.manager.hook, hook).get_hookimpls():
            if impl.plugin is module:
                specs += cast("list[Any]", _fenced("specs", partial(_listed, impl.function)))
        return specs


def _check_api(module: ModuleType) -> None:
    wanted = getattr(module, "KELLY_API", None)
    if wanted not in SUPPORTED_API:
        error = PluginError(
            f"it states KELLY_API = {wanted!r}; this kelly-core supports "
            f"{SUPPORTED_API.start} to {SUPPORTED_API.stop - 1}",
            hint="upgrade the plugin or kelly-core",
        )
        raise _RejectedError("api version", error)


def _listed(hook: Callable[[], Iterable[Any]]) -> list[Any]:
    return list(hook())


def _fenced(phase: Phase, action: Callable[[], object]) -> object:
    try:
        return action()
    except (Exception, SystemExit) as error:
        raise _RejectedError(phase, error) from error
