"""Find a model's data: what `--data` and `--dataset` mean, and which dataset plugin knows the layout."""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kelly_core.data.dataset import Dataset
from kelly_core.errors import DataError
from kelly_core.plugins import PluginHost
from kelly_core.specs import DatasetSpec, ModelSpec
from kelly_core.workspace import Workspace

DEMO = "demo"
log = logging.getLogger(__name__)


def open_dataset(
    host: PluginHost,
    spec: ModelSpec,
    data: str | None,
    dataset_name: str | None,
    workspace: Workspace,
    data_root: str | None,
    options: Mapping[str, Any],
) -> Dataset:
    """Open the data a command was asked to use.

    Args:
        host: Where dataset plugins come from.
        spec: The model that the data is for.
        data: `--data`: a folder, `"demo"` for the model's built-in set, or None for the data root's
            `raw/<the model's folder>`.
        dataset_name: `--dataset`: the plugin to read it with; None asks each whether it knows the layout.
        workspace: Relative to which the data root lies.
        data_root: `data_root` of the configuration.
        options: Passed on to the dataset plugin.

    Raises:
        DataError: There is no data, no plugin knows the layout, or two do.
        PluginError: There is no such dataset plugin.
    """
    root = workspace.data_root(data_root)
    dataset = host.dataset(dataset_name) if dataset_name else None
    if data == DEMO and dataset is None:
        dataset = _demo(host, spec)
    if dataset is not None and dataset.builtin and data in (None, DEMO):
        return _open(dataset, root / "cache" / dataset.name, options)
    folder = _given_folder(spec, data) if data else _default_folder(host, spec, dataset, root)
    return _open(dataset or _recognise(host, spec, folder), folder, options)


def feature_cache_folder(workspace: Workspace, data_root: str | None) -> Path:
    """Where features are cached: `<data root>/cache/features`."""
    return workspace.data_root(data_root) / "cache" / "features"


def _open(dataset: DatasetSpec, folder: Path, options: Mapping[str, Any]) -> Dataset:
    opened = dataset.opener.resolve()(folder, options)
    assert isinstance(opened, Dataset), f"{dataset.name!r} opened a {type(opened).__name__}"
    return opened


def _demo(host: PluginHost, spec: ModelSpec) -> DatasetSpec:
    if not spec.default_dataset:
        raise DataError(f"model {spec.name!r} has no built-in data", hint="give a folder: --data PATH")
    return host.dataset(spec.default_dataset)


def _given_folder(spec: ModelSpec, data: str) -> Path:
    folder = Path(data).expanduser().absolute()
    if not folder.exists():
        hint = (
            "check the path; `--data demo` uses the built-in set" if spec.default_dataset else "check the path"
        )
        raise DataError("there is no such folder", where=str(folder), hint=hint, code="data.no-folder")
    if not folder.is_dir():
        raise DataError(
            "is a file",
            where=str(folder),
            hint=f"give the folder: --data {folder.parent}",
            code="data.no-folder",
        )
    raw = folder / "raw" / spec.data_folder  # somebody named the data root
    return raw if spec.data_folder and _has_files(raw) else folder


def _default_folder(host: PluginHost, spec: ModelSpec, dataset: DatasetSpec | None, root: Path) -> Path:
    folder = root / "raw" / spec.data_folder
    if spec.data_folder and _has_files(folder):
        return folder
    steps = [f"bring your own: `kelly data import SRC --to {spec.data_folder}`, or name it with --data PATH"]
    known = [dataset] if dataset is not None else host.specs("dataset", DatasetSpec)
    public = [one.name for one in known if one.archive is not None and spec.name in one.models]
    steps += [f"or fetch a public set: `kelly data get {name}`" for name in public]
    if spec.default_dataset and dataset is None:
        steps.append("or use the built-in set: --data demo")
    raise DataError(
        f"there is no data for {spec.name!r} yet", where=str(folder), hint="; ".join(steps), code="data.none"
    )


def _has_files(folder: Path) -> bool:
    names = (name for _, _, files in os.walk(folder) for name in files)
    return any(not name.startswith(".") for name in names)


def _recognise(host: PluginHost, spec: ModelSpec, folder: Path) -> DatasetSpec:
    every = host.specs("dataset", DatasetSpec)
    own = [one for one in every if spec.name in one.models]
    general = [one for one in every if one.name in spec.datasets and one not in own]
    # A reader made for this model knows more than a general one.
    found = [one for one in own if _knows(one, folder)] or [one for one in general if _knows(one, folder)]
    if len(found) == 1:
        return found[0]
    if found:
        names = " and ".join(repr(one.name) for one in found)
        choices = " or ".join(f"--dataset {one.name}" for one in found)
        raise DataError(
            f"{names} both know this layout",
            where=str(folder),
            hint=f"say which: {choices}",
            code="data.layout",
        )
    known = [one for one in (*own, *general) if not one.builtin]
    layouts = "; ".join(f"{one.name}: {one.summary}" for one in known) or "none installed"
    raise DataError(
        f"no dataset plugin for {spec.name!r} knows this layout. Seen: {_seen(folder)}. Known: {layouts}",
        where=str(folder),
        hint="arrange the files in one of these ways, or force one with --dataset NAME",
        code="data.layout",
    )


def _knows(dataset: DatasetSpec, folder: Path) -> bool:
    """Ask one plugin; one that breaks its promise never to raise doesn't know the layout."""
    if dataset.recognises is None:
        return False
    try:
        return bool(dataset.recognises.resolve()(folder))
    except Exception as error:  # noqa: BLE001 - somebody's plugin; the others must go on
        log.warning("dataset plugin %r can't look at %s: %s", dataset.name, folder, error)
        return False


def _seen(folder: Path) -> str:
    """What lies directly in a folder, in a few words."""
    folders: list[str] = []
    suffixes: Counter[str] = Counter()
    for path in sorted(folder.iterdir()):
        if path.is_dir():
            folders.append(path.name)
        else:
            suffixes[path.suffix or path.name] += 1
    parts = []
    if folders:
        more = ", ..." if len(folders) > 6 else ""
        parts.append(f"{len(folders)} folders ({', '.join(folders[:6])}{more})")
    parts += [f"{count} {suffix} files" for suffix, count in suffixes.most_common(4)]
    return ", ".join(parts) or "an empty folder"
