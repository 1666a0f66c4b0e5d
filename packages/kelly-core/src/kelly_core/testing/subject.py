"""The plugin that is checked, and what several rules need of it: made once, when first asked for."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from kelly_core.catalog import Entry
from kelly_core.plugins import PluginHost
from kelly_core.specs import AnySpec, DatasetSpec, DeviceSpec, ExporterSpec, ModelSpec, Pretrained
from kelly_core.testing.rules import NotApplicableError
from kelly_core.workspace import Workspace

if TYPE_CHECKING:
    from kelly_core.checkpoint import TrainedModel
    from kelly_core.contract import Contract
    from kelly_core.export import Runner
    from kelly_core.pipeline.prepare import Job
    from kelly_core.task import Prepared

QUICK = (
    "epochs=2",
    "device=cpu",
    "devices=1",
    "precision=32-true",
    "validate_every=1",
    "early_stopping.patience=0",
    "checkpoint.every=0",
    "checkpoint.samples_every=0",
)
"""How a check trains, whatever a model's own defaults are."""


def child_environment(**more: str) -> dict[str, str]:
    """Environment of a child process that imports what this one would; `more` is set in it besides."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), **more}


@dataclass
class Subject:
    """A plugin under test.

    Attributes:
        entry: What its package declares.
        host: Where it is loaded.
        workspace: A temporary one.
        sets: Further settings for training, as after `--set`.
        data: Folder that a dataset opens and a model trains on; None for what is built in.
        blocked: The broken rule after which nothing else can be tried; empty while there is none.
    """

    entry: Entry
    host: PluginHost
    workspace: Workspace
    sets: tuple[str, ...] = ()
    data: Path | None = None
    blocked: str = ""

    @property
    def title(self) -> str:
        """`kind name`."""
        return f"{self.entry.kind} {self.entry.name}"

    @cached_property
    def spec(self) -> AnySpec:
        """What the plugin says about itself."""
        return self.host.spec_of(self.entry)

    @property
    def model(self) -> ModelSpec:
        """The spec of a model."""
        return cast("ModelSpec", self.spec)

    @property
    def pretrained(self) -> Pretrained | None:
        """What a model that is only run says of its weights; None for any other plugin."""
        return self.model.pretrained if self.entry.kind == "model" else None

    @property
    def dataset(self) -> DatasetSpec:
        """The spec of a dataset."""
        return cast("DatasetSpec", self.spec)

    @property
    def exporter(self) -> ExporterSpec:
        """The spec of an exporter."""
        return cast("ExporterSpec", self.spec)

    @property
    def device(self) -> DeviceSpec:
        """The spec of a device."""
        return cast("DeviceSpec", self.spec)

    @cached_property
    def opened(self) -> object:
        """What the dataset's opener gives for built-in data, or for the folder that was given."""
        return self.open_again()

    def open_again(self) -> object:
        """The same, opened anew."""
        if self.data is None and not self.dataset.builtin:
            raise NotApplicableError("it needs a folder in its layout: --data FOLDER")
        folder = self.empty_folder("built-in") if self.data is None else self.data
        opened: object = self.dataset.opener.resolve()(folder, {})
        return opened

    @cached_property
    def job(self) -> Job:
        """A short training on the model's demo data, or on the folder that was given."""
        from kelly_core.pipeline.prepare import Request, find_job
        from kelly_core.runtime import require_torch

        require_torch("checking a model")
        if not self.model.default_dataset and self.data is None:
            raise NotApplicableError("the model names no default_dataset to train on; give one: --data FOLDER")
        data = "demo" if self.data is None else str(self.data)
        request = Request(self.entry.qualified, data=data, sets=(*QUICK, *self.sets))
        return find_job(request, self.workspace, self.host)

    @cached_property
    def prepared(self) -> Prepared:
        """Its data, ready to train on."""
        return self.job.prepare()

    @cached_property
    def trained(self) -> TrainedModel:
        """The model after a short training, its checkpoints in the workspace's folder."""
        from kelly_core.checkpoint import load_trained
        from kelly_core.testing.shorttrain import train

        folder = self.workspace.checkpoints(self.model.model_id)
        train(self, folder)
        return load_trained(folder / "best.pt", self.host, name=self.entry.qualified)

    @cached_property
    def contract(self) -> Contract:
        """The contract of the trained model, without files and golden vectors."""
        from kelly_core.pipeline.contract import make_contract

        return make_contract(self.trained, self.entry.version)

    @cached_property
    def runner(self) -> Runner:
        """The trained model as PyTorch computes it."""
        from kelly_core.runtime import ModuleRunner

        return ModuleRunner.of(self.trained.task.export_module(self.trained.module).eval(), self.contract)

    @cached_property
    def examples(self) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        """Inputs of one item and of three."""
        source = self.prepared.sources.get("test") or self.prepared.sources["validation"]
        return self.job.task.example_inputs(source, 1), self.job.task.example_inputs(source, 3)

    def empty_folder(self, name: str) -> Path:
        """A new folder in the workspace."""
        folder = self.workspace.root / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder
