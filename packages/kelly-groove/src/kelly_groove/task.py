"""How GroovePredictor is trained, measured and described."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from kelly_core.chain import Chain
from kelly_core.contract import StateInfo, TensorInfo
from kelly_core.data import Dataset
from kelly_core.deployed import Deployed
from kelly_core.export import Runner
from kelly_core.task import Context, Interface, Predictions, Prepared, Source, Split, Task
from kelly_groove.baselines import predict_baselines
from kelly_groove.config import GrooveConfig
from kelly_groove.data.prepare import prepare
from kelly_groove.data.source import GrooveSource
from kelly_groove.drums import DRUMS, PITCHES
from kelly_groove.grid import CONTEXT, LIMIT, N_DRUMS, REACH, STEPS_PER_BEAT, WINDOW, Performance, windows
from kelly_groove.metrics import METRICS, error_sums, groove_metrics
from kelly_groove.model import (
    STATE,
    Groove,
    GrooveNet,
    LiveStep,
    MlpGroove,
    PlayedSteps,
    ScoreStep,
    build_network,
    state_shapes,
)
from kelly_groove.styles import FAMILIES, STYLES

AT_ONCE = 4096
"""Examples of one call."""
SAMPLES = 4
SAMPLE_STEPS = 64


class GrooveTask(Task[GrooveConfig]):
    """What is written to how it is played. The loss on validation data chooses the epoch."""

    chain_setting: ClassVar[str] = "architecture_type=mlp"

    def prepare(self, dataset: Dataset, split: Split, context: Context) -> Prepared:
        """Read the performances."""
        return prepare(self.config, dataset, split, context)

    def build(self, train: Source | None) -> nn.Module:
        """The configured network; it needs no statistics of the data."""
        return build_network(self.config).train()

    def loss(self, model: nn.Module, batch: Mapping[str, Tensor], generator: torch.Generator) -> Tensor:
        """Bent absolute errors of timing in ms and of velocity, and of how large these errors are."""
        return self._distance(_ask(model, batch), batch["cells"])

    def _distance(self, said: Groove, cells: Tensor) -> Tensor:
        hits, offset, velocity, length = cells.unbind(dim=-1)
        weight = hits / hits.sum().clamp(min=1.0)
        late = said.offset - offset
        louder = said.velocity - velocity
        unit = length / self.config.timing_unit
        bend = self.config.loss_bend
        error = _bent(late * unit, bend) + _bent(louder / self.config.velocity_unit, bend)
        spread = (said.offset_spread - late.detach().abs()).abs() * unit
        spread = spread + (said.velocity_spread - louder.detach().abs()).abs() / self.config.velocity_unit
        return ((error + 0.1 * spread) * weight).sum()

    def predict(self, model: nn.Module, source: Source, batch_size: int) -> Predictions:
        """Summed errors per performance; the loss is the mean error of a hit in the loss's units."""
        assert isinstance(source, GrooveSource)
        said = [self.groove_of(model, source, index) for index in range(len(source.performances))]
        return self._predictions(source, said)

    @torch.no_grad()
    def groove_of(
        self, model: nn.Module, source: GrooveSource, index: int
    ) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
        """Predicted offset and velocity of every hit of a performance."""
        performance, where = source.performances[index], source.places[index]
        device = next(model.parameters()).device
        if isinstance(model, PlayedSteps):
            groove = _played(model, performance, source.controls[index], live=self.config.input == "live")
            at = performance.hits["step"], performance.hits["drum"]
            return groove.offset.numpy()[at], groove.velocity.numpy()[at]
        grids = np.zeros((2, len(performance.steps), N_DRUMS))
        said = []
        for start in range(source.edges[index], source.edges[index + 1], AT_ONCE):
            rows = np.arange(start, min(start + AT_ONCE, source.edges[index + 1]))
            batch = {name: tensor.to(device) for name, tensor in source.fetch(rows, None).items()}
            said.append(torch.stack(_ask(model, batch)[:2])[..., 0].cpu().numpy())
        grids[:, where[0], where[1]] = np.concatenate(said, axis=1)
        offset, velocity = grids[:, performance.hits["step"], performance.hits["drum"]]
        return offset, velocity

    def _predictions(
        self, source: GrooveSource, said: Sequence[tuple[NDArray[np.floating], NDArray[np.floating]]]
    ) -> Predictions:
        pairs = zip(source.performances, said, strict=True)
        sums = np.stack([error_sums(performance, *groove) for performance, groove in pairs])
        hits = np.array([len(performance.hits) for performance in source.performances])
        figures = groove_metrics(sums, hits)
        loss = figures["timing_mae_ms"] / self.config.timing_unit
        loss += figures["velocity_mae"] / self.config.velocity_unit
        groups = np.array(source.paths)
        return Predictions(sums, hits, groups, source.paths, loss, source.extra)

    def metrics(self, predictions: Predictions) -> dict[str, float]:
        """Mean absolute error of timing in ms, mean squared in 16ths², mean absolute error of velocity."""
        return groove_metrics(predictions.outputs, predictions.targets)

    def sums(self, predictions: Predictions) -> Mapping[str, tuple[NDArray[np.floating], NDArray[np.integer]]]:
        """The metrics as ratios of sums per performance."""
        columns = predictions.outputs.T
        return {name: (column, predictions.targets) for name, column in zip(METRICS, columns, strict=True)}

    def baselines(self, sources: Mapping[str, Source], on: str) -> dict[str, Predictions]:
        """No offset, means, boosted trees; with input live also the running mean."""
        train, test = sources["train"], sources[on]
        assert isinstance(train, GrooveSource)
        assert isinstance(test, GrooveSource)
        found = predict_baselines(train, test, live=self.config.input == "live")
        return {name: self._predictions(test, said) for name, said in found.items()}

    def breakdown(self, predictions: Predictions) -> dict[str, float]:
        """Timing error of the best and the worst performance with at least 50 hits."""
        long = predictions.targets >= 50
        if not long.any():
            return {}
        each = predictions.outputs[long, 0] / predictions.targets[long]
        return {
            "timing MAE of the best performance, ms": float(each.min()),
            "timing MAE of the worst performance, ms": float(each.max()),
        }

    def write_samples(self, model: nn.Module, source: Source, folder: Path) -> None:
        """A few bars of validation performances as MIDI, sound and picture: on the grid, played, predicted."""
        from kelly_groove.report import write_sample

        assert isinstance(source, GrooveSource)
        chosen = np.linspace(0, len(source.performances) - 1, min(SAMPLES, len(source.performances)))
        for index in chosen.astype(int):
            said = self.groove_of(model, source, index)
            write_sample(folder, Path(source.paths[index]).stem, source.performances[index], said, SAMPLE_STEPS)

    def interface(self) -> Interface:
        """One step: its window, context and style in, four numbers per drum out; `live` has state."""
        spread = "expected absolute distance of a hit from the prediction"
        interface = Interface(
            inputs=[
                TensorInfo(
                    name="window", shape=["batch", WINDOW, N_DRUMS], unit="1 where hit", low=0.0, high=1.0
                ),
                TensorInfo(name="context", shape=["batch", CONTEXT], unit="see features", low=-3.0, high=3.0),
                TensorInfo(name="style", shape=["batch"], dtype="int64", unit="index", low=0, high=len(STYLES)),
                TensorInfo(
                    name="family", shape=["batch"], dtype="int64", unit="index", low=0, high=len(FAMILIES)
                ),
            ],
            outputs=[
                _per_drum("offset", "16ths of a quarter note, negative is early", -LIMIT, LIMIT),
                _per_drum("velocity", "MIDI velocity", 1.0, 127.0),
                _per_drum("offset_spread", f"16ths; {spread}", 0.0, LIMIT),
                _per_drum("velocity_spread", f"MIDI velocity; {spread}", 0.0, 64.0),
            ],
            features={
                "kind": "drum-grid",
                "input": self.config.input,
                "steps_per_beat": STEPS_PER_BEAT,
                "look_ahead_steps": REACH,
                "window_steps": WINDOW,
                "offset_limit_16ths": LIMIT,
                "context": "one-hot step of the bar modulo 16, one-hot step of the beat, bar has 16 steps, "
                "log2(bpm / 120)",
                "drums": list(DRUMS),
                "pitches": {name: list(pitches) for name, pitches in PITCHES.items()},
                "styles": ["", *STYLES],
                "families": ["", *FAMILIES],
            },
            window={"steps": WINDOW, "look_ahead": REACH},
        )
        if self.config.input == "live":
            meaning = "of the step before: hit (0 or 1), offset in 16ths, velocity / 127"
            interface.inputs.append(
                TensorInfo(name="played", shape=["batch", N_DRUMS, 3], unit=meaning, low=-LIMIT, high=1.0)
            )
            shapes = state_shapes(self.config.network.span)
            interface.state.extend(
                StateInfo(name=name, shape=["batch", *shape], unit="activation")
                for name, shape in zip(STATE, shapes, strict=True)
            )
        return interface

    def deployed(self, model: nn.Module, runner: Runner) -> nn.Module:
        """The exported step, called over whole performances."""
        return PlayedSteps(Deployed(runner, self.interface()))

    def export_module(self, model: nn.Module) -> nn.Module:
        """One step of the network."""
        assert isinstance(model, GrooveNet | MlpGroove)
        if self.config.input == "live":
            assert isinstance(model, GrooveNet)
            return LiveStep(model, self.config.network.span)
        return ScoreStep(model)

    def chain(self, model: nn.Module) -> Chain | None:
        """`mlp`, a step as a frame."""
        return model.chain() if isinstance(model, MlpGroove) else None

    def example_inputs(self, source: Source | None, batch: int) -> dict[str, NDArray[Any]]:
        """A step in the middle of performances spread over the source; silence without one."""
        named: dict[str, NDArray[Any]] = {
            "window": np.zeros((batch, WINDOW, N_DRUMS), dtype=np.float32),
            "context": np.zeros((batch, CONTEXT), dtype=np.float32),
            "style": np.zeros(batch, dtype=np.int64),
            "family": np.zeros(batch, dtype=np.int64),
            "played": np.zeros((batch, N_DRUMS, 3), dtype=np.float32),
        }
        if isinstance(source, GrooveSource):
            chosen = np.linspace(0, len(source.performances) - 1, batch).astype(int)
            for row, index in enumerate(chosen):
                part = source.performances[index]
                step = int(part.hits["step"][len(part.hits) // 2])
                named["window"][row] = windows(part.mask)[step]
                named["context"][row] = part.context()[step]
                named["style"][row], named["family"][row] = source.controls[index]
                named["played"][row] = part.played()[max(0, step - 1)]
        if self.config.input == "score":
            del named["played"]
        return named

    def extreme_inputs(self) -> dict[str, dict[str, NDArray[Any]]]:
        """Silence, and everything hit at once everywhere."""
        silence = self.example_inputs(None, 1)
        full = {name: np.ones_like(array) for name, array in silence.items()}
        if "played" in full:
            full["played"][...] = (1.0, LIMIT, 1.0)
        return {"silence": silence, "everything at once": full}

    def limits(self) -> list[str]:
        """What a user should know."""
        return [
            "Timing is of drums recorded to a click; it says nothing about a tempo that breathes.",
            "Nearly all training music is in 4/4; other metres work, with less behind them.",
            "A drummer's habits differ more than styles do: from the score alone most of it can't be known.",
            "laid_back and pushed mean late and early as the training drummers were, no more.",
        ]


def _ask(model: nn.Module, batch: Mapping[str, Tensor]) -> Groove:
    """Predictions for examples as `GrooveSource.fetch` gives them."""
    told = [batch[name] for name in ("window", "context", "style", "family", "drum")]
    said: Groove = model(*told, batch.get("recent"))
    return said


def _played(
    model: PlayedSteps, performance: Performance, controls: NDArray[np.integer], *, live: bool
) -> Groove:
    """Predictions of an exported step for every step of a performance."""
    steps = len(performance.steps)
    told = [torch.full((steps,), int(index)) for index in controls]
    written = [torch.from_numpy(array) for array in (windows(performance.mask), performance.context())]
    groove: Groove = model(*written, *told, torch.from_numpy(performance.played()) if live else None)
    return groove


def _bent(error: Tensor, bend: float) -> Tensor:
    return F.smooth_l1_loss(error, torch.zeros_like(error), beta=bend, reduction="none")


def _per_drum(name: str, unit: str, low: float, high: float) -> TensorInfo:
    return TensorInfo(name=name, shape=["batch", N_DRUMS], unit=unit, low=low, high=high)
