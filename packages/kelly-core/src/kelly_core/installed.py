"""Which packages are installed, what each brings to Kelly, and where it came from."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import invalidate_caches, metadata

from kelly_core.catalog import HOST_DISTRIBUTION, Entry, Kind, entries_of, normalise
from kelly_core.errors import PluginError


@dataclass(frozen=True, slots=True)
class Installed:
    """One installed package.

    Attributes:
        name: Its normalised name.
        version: Its version.
        entries: What it brings to Kelly, whatever `KELLY_PLUGINS` leaves out.
        is_kellys: Whether it plugs into Kelly, or is the package `kelly` that names the others.
        source: Folder, file or repository that it was installed from, as an address; None for an index.
    """

    name: str
    version: str
    entries: tuple[Entry, ...]
    is_kellys: bool
    source: str | None

    @property
    def brings(self) -> dict[Kind, list[str]]:
        """Names of its plugins by kind."""
        return names_by_kind(self.entries)


def read_installed() -> dict[str, Installed]:
    """Every installed package by its normalised name, as it is on disk now; damaged ones are left out."""
    invalidate_caches()
    found: dict[str, Installed] = {}
    for dist in metadata.distributions():
        try:
            package = _describe(dist)
        except (AttributeError, KeyError, TypeError, ValueError, OSError):
            continue
        # The first of two copies on sys.path is the one that imports would find.
        found.setdefault(package.name, package)
    return found


def names_by_kind(entries: Iterable[Entry]) -> dict[Kind, list[str]]:
    """Names of plugins under their kinds, in the order given."""
    names: dict[Kind, list[str]] = {}
    for entry in entries:
        names.setdefault(entry.kind, []).append(entry.name)
    return names


def find_installed(packages: Mapping[str, Installed], name: str) -> Installed:
    """The package of Kelly's that a user means by its name, or by its name without `kelly-`.

    Raises:
        PluginError: None is called so; where a plugin is, the hint names its package.
    """
    for candidate in (normalise(name), f"kelly-{normalise(name)}"):
        if candidate in packages and packages[candidate].is_kellys:
            return packages[candidate]
    owners = [one.name for one in packages.values() if any(entry.name == name for entry in one.entries)]
    if owners:
        hint = f"it is a plugin of {' and of '.join(sorted(owners))}: give that name if you mean all it brings"
    else:
        hint = "`kelly list --by package` shows what is installed"
    raise PluginError(
        f"no installed package of Kelly's is called {name!r}", where="NAME", hint=hint, code="plugin.missing"
    )


def _describe(dist: metadata.Distribution) -> Installed:
    # PEP 610: the installer's own note of where a package came from, other than an index.
    noted = json.loads(dist.read_text("direct_url.json") or "{}")
    name = normalise(dist.metadata["Name"])
    plugs_in = any(point.group.startswith("kelly.") for point in dist.entry_points)
    # Another project has the name `kelly` too.
    names_others = name == "kelly" and any(one.startswith(HOST_DISTRIBUTION) for one in dist.requires or ())
    return Installed(
        name=name,
        version=dist.version,
        entries=tuple(entries_of(dist)),
        is_kellys=plugs_in or names_others,
        source=noted.get("url"),
    )
