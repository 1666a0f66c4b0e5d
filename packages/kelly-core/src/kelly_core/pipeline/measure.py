"""`kelly evaluate` without a protocol: the trained model on its own split, or on other data."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from kelly_core.checkpoint import TrainedModel, load_trained
from kelly_core.data import Dataset
from kelly_core.data.discover import feature_cache_folder, open_dataset
from kelly_core.data.splits import split_items
from kelly_core.pipeline.results import measure
from kelly_core.plugins import PluginHost
from kelly_core.progress import Progress
from kelly_core.specs import ModelSpec
from kelly_core.task import Context, Source, Split
from kelly_core.workspace import Workspace


def measure_trained(
    spec: ModelSpec,
    workspace: Workspace,
    host: PluginHost,
    data: str | None,
    dataset_name: str | None,
    checkpoint: Path | None,
    progress: Progress,
) -> dict[str, Any]:
    """Metrics of the trained weights, as plain values.

    Args:
        spec: The model.
        workspace: Where its checkpoint and caches lie.
        host: Installed plugins.
        data: Other data: all of it is test data, and baselines have nothing to learn from; None for the
            split that the model was trained with.
        dataset_name: Dataset plugin that reads `data`; None asks each.
        checkpoint: Weights; None for `best.pt`.
        progress: Where the work reports.

    Raises:
        CheckpointError, DataError: There is no trained model, or the data can't be used.
    """
    trained, dataset, sources = prepared_sources(
        spec, workspace, host, data, dataset_name, checkpoint, progress
    )
    own = data is None and dataset_name is None
    measured = sources if own else {"test": sources["test"]}
    results = measure(trained.task, trained.module, measured, trained.task.config.seed)
    return {
        "model": spec.name,
        "checkpoint": str(trained.path),
        "dataset": dataset.name,
        "synthetic": dataset.synthetic,
        "items": len(results.predictions.targets),
        **results.as_dict(),
    }


def prepared_sources(
    spec: ModelSpec,
    workspace: Workspace,
    host: PluginHost,
    data: str | None,
    dataset_name: str | None,
    checkpoint: Path | None,
    progress: Progress,
    sides: Collection[str] = (),
) -> tuple[TrainedModel, Dataset, Mapping[str, Source]]:
    """The trained model, and what it is measured on; arguments as `measure_trained`.

    `sides` are the sides of the split to prepare; empty for all.
    """
    trained = load_trained(checkpoint or workspace.checkpoints(spec.model_id) / "best.pt", host, name=spec.name)
    task, config = trained.task, trained.task.config
    own = data is None and dataset_name is None
    where = trained.meta["data"] if own else data
    name = trained.meta["dataset"] if own else dataset_name
    dataset = open_dataset(host, spec, where, name, workspace, config.data_root, task.dataset_options())
    split: Split = split_items(dataset.items, config.split) if own else _all_as_test(len(dataset.items))
    chosen = {side: part for side, part in split.items() if not sides or side in sides}
    cache = feature_cache_folder(workspace, config.data_root)
    prepared = task.prepare(dataset, chosen or split, Context(cache, progress))
    return trained, dataset, prepared.sources


def _all_as_test(count: int) -> Split:
    return {"test": np.arange(count)}
