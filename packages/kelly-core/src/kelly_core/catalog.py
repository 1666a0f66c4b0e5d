"""Level 0: what is installed, from package metadata alone. No plugin code runs here."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import metadata
from typing import Literal

from kelly_core.errors import PluginError

Kind = Literal["model", "dataset", "exporter", "device", "observer"]

GROUPS: dict[Kind, str] = {
    "model": "kelly.models",
    "dataset": "kelly.datasets",
    "exporter": "kelly.exporters",
    "device": "kelly.devices",
    "observer": "kelly.observers",
}
"""Entry-point group of each kind. An observer declares no spec: its module only implements run hooks."""
HOST_DISTRIBUTION = "kelly-core"


@dataclass(frozen=True, slots=True)
class Entry:
    """One declared plugin.

    Attributes:
        name: Public name: the entry point's name.
        kind: What it is.
        module: Module whose hooks return its spec.
        distribution: The installed package that declares it.
        version: That package's version.
        summary: That package's one-line description.
    """

    name: str
    kind: Kind
    module: str
    distribution: str
    version: str
    summary: str

    @property
    def qualified(self) -> str:
        """`distribution:name`, which is never ambiguous."""
        return f"{self.distribution}:{self.name}"


def read_catalog(kinds: Iterable[Kind] = tuple(GROUPS)) -> list[Entry]:
    """All declared plugins of these kinds, sorted by kind, name and distribution.

    `KELLY_PLUGINS=a,b` keeps only plugins whose name, distribution or `distribution:name` is listed, beside
    those of kelly-core itself; `KELLY_NO_PLUGINS=1` (the `--no-plugins` flag) keeps only kelly-core's.
    """
    wanted = {GROUPS[kind]: kind for kind in kinds}
    entries: dict[tuple[str, str, str], Entry] = {}
    for dist in metadata.distributions():
        for point in dist.entry_points:
            kind = wanted.get(point.group)
            if kind is None:
                continue
            info = dist.metadata
            name = _normalise(info["Name"])
            # The first of two copies on sys.path is the one that imports would find.
            entries.setdefault(
                (kind, point.name, name),
                Entry(
                    point.name,
                    kind,
                    point.value,
                    name,
                    dist.version,
                    info["Summary"] if "Summary" in info else "",
                ),
            )
    return sorted(filter(_allowed, entries.values()), key=lambda e: (e.kind, e.name, e.distribution))


def find(entries: Iterable[Entry], name: str, kind: Kind) -> Entry:
    """The entry of this kind called `name` or `distribution:name`.

    Raises:
        PluginError: There is none, or two packages declare the name.
    """
    of_kind = [entry for entry in entries if entry.kind == kind]
    found = [entry for entry in of_kind if name in (entry.name, entry.qualified)]
    if len(found) == 1:
        return found[0]
    if not found:
        known = ", ".join(sorted({entry.name for entry in of_kind})) or "none"
        raise PluginError(
            f"no {kind} named {name!r} is installed (installed: {known})",
            hint=f"check the name with `kelly list --kind {kind}`, or install the package that brings it",
        )
    owners = " and ".join(f"{entry.distribution} {entry.version}" for entry in found)
    choices = " or ".join(repr(entry.qualified) for entry in found)
    raise PluginError(
        f"two packages declare the {kind} {name!r}: {owners}",
        hint=f"say which one: {choices}; or uninstall one of them",
    )


def _allowed(entry: Entry) -> bool:
    if entry.distribution == HOST_DISTRIBUTION:
        return True
    if os.environ.get("KELLY_NO_PLUGINS", "") not in ("", "0"):
        return False
    listed = os.environ.get("KELLY_PLUGINS")
    if not listed:
        return True
    names = {part.strip() for part in listed.split(",")}
    return not names.isdisjoint({entry.name, entry.distribution, entry.qualified})


def _normalise(name: str) -> str:
    return name.replace("_", "-").lower()
