"""What a plugin declares: frozen, light descriptions. Nothing here imports a heavy library."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kelly_core.errors import InferenceOnlyError, PluginError

Dim = int | str
"""One dimension: a fixed size, or the name of a size that varies (`"batch"`, `"frames"`)."""


@dataclass(frozen=True, slots=True)
class LazyRef:
    """A `"package.module:attribute"` that is imported only when it is used.

    >>> LazyRef("math:sqrt").resolve()(9.0)
    3.0
    """

    target: str

    def __post_init__(self) -> None:
        module, _, attribute = self.target.partition(":")
        if not module or not attribute:
            raise PluginError(
                f"{self.target!r} is not of the form 'package.module:attribute'",
                hint="write LazyRef('my_package.task:MyTask')",
                code="plugin.broken",
            )

    def resolve(self) -> Any:
        """Import the module and return the attribute.

        Raises:
            PluginError: The module has no such attribute. Errors of the import itself pass through.
        """
        name, _, attribute = self.target.partition(":")
        module = importlib.import_module(name)
        try:
            return getattr(module, attribute)
        except AttributeError:
            raise PluginError(
                f"module {name!r} has no attribute {attribute!r}",
                where=f"LazyRef({self.target!r})",
                hint="the plugin's spec and its code disagree; upgrade or report the plugin",
                code="plugin.broken",
            ) from None


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """A named tensor at a model's interface.

    Attributes:
        name: Name that every runtime uses.
        shape: Fixed sizes and names of varying ones, e.g. `("batch", 1, 64, "frames")`.
        dtype: NumPy name of the element type.
        unit: What one number means, e.g. `"dB (10 log10 of mel power)"`, `"logit"`.
        low: Smallest meaningful value, if there is one.
        high: Largest meaningful value, if there is one.
    """

    name: str
    shape: tuple[Dim, ...]
    dtype: str = "float32"
    unit: str = ""
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Pretrained:
    """What is known of a model whose weights were trained elsewhere: Kelly only runs it.

    Attributes:
        reason: Why Kelly doesn't train it, as a clause (`"it took 680,000 hours of speech"`).
        instead: What to do instead of training it, as an instruction.
        source: Where the weights come from (`"openai/whisper-tiny on huggingface.co"`).
        licence: Licence of the weights.
        citation: Who made it.
        find: `find(workspace) -> pathlib.Path`: the folder of the weights that predicting would use. Downloads
            nothing; raises `KellyError` saying where it looked and how to get them.
        open_weights: `open_weights(folder) -> Any`: the model from a folder; raises `KellyError` over one
            that holds no usable weights.
        modules: Top-level modules it imports, so that `kelly doctor` can tell whether it works here.
        install_hint: Command that brings them.
    """

    reason: str
    instead: str
    source: str
    licence: str
    citation: str
    find: LazyRef
    open_weights: LazyRef
    modules: tuple[str, ...] = ()
    install_hint: str = ""

    def missing(self) -> list[str]:
        """Modules it needs that aren't installed; imports nothing."""
        return [module for module in self.modules if importlib.util.find_spec(module) is None]


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """A model: one that Kelly trains, or one that it only runs (`pretrained`).

    Attributes:
        name: Short name, equal to the entry point's (`"emotion"`).
        model_id: Name of its files and registry entry (`"emotionrecognizer"`).
        task: Task name of the registry (`"emotion_embedding"`).
        summary: One line for people.
        config: The pydantic configuration class, a `kelly_core.config.TrainConfig`; None for one only run.
        task_class: The `kelly_core.task.Task` that trains it (may import torch); None for one only run.
        predict: Function that becomes `kelly predict NAME`; typer reads its signature.
        infer_file: `infer_file(engine, path)`, for `Engine.infer_file`: a `kelly_core.inference.FilePrediction`
            of a classifier, a `FileEmbedding` of a model that gives vectors, else what suits the model.
        protocols: Mapping of protocol name to `kelly_core.evaluate.Protocol`, for `kelly evaluate --protocol`.
        aliases: Other names a user may type (`"emotion_recognizer"`).
        inputs, outputs, state: Tensors at the interface.
        latency_budget_ms: Longest allowed time of one inference, one CPU thread, in ms.
        default_dataset: Dataset tried for `--data demo`.
        datasets: Dataset plugins of others that it can train on too (`"midi-folder"`).
        data_folder: Folder below the data root's `raw/` where this model's data lies.
        export_formats: Exporters tried by `--all`, in this order; one that can't carry the network says so.
        pretrained: What is known of a model that is only run, in place of `config` and `task_class`.
    """

    name: str
    model_id: str
    task: str
    summary: str
    config: LazyRef | None = None
    task_class: LazyRef | None = None
    predict: LazyRef | None = None
    infer_file: LazyRef | None = None
    protocols: LazyRef | None = None
    aliases: tuple[str, ...] = ()
    inputs: tuple[TensorSpec, ...] = ()
    outputs: tuple[TensorSpec, ...] = ()
    state: tuple[TensorSpec, ...] = ()
    latency_budget_ms: float = 5.0
    default_dataset: str = ""
    datasets: tuple[str, ...] = ()
    data_folder: str = ""
    export_formats: tuple[str, ...] = ("onnx", "torchscript", "rtneural", "cpp", "coreml")
    pretrained: Pretrained | None = None

    def __post_init__(self) -> None:
        trained = self.config is not None and self.task_class is not None
        only_run = self.config is None and self.task_class is None and self.pretrained is not None
        if not (only_run or (trained and self.pretrained is None)):
            raise PluginError(
                f"model {self.name!r} must have config and task_class, or else `pretrained` alone",
                where="ModelSpec",
                hint="a model that is only run says why, and where its weights come from, by `pretrained`",
                code="plugin.broken",
            )

    def require_trainable(self, where: str) -> None:
        """Refuse what a model that is only run can't do.

        Args:
            where: What was asked for: `"kelly train"`.

        Raises:
            InferenceOnlyError: The model is only run; says why, and what to do instead.
        """
        if self.pretrained is not None:
            raise InferenceOnlyError(
                f"{self.name!r} is only run (`kelly predict {self.name}`), not trained, measured or exported "
                f"here: {self.pretrained.reason}",
                where=where,
                hint=self.pretrained.instead,
            )

    def config_class(self) -> Any:
        """The configuration class.

        Raises:
            InferenceOnlyError: The model is only run.
        """
        self.require_trainable(f"configuration of {self.name!r}")
        assert self.config is not None
        return self.config.resolve()

    def make_task(self, config: Any) -> Any:
        """The task that trains the model, with this configuration.

        Raises:
            InferenceOnlyError: The model is only run.
        """
        self.require_trainable(f"task of {self.name!r}")
        assert self.task_class is not None
        return self.task_class.resolve()(config)


