"""The hooks a plugin may implement. Discovery hooks return specs; observers watch a run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    from kelly_core.specs import DatasetSpec, DeviceSpec, ExporterSpec, ModelSpec

PROJECT = "kelly"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)
"""Marks a plugin's functions as implementations of the hooks below."""


@hookspec
def kelly_models() -> Iterable[ModelSpec]:  # type: ignore[empty-body]
    """Models this package brings.

    >>> from kelly_core.hookspecs import hookimpl
    >>> from kelly_core.specs import LazyRef, ModelSpec
    >>> @hookimpl
    ... def kelly_models():
    ...     return [
    ...         ModelSpec(
    ...             name="key",
    ...             model_id="keyfinder",
    ...             task="key_detection",
    ...             summary="audio -> key",
    ...             config=LazyRef("kelly_key.config:KeyConfig"),
    ...             task_class=LazyRef("kelly_key.task:KeyTask"),
    ...         )
    ...     ]
    >>> [spec.name for spec in kelly_models()]
    ['key']
    """


@hookspec
def kelly_datasets() -> Iterable[DatasetSpec]:  # type: ignore[empty-body]
    """Dataset layouts this package reads.

    >>> from kelly_core.hookspecs import hookimpl
    >>> from kelly_core.specs import DatasetSpec, LazyRef
    >>> @hookimpl
    ... def kelly_datasets():
    ...     opener = LazyRef("kelly_key.data:open_folder")
    ...     return [DatasetSpec("giantsteps", "key-labelled clips", models=("key",), opener=opener)]
    >>> [spec.name for spec in kelly_datasets()]
    ['giantsteps']
    """


@hookspec
def kelly_exporters() -> Iterable[ExporterSpec]:  # type: ignore[empty-body]
    """File formats this package writes.

    >>> from kelly_core.hookspecs import hookimpl
    >>> from kelly_core.specs import ExporterSpec, LazyRef
    >>> @hookimpl
    ... def kelly_exporters():
    ...     export, runner = LazyRef("kelly_tfl.write:export"), LazyRef("kelly_tfl.run:open_runner")
    ...     return [ExporterSpec("tflite", "TensorFlow Lite", ".tflite", export, runner)]
    >>> [spec.suffix for spec in kelly_exporters()]
    ['.tflite']
    """


@hookspec
def kelly_devices() -> Iterable[DeviceSpec]:  # type: ignore[empty-body]
    """Compute devices this package knows how to probe.

    >>> from kelly_core.hookspecs import hookimpl
    >>> from kelly_core.specs import DeviceSpec, LazyRef
    >>> @hookimpl
    ... def kelly_devices():
    ...     return [DeviceSpec("xpu", "Intel GPUs", probe=LazyRef("kelly_xpu.probe:probe"))]
    >>> [spec.name for spec in kelly_devices()]
    ['xpu']
    """


@hookspec(firstresult=True)
def kelly_select_device(requested: str, available: Sequence[str]) -> str | None:
    """Choose the device of a run; the first answer that isn't None counts, core's own comes last.

    Args:
        requested: What the user asked for: `"auto"` or a device name.
        available: Names of the devices whose probe succeeded, best first.

    >>> from kelly_core.hookspecs import hookimpl
    >>> @hookimpl
    ... def kelly_select_device(requested, available):
    ...     return "cpu" if requested == "auto" else None
    >>> kelly_select_device("auto", ["mps", "cpu"])
    'cpu'
    """


@hookspec
def kelly_run_started(run: Any, config: Mapping[str, Any]) -> None:
    """A training run begins.

    Args:
        run: The `kelly_core.train.run_folder.Run`: `run.id`, `run.folder`, `run.model_id`.
        config: The resolved configuration as plain values.

    >>> from kelly_core.hookspecs import hookimpl
    >>> @hookimpl
    ... def kelly_run_started(run, config):
    ...     print("training for", config["epochs"], "epochs")
    >>> kelly_run_started(None, {"epochs": 3})
    training for 3 epochs
    """


@hookspec
def kelly_epoch_finished(run: Any, epoch: int, metrics: Mapping[str, float]) -> None:
    """An epoch ended.

    Args:
        run: The run.
        epoch: Number of finished epochs, from 1.
        metrics: Scalars of this epoch, e.g. `train_loss`, `val_loss`, `val_uar`.

    >>> from kelly_core.hookspecs import hookimpl
    >>> @hookimpl
    ... def kelly_epoch_finished(run, epoch, metrics):
    ...     print(epoch, metrics["val_loss"])
    >>> kelly_epoch_finished(None, 1, {"val_loss": 0.5})
    1 0.5
    """


@hookspec
def kelly_checkpoint_saved(run: Any, path: Path) -> None:
    """A checkpoint was written and is whole.

    >>> from pathlib import Path
    >>> from kelly_core.hookspecs import hookimpl
    >>> @hookimpl
    ... def kelly_checkpoint_saved(run, path):
    ...     print("saved", path.name)
    >>> kelly_checkpoint_saved(None, Path("checkpoints/emotionrecognizer/best.pt"))
    saved best.pt
    """


@hookspec
def kelly_export_verified(artifact: Path, report: Any) -> None:
    """An exported artefact passed parity.

    Args:
        artifact: The file or folder.
        report: The `kelly_core.verify.ParityReport`.

    >>> from pathlib import Path
    >>> from kelly_core.hookspecs import hookimpl
    >>> @hookimpl
    ... def kelly_export_verified(artifact, report):
    ...     print("verified", artifact.name)
    >>> kelly_export_verified(Path("models/emotionrecognizer.onnx"), None)
    verified emotionrecognizer.onnx
    """


@hookspec
def kelly_run_finished(run: Any, status: str) -> None:
    """A run ended.

    Args:
        run: The run.
        status: `"finished"`, `"interrupted"` or `"failed"`.

    >>> from kelly_core.hookspecs import hookimpl
    >>> @hookimpl
    ... def kelly_run_finished(run, status):
    ...     print(status)
    >>> kelly_run_finished(None, "finished")
    finished
    """
