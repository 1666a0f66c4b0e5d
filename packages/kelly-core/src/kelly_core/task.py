"""What a model package implements so that core can train, evaluate, export and describe it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Generic, Literal, Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from kelly_core.chain import Chain
from kelly_core.config import TrainConfig
from kelly_core.contract import Pooling, StateInfo, TableInfo, TensorInfo
from kelly_core.data import Dataset, Problem
from kelly_core.deployed import Deployed
from kelly_core.errors import FormatError, UserError
from kelly_core.export import Runner, View
from kelly_core.progress import Progress, Silent

ConfigT = TypeVar("ConfigT", bound=TrainConfig)
Split = Mapping[str, NDArray[np.int64]]
"""Indices into `Dataset.items` for `"train"`, `"validation"` and `"test"`."""


class Source(Protocol):
    """Examples that are fetched a whole batch at a time."""

    def __len__(self) -> int:
        """Number of examples."""
        ...

    def fetch(self, indices: NDArray[np.int64], rng: np.random.Generator | None) -> dict[str, Tensor]:
        """Batch of these examples on the CPU.

        Args:
            indices: (batch,) positions in `range(len(self))`.
            rng: Randomness of cropping and the like; None for the one deterministic view.
        """
        ...


@dataclass(frozen=True)
class Context:
    """What preparing data may need from its surroundings.

    Attributes:
        cache: Folder for feature caches.
        progress: Where long work reports.
        workers: Processes for feature work.
    """

    cache: Path
    progress: Progress = field(default_factory=Silent)
    workers: int = 1


@dataclass(frozen=True)
class Prepared:
    """A dataset ready to train on.

    Attributes:
        sources: `"train"`, `"validation"`, `"test"`; test may be missing.
        problems: Files left out, with reasons.
        content_hash: SHA-256 over what was decoded; changes when any used sample does.
        summary: Facts for run, registry and card: counts per class and split, hours, groups.
    """

    sources: Mapping[str, Source]
    problems: Sequence[Problem]
    content_hash: str
    summary: Mapping[str, Any]


@dataclass(frozen=True)
class Predictions:
    """What a model, or a baseline, said about a set of items.

    Attributes:
        outputs: (items, ...) scores; logits or probabilities for a classifier.
        targets: (items, ...) truth.
        groups: (items,) names that a bootstrap resamples: speaker, song, drummer.
        items: (items,) paths.
        loss: Mean loss, NaN where a baseline has none.
        extra: Further columns, each (items,), e.g. sex.
    """

    outputs: NDArray[Any]
    targets: NDArray[Any]
    groups: NDArray[Any]
    items: Sequence[str]
    loss: float = float("nan")
    extra: Mapping[str, NDArray[Any]] = field(default_factory=dict)

    def take(self, indices: NDArray[np.int64]) -> Predictions:
        """The predictions at these positions, as a bootstrap draws them."""
        return Predictions(
            self.outputs[indices],
            self.targets[indices],
            self.groups[indices],
            [self.items[i] for i in indices],
            self.loss,
            {name: column[indices] for name, column in self.extra.items()},
        )


@dataclass(frozen=True)
class Interface:
    """The part of the contract that only the model package knows."""

    inputs: list[TensorInfo]
    outputs: list[TensorInfo]
    state: list[StateInfo] = field(default_factory=list)
    pooling: Pooling = field(default_factory=lambda: Pooling(kind="none"))
    labels: list[str] = field(default_factory=list)
    features: dict[str, Any] = field(default_factory=dict)
    window: dict[str, int] = field(default_factory=dict)


class Task(ABC, Generic[ConfigT]):
    """How one model is trained. Holds the configuration, no state of the run.

    Class attributes:
        monitor: Validation metric that chooses the epoch, one of `metrics()`, or `"loss"`.
        monitor_mode: Whether more or less of it is better.
        chain_setting: Setting with which the network is a chain of layers (`"architecture_type=lstm"`).
    """

    monitor: ClassVar[str] = "loss"
    monitor_mode: ClassVar[Literal["min", "max"]] = "min"
    chain_setting: ClassVar[str] = ""

    def __init__(self, config: ConfigT) -> None:
        self.config = config

    def dataset_options(self) -> dict[str, Any]:
        """What the configuration tells the dataset's opener (label synonyms, classes to drop)."""
        return {}

    @abstractmethod
    def prepare(self, dataset: Dataset, split: Split, context: Context) -> Prepared:
        """Turn items into sources, through the feature cache."""

    @abstractmethod
    def build(self, train: Source | None) -> nn.Module:
        """The network, in training mode on the CPU.

        Args:
            train: Where statistics that live in the network (normalisation) come from; None when a
                checkpoint's weights follow.
        """

    @abstractmethod
    def loss(self, model: nn.Module, batch: Mapping[str, Tensor], generator: torch.Generator) -> Tensor:
        """Mean loss over the batch, augmentation included.

        Args:
            model: The network, in training mode, perhaps wrapped for several processes.
            batch: What `Source.fetch` gave, on the training device.
            generator: CPU generator for augmentation, seeded per step.
        """

    @abstractmethod
    def predict(self, model: nn.Module, source: Source, batch_size: int) -> Predictions:
        """Outputs of a model in evaluation mode for a whole source, with the mean loss."""

    @abstractmethod
    def metrics(self, predictions: Predictions) -> dict[str, float]:
        """Scalars by name (`"uar"`, `"accuracy"`); called thousands of times by the bootstrap: be quick."""

    def sums(self, predictions: Predictions) -> Mapping[str, tuple[NDArray[Any], NDArray[Any]]] | None:
        """Metrics as ratios of sums over items: for each, numerator and denominator, (items,) both.

        Optional, for sets of many thousand items: where every metric is such a ratio (a mean absolute
        error, a mean over performances with the figure on each one's first item), the bootstrap adds up
        per group instead of calling `metrics` thousands of times. Must agree with `metrics`.
        """
        return None

    @abstractmethod
    def interface(self) -> Interface:
        """Tensors, labels and feature constants for the contract."""

    @abstractmethod
    def example_inputs(self, source: Source | None, batch: int) -> dict[str, NDArray[Any]]:
        """Inputs for tracing and parity: real ones from `source`, or zeros of the right shape."""

    def extreme_inputs(self) -> dict[str, dict[str, NDArray[Any]]]:
        """Named edge cases for parity, e.g. silence and full scale."""
        return {}

    def export_module(self, model: nn.Module) -> nn.Module:
        """What is exported: takes the contract's inputs in order, returns its outputs in order."""
        return model

    def deployed(self, model: nn.Module, runner: Runner) -> nn.Module:
        """An exported file in the place of the network in `predict`.

        By default what is exported takes and gives what the network does. A task whose `export_module` is
        something else (a step, a chunk of frames) wraps `kelly_core.deployed.Deployed` in the rest.

        Args:
            model: The trained network.
            runner: The opened file.

        Raises:
            UserError: The task wraps its network for export and doesn't say how to undo it.
        """
        if self.export_module(model) is not model:
            raise UserError(
                "this model can't be measured in other runtimes",
                where=type(self).__name__,
                hint="its task has to implement `deployed`",
            )
        return Deployed(runner, self.interface())

    def other_interface(self, name: str, model: nn.Module) -> View:
        """Another interface that files may have: `"waveform"` takes sound, `"whole"` sequences at once.

        Args:
            name: As exporters call it (`ExporterSpec.interface`).
            model: The trained network.

        Raises:
            FormatError: The network has no such interface; says why, and which format carries it.
        """
        raise FormatError(
            f"{type(self).__name__} has no interface {name!r}",
            hint="another format carries it, e.g. onnx",
            code="format.interface",
        )

    def tables(self, model: nn.Module) -> dict[str, TableInfo]:
        """Numbers that a host needs beside the network, for the contract: a prior for decoding, say."""
        return {}

    def chain(self, model: nn.Module) -> Chain | None:
        """The network as a chain of layers computed frame by frame, for formats that know nothing else.

        Optional. `kelly_core.chain.layers_of` turns torch modules into layers; normalisation, bounds and
        scaling go in as layers too (`BatchNorm.affine`, `clamp`), so that the chain computes what
        `export_module` computes. Its `ChainInfo` says which tensors of `interface` a frame is made of.

        Returns:
            None where the configured network isn't a chain; `chain_setting` then names one that is.

        Raises:
            FormatError: A layer is none that a chain carries.
        """
        return None

    def baselines(self, sources: Mapping[str, Source], on: str) -> dict[str, Predictions]:
        """Trivial and classical predictors fitted on `sources["train"]`, predicting split `on`."""
        return {}

    def variants(self, model: nn.Module, source: Source) -> dict[str, Predictions]:
        """Predictions of a trained model on changed inputs, by name, e.g. `"+6 dB"`."""
        return {}

    def breakdown(self, predictions: Predictions) -> dict[str, float]:
        """Further figures about predictions: the worst group, the gap between two kinds of speaker."""
        return {}

    def write_samples(self, model: nn.Module, source: Source, folder: Path) -> None:
        """Write a few predictions that a person can look at or listen to."""

    def figures(self, predictions: Predictions, folder: Path) -> list[Path]:
        """Draw pictures for the card (a confusion matrix) into `folder` and return them."""
        return []

    def limits(self) -> list[str]:
        """Known limits, for the card."""
        return []
