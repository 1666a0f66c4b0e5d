"""Entries against the files they name: existence, checksums, contract, and a status that has its evidence."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from kelly_core.contract import ArtifactInfo, Contract
from kelly_core.errors import ContractError
from kelly_core.registry.entries import Artifact, FileRef, ModelEntry, Registry
from kelly_core.registry.reading import Fault, Loc, located, place

MEND = "run `kelly registry rebuild`"


class Checker:
    """Checks every entry of a registry.

    Args:
        path: The registry; its folder is what paths are relative to.
        text: Its content, for line numbers.
        registry: The same, read.
    """

    def __init__(self, path: Path, text: str, registry: Registry) -> None:
        self.path = path
        self.folder = path.parent
        self.text = text
        self.registry = registry

    def faults(self) -> Iterator[Fault]:
        """All faults, entry by entry."""
        for position, entry in enumerate(self.registry.models):
            loc = ("models", position)
            yield from self._files(loc, entry)
            yield from self._agreement(loc, entry)
            yield from self._contract(loc, entry)
            yield from self._status(loc, entry)
        known = {entry.id for entry in self.registry.models}
        for contract in sorted(self.folder.glob("*.contract.json")):
            model_id = contract.name.removesuffix(".contract.json")
            if model_id not in known:
                yield self._fault(("models",), f"{contract.name} is not registered", MEND, "warning")

    def _files(self, loc: Loc, entry: ModelEntry) -> Iterator[Fault]:
        """Files that must exist, once each even when several fields name one."""
        again = f"export it again (`kelly export {entry.name or entry.id}`), or {MEND}"
        refs: list[tuple[Loc, FileRef]] = [
            ((*loc, "artifacts", name), made) for name, made in entry.artifacts.items()
        ]
        refs += [((*loc, key), ref) for key in ("contract", "checkpoint") if (ref := getattr(entry, key))]
        for where, ref in refs:
            yield from self._ref(where, ref, again)
        seen = {ref.file for _, ref in refs}
        plain = [((*loc, "file"), entry.file), ((*loc, "config"), entry.config), ((*loc, "card"), entry.card)]
        plain += [((*loc, "exports", key), file) for key, file in entry.exports.items()]
        for where, file in plain:
            if file and file not in seen and not (self.folder / file).exists():
                yield self._fault(where, f"{file!r} does not exist", again)
            seen.add(file or "")

    def _ref(self, loc: Loc, ref: FileRef, hint: str) -> Iterator[Fault]:
        path = self.folder / ref.file
        if not path.exists():
            yield self._fault((*loc, "file"), f"{ref.file!r} does not exist", hint)
            return
        actual = ArtifactInfo.of(path)
        if isinstance(ref, Artifact) and actual.bytes != ref.bytes:
            message = f"{ref.file!r} has {actual.bytes} bytes, the registry says {ref.bytes}"
            yield self._fault((*loc, "bytes"), message, hint)
        elif actual.sha256 != ref.sha256:
            yield self._fault((*loc, "sha256"), f"{ref.file!r} has changed: its checksum differs", hint)

    def _agreement(self, loc: Loc, entry: ModelEntry) -> Iterator[Fault]:
        """`file` and `exports` repeat what `artifacts` has; an entry may have only the former."""
        if not entry.artifacts:
            return
        files = {made.file for made in entry.artifacts.values()}
        named = [((*loc, "file"), entry.file)]
        named += [((*loc, "exports", key), file) for key, file in entry.exports.items() if file]
        for where, file in named:
            if file not in files:
                yield self._fault(where, f"{file!r} is none of the artefacts", MEND)

    def _contract(self, loc: Loc, entry: ModelEntry) -> Iterator[Fault]:
        if entry.contract is None or not (self.folder / entry.contract.file).exists():
            return
        where = (*loc, "contract")
        try:
            contract = Contract.load(self.folder / entry.contract.file)
        except ContractError as error:
            yield self._fault(where, error.message, error.hint or MEND)
            return
        pairs = {
            "model id": (contract.model_id, entry.id),
            "task": (contract.task, entry.task),
            "run": (contract.run_id, entry.run_id),
            "synthetic_data": (contract.synthetic_data, entry.synthetic_data),
            "checkpoint checksum": (
                contract.checkpoint_sha256,
                entry.checkpoint.sha256 if entry.checkpoint else contract.checkpoint_sha256,
            ),
        }
        for what, (theirs, ours) in pairs.items():
            if theirs != ours:
                yield self._fault(where, f"the contract's {what} is {theirs!r}, the registry's {ours!r}", MEND)
        for name, made in entry.artifacts.items():
            other = contract.artifacts.get(name)
            if other is None or other.sha256 != made.sha256:
                yield self._fault((*loc, "artifacts", name), "the contract has another checksum or none", MEND)

    def _status(self, loc: Loc, entry: ModelEntry) -> Iterator[Fault]:
        where = (*loc, "status")
        hint = f"{MEND}, or `kelly registry set-status {entry.id} STATUS`"
        has_result = bool(entry.file or entry.artifacts or entry.checkpoint)
        if entry.status == "stub" and has_result:
            yield self._fault(where, "a stub has been trained already: it has a file or a checkpoint", hint)
        if entry.status in ("trained", "production") and not has_result:
            yield self._fault(where, f"{entry.status!r}, but there is neither artefact nor checkpoint", hint)
        if entry.status in ("trained", "production") and entry.training.training_date is None:
            message = f"{entry.status!r}, but without a training date"
            yield self._fault((*loc, "training"), message, "train it again to know when it was made", "warning")
        if entry.status == "production":
            unverified = [name for name, made in entry.artifacts.items() if not made.verified]
            if unverified or not entry.artifacts:
                what = ", ".join(unverified) or "no artefact"
                yield self._fault(where, f"'production' needs every artefact verified: {what}", hint)

    def _fault(self, loc: Loc, message: str, hint: str, severity: str = "error") -> Fault:
        return Fault(located(self.path, self.text, loc), place(loc), message, hint, severity)
