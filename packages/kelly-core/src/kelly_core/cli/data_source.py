"""How the data commands find their dataset and the settings it is read with, and say what they found."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kelly_core.cli import console

if TYPE_CHECKING:
    from kelly_core.config import TrainConfig
    from kelly_core.data import Dataset
    from kelly_core.plugins import PluginHost
    from kelly_core.specs import ModelSpec

SHOWN = 20
"""Problems and leaks printed before the rest is only counted; --json has all."""


def open_data(path: str | None, model: str, dataset: str | None) -> tuple[Dataset, TrainConfig]:
    """The dataset as training would open it, and the configuration that decides its split."""
    from kelly_core.data.discover import open_dataset

    host, place = console.host(), console.workspace()
    spec, config = host.model(model), model_config(host, model, dataset)
    options = _options(spec, config)
    return open_dataset(host, spec, path, config.dataset, place, config.data_root, options), config


def model_config(host: PluginHost, model: str, dataset: str | None = None) -> TrainConfig:
    """The configuration that training this model would use: workspace file over package default."""
    from kelly_core.pipeline.prepare import Request, resolve_config

    request = Request(model, dataset=dataset)
    config: TrainConfig = resolve_config(request, host.model(model), console.workspace()).config
    return config


def data_root_for(folder: str) -> Path:
    """The data root that the model with this folder is configured to use."""
    from kelly_core.specs import ModelSpec

    host = console.host()
    specs = [spec for spec in host.specs("model", ModelSpec) if spec.pretrained is None]
    models = [spec.name for spec in specs if spec.data_folder == folder]
    configured = model_config(host, models[0]).data_root if models else None
    return console.workspace().data_root(configured)


def _options(spec: ModelSpec, config: TrainConfig) -> dict[str, Any]:
    try:
        options: dict[str, Any] = spec.make_task(config).dataset_options()
    except ModuleNotFoundError:  # without the train extra, data can still be checked with default labels
        return {}
    return options


def about(dataset: Dataset) -> dict[str, Any]:
    """The dataset as plain values."""
    return {
        "dataset": dataset.name,
        "root": str(dataset.root),
        "synthetic": dataset.synthetic,
        "items": len(dataset.items),
        "notes": list(dataset.notes),
    }


def print_about(dataset: Dataset) -> None:
    """The dataset in a line or two."""
    console.say(f"{dataset.name}: {dataset.root}{' (synthetic)' if dataset.synthetic else ''}")
    for remark in dataset.notes:
        console.say(f"  {remark}")


def print_some(what: str, things: Sequence[object]) -> None:
    """The first `SHOWN` things, each named as `what`, and how many there are beyond."""
    for thing in things[:SHOWN]:
        console.say(f"{what}: {thing}")
    if len(things) > SHOWN:
        console.say(f"... and {len(things) - SHOWN} more; --json lists all")
