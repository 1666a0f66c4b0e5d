"""Where a trained model's files lie: in the user's workspace, or in an installed package laid out like one.

Such a package declares the model's id in the entry-point group `kelly.trained`, with the name of the folder
that holds `models/`, `docs/` and perhaps `checkpoints/`. Nothing of it is imported, and nothing written there.

Which one counts: a package that is named (`package:name`, or in `KELLY_TRAINED`), else the user's workspace,
else the installed package, of which there may be only one.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kelly_core.catalog import Entry, find, normalise, read_catalog
from kelly_core.errors import ContractError, UserError
from kelly_core.workspace import Workspace

if TYPE_CHECKING:
    from kelly_core.contract import Contract
    from kelly_core.plugins import PluginHost

CHOICE = "KELLY_TRAINED"
"""Environment variable: packages of trained models that come before the workspace, separated by commas."""
REINSTALL = "install it again, or ask whoever made it for a whole one"
_ID = re.compile(r"[a-z0-9][a-z0-9._-]*")


@dataclass(frozen=True, slots=True)
class Home:
    """Where one trained model's files lie.

    Attributes:
        model_id: What its files are called after.
        workspace: The folder that holds them.
        entry: What the installed package declares; None for the user's own workspace.
    """

    model_id: str
    workspace: Workspace
    entry: Entry | None = None

    @property
    def package(self) -> str:
        """The installed package with its version; empty for the user's own workspace."""
        return f"{self.entry.distribution} {self.entry.version}" if self.entry is not None else ""

    @property
    def checkpoint(self) -> Path:
        """The weights as training left them; packages seldom have them."""
        return self.workspace.checkpoints(self.model_id) / "best.pt"

    def contract(self) -> Contract:
        """The model's contract.

        Raises:
            ContractError: It is missing, damaged or newer than this Kelly; names the package.
        """
        from kelly_core.contract import Contract

        with self.naming():
            return Contract.load(self.workspace.contract(self.model_id))

    @contextmanager
    def naming(self) -> Iterator[None]:
        """Make errors about files of an installed package name it, and say what its user can do."""
        try:
            yield
        except ContractError as error:
            if self.entry is None:
                raise
            newer = error.code == "contract.newer"
            raise ContractError(
                f"{self.package}: {error.message}",
                where=error.where,
                hint=error.hint if newer else REINSTALL,
                code=error.code if newer else "contract.package",
            ) from error

    def require_checkpoint(self, what: str) -> None:
        """Refuse what needs a checkpoint where an installed package has none.

        Args:
            what: What needs it, as a noun: `"evaluation"`.

        Raises:
            UserError: There is none.
        """
        if self.entry is not None and not self.checkpoint.is_file():
            raise UserError(
                f"{what} needs the checkpoint, and {self.package} has none",
                where=self.model_id,
                hint="ask for a package made with `kelly package MODEL --with-checkpoint`, or train the model",
                code="usage.no-checkpoint",
            )


def find_home(name: str, workspace: Workspace) -> Home | None:
    """Where the files of a trained model lie; None where there are none.

    Args:
        name: Its id; of an installed one also its short name, and either behind `package:`.
        workspace: The user's.

    Raises:
        PluginError: Two installed packages bring it; names both and how to choose.
        ContractError: The package's folder is gone.
    """
    own = _own(name, workspace)
    chosen = {normalise(one.strip()) for one in os.environ.get(CHOICE, "").split(",")} - {""}
    if own is not None and not chosen:
        return own
    distribution, _, short = name.rpartition(":")
    entries = read_catalog(("trained",))
    if distribution:
        named = [entry for entry in entries if entry.distribution == normalise(distribution)]
        return _installed(named, short, workspace)
    found = _installed([entry for entry in entries if entry.distribution in chosen], name, workspace)
    if found is None and own is None:
        own = _own(_id_of(entries, name), workspace)
    return found or own or _installed(entries, name, workspace)


def require_home(name: str, workspace: Workspace, host: PluginHost, command: str) -> Home:
    """Where the files of a model lie, whichever of its names is given; where there are none, the workspace.

    Args:
        name: As for `find_home`, or any name that its plugin knows.
        workspace: The user's.
        host: Where the model's plugin is found.
        command: What it is for, e.g. `"kelly verify"`.

    Raises:
        PluginError: No model has this name, or two installed packages bring it.
        InferenceOnlyError: The model has no files of ours.
    """
    home = find_home(name, workspace)
    if home is not None:
        return home
    spec = host.model(name)
    spec.require_trainable(command)
    return find_home(spec.model_id, workspace) or Home(spec.model_id, workspace)


def all_homes(workspace: Workspace) -> list[Home]:
    """Every trained model, those of the workspace first.

    Raises:
        PluginError: Two installed packages bring one that the workspace doesn't have.
    """
    files = sorted(workspace.models.glob("*.contract.json"))
    ids = [file.name.removesuffix(".contract.json") for file in files]
    ids += [entry.name for entry in read_catalog(("trained",))]
    found = (find_home(model_id, workspace) for model_id in dict.fromkeys(ids))
    return [home for home in found if home is not None]


def home_of(entry: Entry, workspace: Workspace) -> Home:
    """Where the files of an installed package lie.

    Raises:
        ContractError: The folder that it declares isn't there.
    """
    return Home(entry.name, Workspace(_folder(entry), user=workspace.user or workspace.root), entry)


def read_record(entry: Entry) -> dict[str, Any]:
    """What an installed package says of its model: its registry entry, unchecked; empty where unreadable."""
    try:
        models = json.loads(Workspace(_folder(entry)).registry.read_bytes())["models"]
        return dict(next(model for model in models if model["id"] == entry.name))
    except (ContractError, OSError, ValueError, LookupError, TypeError, StopIteration):
        return {}


def _folder(entry: Entry) -> Path:
    try:
        # A dotted name would import what stands before the dot.
        spec = find_spec(entry.module) if entry.module.isidentifier() else None
    except (ImportError, ValueError):
        spec = None
    folders = list(spec.submodule_search_locations or ()) if spec is not None else []
    if not folders:
        raise ContractError(
            f"{entry.distribution} {entry.version}: its folder {entry.module!r} isn't there",
            hint=REINSTALL,
            code="contract.package",
        )
    return Path(folders[0])


def _own(model_id: str, workspace: Workspace) -> Home | None:
    known = _ID.fullmatch(model_id) and workspace.contract(model_id).is_file()
    return Home(model_id, workspace) if known else None


def _installed(entries: Sequence[Entry], name: str, workspace: Workspace) -> Home | None:
    model_id = _id_of(entries, name)
    if all(entry.name != model_id for entry in entries):
        return None
    return home_of(find(entries, model_id, "trained"), workspace)


def _id_of(entries: Sequence[Entry], name: str) -> str:
    """The id of the installed model that a name means; where none is meant, the name."""
    wanted = {name, name.replace("_", "")}
    ids = {entry.name for entry in entries if entry.name in wanted}
    ids = ids or {entry.name for entry in entries if read_record(entry).get("name") in wanted}
    return ids.pop() if len(ids) == 1 else name
