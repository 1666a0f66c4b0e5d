"""The engine: one trained model, loaded once, called from any thread, in whichever runtime is there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from kelly_core.contract import ArtifactInfo, Contract
from kelly_core.errors import ContractError, InferenceOnlyError, KellyError, PluginError, UserError
from kelly_core.export import Runner
from kelly_core.infer.result import InferenceResult
from kelly_core.plugins import PluginHost
from kelly_core.runtime import BUILTIN, Runtime, runtime_for
from kelly_core.tensors import check_inputs, with_reset_state
from kelly_core.trained import Home, find_home
from kelly_core.workspace import Workspace

CHECKPOINT_RUNTIME = "torch"


@dataclass(frozen=True, slots=True)
class _Loaded:
    """What `load` brings; replaced as a whole, so that other threads see all of it or none."""

    contract: Contract
    runner: Runner
    runtime: str
    path: Path
    home: Home


class Engine:
    """A trained model of a workspace, or of an installed package.

    After `load`, `infer` may be called from any number of threads at once: nothing is kept between calls,
    recurrent state goes in with the inputs and comes back in the result.

    Args:
        model_id: Whose files to load.
        runtime: Runtime to use; None takes the first that is installed and has its artefact.
        workspace: The user's; what it doesn't have is looked for in installed packages.
        threads: Threads of one inference.
        host: Where plugins are found; needed for `infer_file` and for runtimes that plugins bring.
        package: Installed package to take the files from, whatever the workspace has.
    """

    def __init__(
        self,
        model_id: str,
        *,
        runtime: str | None = None,
        workspace: Workspace | None = None,
        threads: int = 1,
        host: PluginHost | None = None,
        package: str | None = None,
    ) -> None:
        if threads < 1:
            raise UserError(f"threads must be at least 1, got {threads}", where="Engine", hint="use 1 or more")
        self.model_id = model_id
        self.workspace = workspace or Workspace.locate()
        self.threads = threads
        self._wanted = runtime
        self._host = host
        self._package = package
        self._loaded: _Loaded | None = None

    def load(self) -> Engine:
        """Read the contract, choose the runtime, check the artefact's checksum, open it.

        Raises:
            ContractError: There is no contract, no artefact, or it isn't the one that was verified.
            MissingExtraError: The runtime that was asked for isn't installed.
            PluginError: Two installed packages bring the model, or the one asked for doesn't.
        """
        home = self._find()
        contract = home.contract()
        name = self._choose(contract, home)
        path = _path(contract, home, name)
        with home.naming():
            if name != CHECKPOINT_RUNTIME:  # that one compares the checkpoint's checksum itself
                _check_sum(contract.artifacts[name], path)
            runner = self._runtime(name).open(path, contract.of_artifact(name), self.threads)
        self._loaded = _Loaded(contract.of_artifact(name), runner, name, path, home)
        return self

    @property
    def contract(self) -> Contract:
        """The model's contract."""
        return self._ready().contract

    @property
    def runtime(self) -> str:
        """Name of the runtime in use."""
        return self._ready().runtime

    @property
    def package(self) -> str:
        """The installed package that the model is of, with its version; empty for the workspace's own."""
        return self._ready().home.package

    def about(self) -> dict[str, Any]:
        """Which model this is, in plain values: its id, runtime, file, and the installed package it is of."""
        loaded = self._ready()
        entry = loaded.home.entry
        return {
            "id": loaded.contract.model_id,
            "runtime": loaded.runtime,
            "file": str(loaded.path),
            "package": entry and entry.distribution,
            "version": entry and entry.version,
            "synthetic_data": loaded.contract.synthetic_data,
        }

    def infer(self, inputs: Mapping[str, NDArray[Any]]) -> InferenceResult:
        """Run the model once.

        Args:
            inputs: Arrays by the contract's input names, exactly in its shapes and dtypes. State tensors
                may be left out; they then have their reset value.

        Raises:
            ContractError: An input doesn't match the contract; says which and how.
        """
        loaded = self._ready()
        sizes = check_inputs(loaded.contract, inputs)
        try:
            outputs = loaded.runner.run(with_reset_state(loaded.contract, inputs, sizes))
        except Exception as error:
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            shown = ", ".join(f"{name} = {size}" for name, size in sizes.items())
            raise KellyError(
                f"{loaded.runtime} could not run these inputs ({shown}): {reason}",
                where=str(loaded.path),
                hint="check that no dimension is shorter than the network needs; "
                f"it was trained on {loaded.contract.window or 'the shapes of the contract'}",
                code="failure.inference",
            ) from error
        return InferenceResult(outputs, loaded.contract)

    def infer_file(self, path: Path | str) -> Any:
        """Run the model on a file the way its package prepares files.

        Returns:
            A `FilePrediction` of a classifier, a `FileEmbedding` of a model that gives vectors, else what the
            model's page says.

        Raises:
            UserError: The model's package has no way to read files.
            DataError: The file can't be used; says why.
        """
        self._ready()
        spec = self._plugins().model(self.model_id)
        if spec.infer_file is None:
            raise UserError(
                f"the model {spec.name!r} does not read files",
                where=str(path),
                hint="prepare its inputs yourself and call infer()",
            )
        return spec.infer_file.resolve()(self, Path(path))

    def _ready(self) -> _Loaded:
        if self._loaded is None:
            raise UserError(
                "the engine holds no model yet",
                where=f"engine of {self.model_id!r}",
                hint="call load() first",
                code="usage.not-loaded",
            )
        return self._loaded

    def _plugins(self) -> PluginHost:
        if self._host is None:
            self._host = PluginHost()
        return self._host

    def _runtime(self, name: str) -> Runtime:
        return BUILTIN[name] if name in BUILTIN else runtime_for(name, self._plugins())

    def _find(self) -> Home:
        if self._package is None:
            return find_home(self.model_id, self.workspace) or Home(self.model_id, self.workspace)
        home = find_home(f"{self._package}:{self.model_id}", self.workspace)
        if home is None:
            raise PluginError(
                f"no installed package {self._package!r} brings a trained model {self.model_id!r}",
                hint="`kelly list --kind trained` shows what is installed",
                code="plugin.missing",
            )
        return home

    def _choose(self, contract: Contract, home: Home) -> str:
        offered = [name for name in BUILTIN if name in contract.artifacts]
        if home.entry is None or home.checkpoint.is_file():
            offered.append(CHECKPOINT_RUNTIME)
        offered += [name for name in contract.artifacts if name not in offered]
        if self._wanted is not None:
            if self._wanted == CHECKPOINT_RUNTIME:
                home.require_checkpoint("the runtime 'torch'")
            if self._wanted not in offered:
                write = f"write one: `kelly export {self.model_id} --format {self._wanted}`"
                raise ContractError(
                    f"no {self._wanted!r} file of {self.model_id!r} is in the contract (there: "
                    f"{', '.join(offered)})",
                    where=str(home.workspace.contract(self.model_id)),
                    hint=write if home.entry is None else f"{home.package} has no other; choose one of these",
                    code="contract.no-file",
                )
            return self._wanted
        other = {name for name, info in contract.artifacts.items() if info.interface}  # asked for by name alone
        prepared = [name for name in offered if name not in other]
        present = [name for name in prepared if _path(contract, home, name).exists()]
        for name in present:
            if not self._runtime(name).missing():
                return name
        if not present:
            with home.naming():
                raise ContractError(
                    f"none of the files of {self.model_id!r} is there",
                    where=str(home.workspace.models),
                    hint=f"write them again: `kelly export {self.model_id} --all`",
                    code="contract.no-file",
                )
        # Something is there that nothing installed can open: asking for the first says what to install.
        return present[0]