@dataclass(frozen=True, slots=True)
class ArchiveSpec:
    """Where a dataset's official archive lies, for `kelly data get`.

    Attributes:
        url: Its address.
        size: Bytes; None where the publisher may pack it anew.
        sha256: Its SHA-256 in hexadecimal; empty where the publisher may pack it anew.
        name: What the file is called; empty for the last part of the address.
    """

    url: str
    size: int | None = None
    sha256: str = ""
    name: str = ""

    @property
    def filename(self) -> str:
        """The archive's own name."""
        return self.name or self.url.rsplit("/", 1)[-1]


@dataclass(frozen=True, slots=True)
class DatasetSpec:
    """A way to read a dataset's layout.

    Attributes:
        name: Name, equal to the entry point's (`"ravdess"`).
        summary: One line for people.
        models: Short names of the models it can train.
        opener: `open(path, options) -> kelly_core.data.Dataset`; lists items, decodes nothing.
        recognises: `recognises(path) -> bool`: whether this folder has its layout. Cheap, never raises.
        synthetic: True when the data is made, not recorded; shown wherever the data is named.
        builtin: True when it needs no path (`--data demo`).
        licence: Licence of the data, for the model card.
        citation: Who made it, for the model card.
        archive: What `kelly data get` downloads.
    """

    name: str
    summary: str
    models: tuple[str, ...]
    opener: LazyRef
    recognises: LazyRef | None = None
    synthetic: bool = False
    builtin: bool = False
    licence: str = ""
    citation: str = ""
    archive: ArchiveSpec | None = None


@dataclass(frozen=True, slots=True)
class ExporterSpec:
    """A file format a trained model can be written in.

    Attributes:
        name: Name, equal to the entry point's and to `--format` (`"onnx"`).
        summary: One line for people.
        suffix: File suffix with the dot (`".onnx"`).
        export: `export(bundle: kelly_core.export.ExportBundle, path) -> None`; writes the artefact.
        open_runner: `open_runner(path, contract, threads) -> Runner`, what verification and inference call.
        modules: Top-level modules it imports, so that `kelly doctor` can tell whether it works here.
        install_hint: Command that brings them.
        lossy: Largest difference that the format makes on purpose (quantised weights), as a share of an
            output's largest value or of 1; 0 for a format that computes what the model computes.
        why_not: `why_not() -> str`: why its files can't be run on this machine, empty where they can. Such a
            file is inspected, never said to have passed.
        inspect: `inspect(path, contract, module | None) -> kelly_core.export.Inspection`: what can be told
            without running the file, e.g. whether every weight is the trained module's.
        interface: Which of the model's other interfaces its files have (`Task.other_interface`): `"waveform"`,
            `"whole"`; empty for the contract's own.
        code: Language -> `write(contract, folder) -> list[pathlib.Path]`: writes source code for programs that
            use its files, into the folder where they lie, for `kelly export --code LANGUAGE`.
    """

    name: str
    summary: str
    suffix: str
    export: LazyRef
    open_runner: LazyRef
    modules: tuple[str, ...] = ()
    install_hint: str = ""
    lossy: float = 0.0
    why_not: LazyRef | None = None
    inspect: LazyRef | None = None
    interface: str = ""
    code: Mapping[str, LazyRef] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class DeviceSpec:
    """A kind of compute device.

    Attributes:
        name: Name, equal to the entry point's and to `--device` (`"mps"`).
        summary: One line for people.
        probe: `probe() -> kelly_core.devices.probe.DeviceReport`; may import torch.
        batch_size: Recommended batch size, low and high.
        num_workers: Recommended loader workers.
        pin_memory: Whether pinned host memory helps.
        priority: Order in which `auto` tries candidates; higher first.
    """

    name: str
    summary: str
    probe: LazyRef
    batch_size: tuple[int, int] = (8, 16)
    num_workers: int = 0
    pin_memory: bool = False
    priority: int = 0
    extra: dict[str, Any] = field(default_factory=dict, hash=False)


AnySpec = ModelSpec | DatasetSpec | ExporterSpec | DeviceSpec
