"""Everything that is known before the first step: configuration, data, split, network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kelly_core.config import TrainConfig
from kelly_core.config.resolve import (
    Resolved,
    describe_changes,
    dump,
    load_stored,
    resolve,
    workspace_file,
)
from kelly_core.data.discover import feature_cache_folder, open_dataset
from kelly_core.data.splits import split_items
from kelly_core.errors import CheckpointError, ConfigError
from kelly_core.plugins import PluginHost
from kelly_core.progress import Progress, Silent
from kelly_core.specs import ModelSpec
from kelly_core.workspace import Workspace

if TYPE_CHECKING:
    from kelly_core.data import Dataset
    from kelly_core.task import Prepared, Split, Task


@dataclass(frozen=True)
class Request:
    """What the user asked for.

    Attributes:
        model: Any of the model's names.
        data: `--data`: a folder, `"demo"`, or None for the data root.
        dataset: `--dataset`: which dataset plugin reads it.
        config_file: `--config`.
        sets: `--set` values.
        flags: Dotted configuration key to flag value; None where a flag wasn't given.
        resume: Go on with the last run.
    """

    model: str
    data: str | None = None
    dataset: str | None = None
    config_file: Path | None = None
    sets: Sequence[str] = ()
    flags: Mapping[str, Any] = field(default_factory=dict)
    resume: bool = False


@dataclass(frozen=True)
class Job:
    """A request with everything found that it needs.

    Attributes:
        checkpoint: The `last.pt` to resume from.
        data: What `--data` said, stored with the run so that a resume finds the same.
    """

    spec: ModelSpec
    resolved: Resolved[Any]
    task: Task[Any]
    dataset: Dataset
    split: Split
    workspace: Workspace
    host: PluginHost
    data: str | None
    checkpoint: Mapping[str, Any] | None = None

    @property
    def config(self) -> TrainConfig:
        """The resolved configuration."""
        config: TrainConfig = self.resolved.config
        return config

    @property
    def cache(self) -> Path:
        """Folder of the feature cache."""
        return feature_cache_folder(self.workspace, self.config.data_root)

    def prepare(self, progress: Progress | None = None, workers: int = 1) -> Prepared:
        """Features of every item, through the cache."""
        from kelly_core.task import Context

        return self.task.prepare(self.dataset, self.split, Context(self.cache, progress or Silent(), workers))


def find_job(request: Request, workspace: Workspace, host: PluginHost) -> Job:
    """Resolve the configuration, find and split the data. Decodes and trains nothing.

    Raises:
        ConfigError, DataError, PluginError, CheckpointError: What was asked for can't be done; says why.
    """
    spec = host.model(request.model)
    if request.resume:
        return _resumed(request, spec, workspace, host)
    resolved = resolve_config(request, spec, workspace)
    missing_exporters(resolved, host)
    return _with_data(spec, resolved, workspace, host, request.data, None)


def missing_exporters(resolved: Resolved[Any], host: PluginHost) -> list[str]:
    """Formats that a configuration file asks for and nothing installed here can write.

    Raises:
        PluginError: A flag or `--set` asked for one: better now than after hours of training.
    """
    installed = {entry.name for entry in host.entries if entry.kind == "exporter"}
    missing = [name for name in resolved.config.requested_exports() if name not in installed]
    for name in missing:
        if resolved.origins[f"export_{name}"].startswith("--"):
            host.exporter(name)  # raises, naming what is installed
    return missing


def resolve_config(request: Request, spec: ModelSpec, workspace: Workspace) -> Resolved[Any]:
    """The configuration of a request, from flags down to package defaults."""
    return resolve(
        spec.config_class(),
        workspace_file=workspace_file(workspace.configs, (spec.name, spec.model_id, *spec.aliases)),
        config_file=request.config_file,
        sets=request.sets,
        flags=_flags(request),
    )


def _resumed(request: Request, spec: ModelSpec, workspace: Workspace, host: PluginHost) -> Job:
    from kelly_core.checkpoint import read_checkpoint

    path = workspace.checkpoints(spec.model_id) / "last.pt"
    if not path.exists():
        raise CheckpointError(
            f"there is no run of {spec.name!r} to go on with",
            where=str(path),
            hint=f"start one: `kelly train {spec.name} --data demo`",
            code="checkpoint.no-run",
        )
    checkpoint = read_checkpoint(path)
    if "resume" not in checkpoint:
        raise CheckpointError(
            "it holds weights only, no position to go on from",
            where=str(path),
            hint="start a new run",
            code="checkpoint.no-run",
        )
    stored = load_stored(spec.config_class(), checkpoint["config"], where=str(path))
    resolved = resolve(
        spec.config_class(),
        package_default=dump(stored),
        config_file=request.config_file,
        sets=request.sets,
        flags=_flags(request),
    )
    refused = [one.key for one in describe_changes(resolved) if one.key not in ("epochs", "device")]
    refused += ["--data"] if request.data not in (None, checkpoint["data"]) else []
    if refused:
        raise ConfigError(
            f"a resumed run keeps its settings; {', '.join(map(repr, refused))} can't change",
            hint="only --epochs and --device may; leave out --resume to start a new run",
            code="config.resume",
        )
    if resolved.config.epochs < checkpoint["epoch"]:
        raise ConfigError(
            f"{checkpoint['epoch']} epochs are done already; --epochs {resolved.config.epochs} is less",
            hint="give a larger number",
            code="config.resume",
        )
    return _with_data(spec, resolved, workspace, host, checkpoint["data"], checkpoint)


def _flags(request: Request) -> dict[str, Any]:
    """Dotted key to value of every flag that names a setting."""
    return {**request.flags, **({} if request.dataset is None else {"dataset": request.dataset})}


def _with_data(
    spec: ModelSpec,
    resolved: Resolved[Any],
    workspace: Workspace,
    host: PluginHost,
    data: str | None,
    checkpoint: Mapping[str, Any] | None,
) -> Job:
    config: TrainConfig = resolved.config
    task: Task[Any] = spec.make_task(config)
    dataset = open_dataset(
        host, spec, data, config.dataset, workspace, config.data_root, task.dataset_options()
    )
    split = split_items(dataset.items, config.split)
    return Job(spec, resolved, task, dataset, split, workspace, host, data, checkpoint)