def create_engine_by_name(
    name: str,
    *,
    runtime: str | None = None,
    workspace: Workspace | Path | str | None = None,
    threads: int = 1,
) -> Engine:
    """An engine for a trained model; call `load()` before the first inference.

    Args:
        name: Model id (`"emotionrecognizer"`), short name (`"emotion"`) or alias (`"emotion_recognizer"`);
            behind `package:` the one of that installed package.
        runtime: `"onnx"`, `"torchscript"`, `"torch"` or an exporter's name; None takes the first that is
            installed and whose file is there.
        workspace: The workspace folder; by default `KELLY_WORKSPACE`, else the current folder. A model that it
            doesn't have is taken from an installed package.
        threads: Threads of one inference. torch has one pool per process and sets it for all of it.

    Raises:
        PluginError: No model has this name, or two installed packages bring it.
        InferenceOnlyError: The model's weights were trained elsewhere; its package opens them.
    """
    place = workspace if isinstance(workspace, Workspace) else Workspace.locate(workspace)
    home = find_home(name, place)
    if home is not None:  # no plugin has to be installed
        package = home.entry.distribution if home.entry is not None else None
        return Engine(home.model_id, runtime=runtime, workspace=place, threads=threads, package=package)
    host = PluginHost()
    spec = host.model(name)
    if spec.pretrained is not None:
        raise InferenceOnlyError(
            f"{spec.name!r} has no exported file to load: its weights come from {spec.pretrained.source}",
            where="create_engine_by_name",
            hint=f"use `kelly predict {spec.name}`, or {spec.pretrained.open_weights.target}(folder)",
        )
    return Engine(spec.model_id, runtime=runtime, workspace=place, threads=threads, host=host)


def _path(contract: Contract, home: Home, runtime: str) -> Path:
    if runtime == CHECKPOINT_RUNTIME:
        return home.checkpoint
    return home.workspace.models / contract.artifacts[runtime].file


def _check_sum(expected: ArtifactInfo, path: Path) -> None:
    if path.exists() and ArtifactInfo.of(path).sha256 != expected.sha256:
        raise ContractError(
            "its checksum differs from the contract's: it is damaged, or was replaced after it was verified",
            where=str(path),
            hint="look with `kelly verify`, or export the model again",
            code="contract.changed",
        )
