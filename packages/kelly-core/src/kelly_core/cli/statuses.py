"""The status of each model for `kelly list`: what the workspace's registry says, else installed packages."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from kelly_core.catalog import Entry
from kelly_core.cli import console
from kelly_core.trained import read_record


@dataclass(frozen=True, slots=True)
class Status:
    """What is known of a model.

    Attributes:
        word: `trained`, ...; `?` where it can't be read.
        packages: Installed packages that it is of, with versions; empty for the workspace.
    """

    word: str
    packages: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.word}, of {' and of '.join(self.packages)}" if self.packages else self.word


def read_statuses(trained: Iterable[Entry]) -> Mapping[str, Status]:
    """Status of each trained model by its short name: in the workspace's registry, else in installed packages.

    A registry that can't be read gives a warning line and the status `?` for every model.

    Args:
        trained: What is installed of kind `trained`.
    """
    found: dict[str, Status] = {}
    for entry in trained:
        record = read_record(entry)
        name = str(record.get("name") or entry.name)
        others = found[name].packages if name in found else ()
        package = f"{entry.distribution} {entry.version}"
        found[name] = Status(str(record.get("status", "?")), (*others, package))
    path = console.workspace().registry
    try:
        models = json.loads(path.read_bytes())["models"]
        own = {model.get("name") or model["id"]: Status(str(model["status"])) for model in models}
    except FileNotFoundError:
        return found
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        reason = f"{type(error).__name__}: {error}"
        console.warn(f"{path} can't be read ({reason}); check it with `kelly registry validate`")
        return _Unknown()
    # A model that never came out of its training doesn't stand before an installed one.
    return found | {name: one for name, one in own.items() if one.word != "stub" or name not in found}


def status_of(entry: Entry, statuses: Mapping[str, Status]) -> Status | None:
    """Of a model the one that counts, of a trained model in a package that package's; of others none."""
    if entry.kind == "trained":
        return Status(str(read_record(entry).get("status", "?")))
    return statuses.get(entry.name) if entry.kind == "model" else None


class _Unknown(dict[str, Status]):
    def get(self, key: str, default: Any = None) -> Any:
        return Status("?")
