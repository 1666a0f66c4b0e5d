"""How DynamicsEngine is trained, measured and described."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from kelly_core.contract import StateInfo, TensorInfo
from kelly_core.data import Dataset
from kelly_core.task import Context, Interface, Predictions, Prepared, Source, Split, Task
from kelly_dynamics.baselines import baselines
from kelly_dynamics.config import DynamicsConfig
from kelly_dynamics.data.prepare import prepare
from kelly_dynamics.data.source import NoteSource
from kelly_dynamics.features.history import HISTORY
from kelly_dynamics.features.table import FEATURE_VERSION, INPUTS
from kelly_dynamics.metrics import FIGURES, means, score_performance
from kelly_dynamics.model import DynamicsMlp, DynamicsTcn, TcnStep, build_network
from kelly_dynamics.report import draw_correlations, write_sample
from kelly_dynamics.targets import HIGH, LOW, OUTPUTS, UNIT

EXAMPLE_NOTES = 64
SAMPLES = 3
_BEND = 0.5
"""Errors below this many deviations count squared, those above linearly."""
_MEANS_OF_PAST = [INPUTS["causal"].index(name) for name in HISTORY if name.startswith(("last", "mean", "near"))]


class DynamicsTask(Task[DynamicsConfig]):
    """Notes to how they are played."""

    monitor: ClassVar[str] = "velocity_mae"
    monitor_mode: ClassVar[Literal["min", "max"]] = "min"

    @property
    def columns(self) -> tuple[str, ...]:
        """What the network sees of a note."""
        return INPUTS[self.config.input]

    def prepare(self, dataset: Dataset, split: Split, context: Context) -> Prepared:
        """Tables of every performance, through the cache."""
        return prepare(self.config, dataset, split, context)

    def build(self, train: Source | None) -> nn.Module:
        """The configured network; scales from the training notes."""
        module = build_network(self.config)
        if isinstance(train, NoteSource):
            answers = torch.from_numpy(train.answers[:, : len(OUTPUTS)])
            module.scale.fit(torch.from_numpy(train.inputs), answers)
        return module.train()

    def loss(self, model: nn.Module, batch: Mapping[str, Tensor], generator: torch.Generator) -> Tensor:
        """Smooth L1 of each output in units of its deviation over the training notes, weighted.

        With `loss.shape` also that of velocity around its mean over each run: r within a performance doesn't
        ask how loud it is as a whole, which a score says least about.
        """
        network = getattr(model, "module", model)
        scale = network.scale
        context = self._varied(batch["context"], generator)
        wanted = (batch["target"] - scale.centre) / scale.spread
        said = network.scaled(context)
        error = F.smooth_l1_loss(said, wanted, reduction="none", beta=_BEND)
        counts = torch.tensor([getattr(self.config.loss, name) for name in OUTPUTS], device=error.device)
        weight = batch["weight"] * counts
        loss = (error * weight).sum() / weight.sum().clamp(min=1.0)
        if self.config.loss.shape and said.shape[1] > 1:
            loss = loss + self.config.loss.shape * _shape_error(
                said[..., 0], wanted[..., 0], batch["weight"][..., 0]
            )
        return loss

    def _varied(self, context: Tensor, generator: torch.Generator) -> Tensor:
        """Transposed, and with a past a little louder or softer: each run of notes as a whole."""
        changed = context.clone()
        runs, most = len(context), self.config.transpose
        if most:
            steps = torch.randint(-most, most + 1, (runs, 1), generator=generator)
            changed[..., 0] += steps.to(context) / 20
        if self.config.input == "causal" and self.config.velocity_jitter:
            jitter = torch.randn(runs, 1, 1, generator=generator).to(context) * self.config.velocity_jitter
            changed[..., _MEANS_OF_PAST] += jitter
        return changed

    @torch.no_grad()
    def predict(self, model: nn.Module, source: Source, batch_size: int) -> Predictions:
        """Figures of every performance, heard as a whole."""
        assert isinstance(source, NoteSource)
        device = next(model.parameters()).device

        def answer(inputs: NDArray[np.float32]) -> NDArray[np.float32]:
            said: NDArray[np.float32] = model(torch.from_numpy(inputs)[None].to(device))[0].cpu().numpy()
            return said

        return scored(answer, source)

    def metrics(self, predictions: Predictions) -> dict[str, float]:
        """Mean absolute errors and correlations per performance, averaged over performances."""
        return dict(means(predictions.outputs))

    def baselines(self, sources: Mapping[str, Source], on: str) -> dict[str, Predictions]:
        """Constants, metric position, boosted trees; with `causal` also the moment before."""
        train, measured = sources["train"], sources[on]
        assert isinstance(train, NoteSource)
        assert isinstance(measured, NoteSource)
        return {name: scored(answer, measured) for name, answer in baselines(train).items()}

    def breakdown(self, predictions: Predictions) -> dict[str, float]:
        """How velocities follow the performer for each composer, and over all notes alike."""
        notes = predictions.outputs[:, FIGURES.index("notes")]
        error, r = (predictions.outputs[:, FIGURES.index(name)] for name in ("velocity_mae", "velocity_r"))
        figures = {"velocity MAE over all notes alike": float(np.average(error, weights=notes))}
        composers = predictions.extra.get("composer")
        if composers is not None:
            for composer in sorted(set(composers) - {""}):
                figures[f"velocity r, {composer}"] = float(r[composers == composer].mean())
        return figures

    def interface(self) -> Interface:
        """Numbers about notes in, four numbers each out; `tcn` has state."""
        names = list(self.columns)
        interface = Interface(
            inputs=[
                TensorInfo(name="input", shape=["batch", "notes", len(names)], unit="see features.columns")
            ],
            outputs=[TensorInfo(name="output", shape=["batch", "notes", len(OUTPUTS)], unit=UNIT)],
            features={
                "kind": "note context",
                "version": FEATURE_VERSION,
                "input": self.config.input,
                "columns": names,
                "outputs": list(OUTPUTS),
                "low": list(LOW),
                "high": list(HIGH),
            },
            window={"frames": EXAMPLE_NOTES, "look_ahead": 0},
        )
        module = build_network(self.config)
        if isinstance(module, DynamicsTcn):
            interface.window["look_ahead"] = module.look_ahead
            interface.state.extend(
                StateInfo(name=f"state_{at}", shape=["batch", *state.shape[1:]], unit="activation")
                for at, state in enumerate(module.initial_state(1))
            )
        return interface

    def export_module(self, model: nn.Module) -> nn.Module:
        """The network itself; `tcn` with its state at the interface."""
        return TcnStep(model) if isinstance(model, DynamicsTcn) else model

    def example_inputs(self, source: Source | None, batch: int) -> dict[str, NDArray[Any]]:
        """Runs of notes, spread over the source."""
        if not isinstance(source, NoteSource):
            return {"input": np.zeros((batch, EXAMPLE_NOTES, len(self.columns)), np.float32)}
        last = max(0, len(source.inputs) - EXAMPLE_NOTES)
        starts = np.linspace(0, last, batch).astype(np.int64)
        rows = np.minimum(starts[:, None] + np.arange(EXAMPLE_NOTES), len(source.inputs) - 1)
        return {"input": source.inputs[rows]}

    def extreme_inputs(self) -> dict[str, dict[str, NDArray[Any]]]:
        """One note; contexts at their bounds."""

        def level(value: float, notes: int) -> dict[str, NDArray[Any]]:
            return {"input": np.full((1, notes, len(self.columns)), value, np.float32)}

        return {"one note": level(0.0, 1), "all high": level(6.0, 40), "all low": level(-6.0, 40)}

    def write_samples(self, model: nn.Module, source: Source, folder: Path) -> None:
        """A few validation pieces as the model plays them: MIDI, sound, and a picture beside the performer."""
        assert isinstance(source, NoteSource)
        with torch.no_grad():
            for at in np.linspace(0, len(source.tables) - 1, min(SAMPLES, len(source.tables))).astype(int):
                table = source.tables[at]
                said = model(torch.from_numpy(np.array(table[:, : source.n_inputs]))[None])[0].numpy()
                write_sample(folder, source.paths[at], said)

    def figures(self, predictions: Predictions, folder: Path) -> list[Path]:
        """How well velocities follow each performance."""
        r = predictions.outputs[:, FIGURES.index("velocity_r")]
        return [draw_correlations(r, folder / "velocity_r.png")]

    def limits(self) -> list[str]:
        """What a user should know."""
        return [
            "Trained on classical solo piano; other instruments and styles get a pianist's habits.",
            "One of many ways to play: performers differ, and the error has a floor above 0.",
            "Timing is deviation from a locally steady tempo; it shapes no ritardando.",
            "Pedal isn't predicted; articulation is the time a key is down.",
        ]


def _shape_error(said: Tensor, wanted: Tensor, weight: Tensor) -> Tensor:
    """Smooth L1 of `(runs, notes)` after taking each run's own mean from both."""
    notes = weight.sum(dim=1, keepdim=True).clamp(min=1.0)
    around, true = (one - (one * weight).sum(dim=1, keepdim=True) / notes for one in (said, wanted))
    error = F.smooth_l1_loss(around, true, reduction="none", beta=_BEND)
    return (error * weight).sum() / weight.sum().clamp(min=1.0)


def scored(answer: Callable[[NDArray[np.float32]], NDArray[np.float32]], source: NoteSource) -> Predictions:
    """Figures of every performance of a source, for anything that answers for notes."""
    n = len(OUTPUTS)
    said = [answer(np.ascontiguousarray(table[:, : source.n_inputs])) for table in source.tables]
    rows = [
        score_performance(one, table[:, -2 * n : -n], table[:, -n:])
        for one, table in zip(said, source.tables, strict=True)
    ]
    outputs = np.stack(rows)
    truth = np.array([float(table[:, -2 * n].mean()) for table in source.tables])
    loss = float(outputs[:, FIGURES.index("velocity_mae")].mean())
    return Predictions(outputs, truth, source.groups, source.paths, loss, source.extra)


__all__ = ["DynamicsMlp", "DynamicsTask", "scored"]
