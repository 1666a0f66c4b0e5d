"""Level 0: what is installed, from package metadata alone. No plugin code runs here."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import metadata
from typing import Literal

from kelly_core.errors import PluginError

Kind = Literal["model", "dataset", "exporter", "device", "observer", "trained"]

GROUPS: dict[Kind, str] = {
    "model": "kelly.models",
    "dataset": "kelly.datasets",
    "exporter": "kelly.exporters",
    "device": "kelly.devices",
    "observer": "kelly.observers",
    "trained": "kelly.trained",
}
"""Entry-point group of each kind. An observer declares no spec: its module only implements run hooks.
A trained model is no plugin but files: its entry point is called as the model's id and names their folder, a
package of which nothing is ever imported (`kelly_core.trained`)."""
PLUGINS: tuple[Kind, ...] = tuple(kind for kind in GROUPS if kind != "trained")
"""Kinds that are code."""
HOST_DISTRIBUTION = "kelly-core"
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Entry:
    """One declared plugin or trained model.

    Attributes:
        name: Public name: the entry point's name.
        kind: What it is.
        module: Module whose hooks return its spec; of a trained model, the package that holds its files.
        distribution: The installed package that declares it.
        version: That package's version.
        summary: That package's one-line description.
        siblings: Kind and name of everything that package declares for this module, this entry included.
    """

    name: str
    kind: Kind
    module: str
    distribution: str
    version: str
    summary: str
    siblings: tuple[tuple[Kind, str], ...] = ()

    @property
    def qualified(self) -> str:
        """`distribution:name`, which is never ambiguous."""
        return f"{self.distribution}:{self.name}"


def read_catalog(kinds: Iterable[Kind] = PLUGINS) -> list[Entry]:
    """What is declared of these kinds, sorted by kind (in the order of `GROUPS`), name and distribution.

    `KELLY_PLUGINS=a,b` keeps only plugins whose name, distribution or `distribution:name` is listed, beside
    those of kelly-core itself; `KELLY_NO_PLUGINS=1` (the `--no-plugins` flag) keeps only kelly-core's, and no
    trained model either.
    """
    wanted = set(kinds)
    entries: list[Entry] = []
    seen: set[str] = set()
    for dist in metadata.distributions():
        if not _declares_plugins(dist):
            continue
        try:
            declared = list(entries_of(dist))
        except (AttributeError, KeyError, TypeError, ValueError, OSError) as error:
            # Only damaged metadata gets here; it must not hide every other plugin.
            place = getattr(dist, "_path", dist)
            log.warning("the metadata of an installed package can't be read: %s (%s)", place, error)
            continue
        # The first of two copies on sys.path is the one that imports would find.
        if declared and declared[0].distribution not in seen:
            seen.add(declared[0].distribution)
            entries += (entry for entry in declared if entry.kind in wanted)
    order = {kind: place for place, kind in enumerate(GROUPS)}
    return sorted(filter(_allowed, entries), key=lambda e: (order[e.kind], e.name, e.distribution))


def find(entries: Iterable[Entry], name: str, kind: Kind) -> Entry:
    """The entry of this kind called `name` or `distribution:name`.

    Raises:
        PluginError: There is none, or two packages declare the name.
    """
    what = "trained model" if kind == "trained" else kind
    of_kind = [entry for entry in entries if entry.kind == kind]
    found = [entry for entry in of_kind if name in (entry.name, entry.qualified)]
    if len(found) == 1:
        return found[0]
    if not found:
        known = ", ".join(sorted({entry.name for entry in of_kind})) or "none"
        raise PluginError(
            f"no {what} named {name!r} is installed (installed: {known})",
            hint=f"check the name with `kelly list --kind {kind}`, or install the package that brings it",
            code="plugin.missing",
        )
    owners = " and ".join(f"{entry.distribution} {entry.version}" for entry in found)
    choices = " or ".join(repr(entry.qualified) for entry in found)
    raise PluginError(
        f"two packages declare the {what} {name!r}: {owners}",
        hint=f"say which one: {choices}; or uninstall one of them",
        code="plugin.ambiguous",
    )


def _declares_plugins(dist: metadata.Distribution) -> bool:
    # Looking at the raw text first skips parsing every other package's entry points and metadata.
    try:
        return "kelly." in (dist.read_text("entry_points.txt") or "")
    except (OSError, ValueError):
        return False


def entries_of(dist: metadata.Distribution) -> Iterator[Entry]:
    """Everything that one installed package declares, in the order of its entry points."""
    kind_of = {group: kind for kind, group in GROUPS.items()}
    points = [(kind_of[point.group], point) for point in dist.entry_points if point.group in kind_of]
    if not points:
        return
    info = dist.metadata
    if "Name" not in info:
        raise ValueError("it doesn't say its name; install the package again")
    name = normalise(info["Name"])
    summary = info["Summary"] if "Summary" in info else ""  # noqa: SIM401 - its type has no `get`
    for kind, point in points:
        siblings = tuple((other, p.name) for other, p in points if p.value == point.value)
        yield Entry(point.name, kind, point.value, name, info["Version"], summary, siblings)


def _allowed(entry: Entry) -> bool:
    if entry.distribution == HOST_DISTRIBUTION:
        return True
    if os.environ.get("KELLY_NO_PLUGINS", "") not in ("", "0"):
        return False
    listed = os.environ.get("KELLY_PLUGINS")
    if not listed or entry.kind == "trained":
        return True
    names = {part.strip() for part in listed.split(",")}
    return not names.isdisjoint({entry.name, entry.distribution, entry.qualified})


def normalise(name: str) -> str:
    """A package's name as indexes compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()
