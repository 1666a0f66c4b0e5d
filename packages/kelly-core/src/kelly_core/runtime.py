"""Which runtime opens which format, and the trained module as a runner like any other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kelly_core.errors import ContractError, KellyError, MissingExtraError, PluginError
from kelly_core.export import Inspection
from kelly_core.specs import ExporterSpec, LazyRef

if TYPE_CHECKING:
    from torch import nn

    from kelly_core.contract import Contract, TensorInfo
    from kelly_core.export import Arrays, Runner
    from kelly_core.plugins import PluginHost

OpenRunner = Callable[[Path, "Contract", int], "Runner"]


@dataclass(frozen=True, slots=True)
class Runtime:
    """Something that opens artefacts of one format.

    Attributes:
        format: Name of the exporter whose files it opens; `"torch"` opens checkpoints.
        open_runner: `open_runner(path, contract, threads) -> Runner`.
        modules: Top-level modules it imports.
        install_hint: Command that brings them.
        unavailable: `unavailable() -> str`: why it can't run on this machine; empty where it can.
        inspect: See `kelly_core.specs.ExporterSpec`.
    """

    format: str
    open_runner: LazyRef
    modules: tuple[str, ...]
    install_hint: str
    unavailable: LazyRef | None = None
    inspect: LazyRef | None = None

    @classmethod
    def of(cls, spec: ExporterSpec) -> Runtime:
        """What opens the files of an exporter."""
        return cls(spec.name, spec.open_runner, spec.modules, spec.install_hint, spec.why_not, spec.inspect)

    def why_not(self) -> str:
        """Why its files can't be run here, apart from modules to install; empty where they can."""
        return str(self.unavailable.resolve()()) if self.unavailable is not None else ""

    def inspection(self, path: Path, contract: Contract, module: nn.Module | None) -> Inspection:
        """What can be told of a file without running it."""
        if self.inspect is None:
            return Inspection()
        found: Inspection = self.inspect.resolve()(path, contract, module)
        return found

    def missing(self) -> list[str]:
        """Modules it needs that are not installed; imports nothing."""
        return [module for module in self.modules if find_spec(module) is None]

    def open(self, path: Path, contract: Contract, threads: int = 0) -> Runner:
        """Load an artefact.

        Args:
            path: The artefact.
            contract: What it promises.
            threads: Threads of one inference; 0 leaves the runtime's default.

        Raises:
            MissingExtraError: The runtime is not installed, or not for this machine.
            ContractError: The file is missing, damaged, of another kind or of another interface.
        """
        missing = self.missing()
        if missing:
            raise MissingExtraError(
                f"{self.format} files need {' and '.join(missing)}, which isn't installed",
                where=str(path),
                hint=self.install_hint,
                code="missing-extra.runtime",
            )
        why_not = self.why_not()
        if why_not:
            raise MissingExtraError(
                f"{self.format} files can't be run here: {why_not}",
                where=str(path),
                hint="use another format",
                code="missing-extra.runtime",
            )
        if not path.exists():
            raise ContractError(
                "there is no such file", where=str(path), hint="export the model again", code="contract.no-file"
            )
        runner: Runner = self.open_runner.resolve()(path, contract, threads)
        return runner


_ROOM = "kelly_core.infer.runtimes"
_TRAIN = "pip install 'kelly-core[train]'"
_ONNX = "pip install 'kelly-core[onnx]'"
BUILTIN = {
    runtime.format: runtime
    for runtime in (
        *(
            Runtime(name, LazyRef(f"{_ROOM}.onnx:open_runner"), ("onnxruntime",), _ONNX)
            for name in ("onnx", "onnx-fp16", "onnx-int8", "onnx-waveform", "onnx-whole")
        ),
        *(
            Runtime(name, LazyRef(f"{_ROOM}.torchscript:open_runner"), ("torch",), _TRAIN)
            for name in ("torchscript", "torchscript-whole")
        ),
        Runtime("rtneural", LazyRef(f"{_ROOM}.rtneural:open_runner"), (), ""),
        Runtime("torch", LazyRef(f"{_ROOM}.torch_checkpoint:open_runner"), ("torch",), _TRAIN),
    )
}
"""Runtimes of core, in the order in which inference prefers them. They work without the exporters."""


def require_torch(what: str) -> None:
    """Refuse to go on without torch, naming the extra that brings it.

    Args:
        what: What needs it, as a noun: `"exporting"`.

    Raises:
        MissingExtraError: torch isn't installed.
    """
    if find_spec("torch") is None:
        raise MissingExtraError(
            f"{what} needs torch, which isn't installed", hint=_TRAIN, code="missing-extra.training"
        )


def runtime_for(name: str, host: PluginHost) -> Runtime:
    """The runtime that the exporter plugin of this name brings, else core's own.

    Raises:
        PluginError: There is neither.
    """
    try:
        return Runtime.of(host.exporter(name))
    except PluginError:
        if name in BUILTIN:
            return BUILTIN[name]
        raise


@contextmanager
def opening(path: Path, kind: str) -> Iterator[None]:
    """Turn whatever a runtime raises over a bad file into one clear error."""
    try:
        yield
    except KellyError:
        raise
    except Exception as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ContractError(
            f"not a usable {kind} file: {reason}",
            where=str(path),
            hint="the file is damaged or of another kind; export the model again",
            code="contract.unusable",
        ) from error


def check_names(path: Path, contract: Contract, takes: list[str], gives: list[str]) -> None:
    """Compare the tensor names of an opened artefact with its contract.

    Raises:
        ContractError: They differ.
    """
    for side, found, tensors in (("takes", takes, contract.feeds), ("gives", gives, contract.fetches)):
        wanted = [info.name for info in tensors]
        if sorted(found) != sorted(wanted):
            raise ContractError(
                f"it {side} {found}, but the contract of {contract.model_id!r} says {wanted}",
                where=str(path),
                hint="the file belongs to another model or version; export the model again",
                code="contract.unusable",
            )


class ModuleRunner:
    """A torch module with tensors by name.

    Args:
        module: Takes the feeds in order, gives the fetches in order.
        feeds: What it takes.
        fetches: What it gives.
    """

    def __init__(self, module: nn.Module, feeds: Sequence[TensorInfo], fetches: Sequence[TensorInfo]) -> None:
        self.module = module
        self.feeds = [info.name for info in feeds]
        self.fetches = [info.name for info in fetches]

    @classmethod
    def of(cls, module: nn.Module, contract: Contract) -> ModuleRunner:
        """A module with the interface of a contract."""
        return cls(module, contract.feeds, contract.fetches)

    def run(self, inputs: Arrays) -> dict[str, NDArray[Any]]:
        """Outputs by name. Thread-safe: nothing is kept between calls."""
        import torch

        with torch.inference_mode():
            given = self.module(*(torch.tensor(np.asarray(inputs[name])) for name in self.feeds))
        outputs = given if isinstance(given, (tuple, list)) else (given,)
        if len(outputs) != len(self.fetches):
            raise ContractError(
                f"the module gives {len(outputs)} tensors; the contract names {self.fetches}",
                hint="the task's export_module and interface must agree",
                code="contract.unusable",
            )
        return {name: tensor.numpy() for name, tensor in zip(self.fetches, outputs, strict=True)}
