"""How MelodyTransformer is trained, measured and described."""

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
from kelly_core.export import Runner, View
from kelly_core.task import Context, Interface, Predictions, Prepared, Source, Split, Task
from kelly_melody.baselines import predict_baselines
from kelly_melody.config import MelodyConfig
from kelly_melody.data.prepare import prepare
from kelly_melody.data.source import PADDED, MelodySource, whole
from kelly_melody.describe import FEATURES, LIMITS
from kelly_melody.features.inputs import (
    NOTHING_DURATION,
    NOTHING_PITCH,
    PLACE,
    spread_proposals,
    spread_token,
)
from kelly_melody.features.memory import N_SOURCES
from kelly_melody.metrics import METRICS, melody_metrics, token_counts, token_sums
from kelly_melody.model.frames import FramesNet
from kelly_melody.model.network import MelodyNet, MelodyStep, PlayedTokens, build_network
from kelly_melody.model.whole import whole_view
from kelly_melody.plugin import INPUTS, OUTPUTS

SAMPLES = 3
SAMPLE_BARS = 16
HEARD_BARS = 4


class MelodyTask(Task[MelodyConfig]):
    """What came to what comes. The nats per token on validation tunes choose the epoch."""

    chain_setting: ClassVar[str] = "architecture_type=frames"

    def prepare(self, dataset: Dataset, split: Split, context: Context) -> Prepared:
        """Read the melodies."""
        return prepare(self.config, dataset, split, context)

    def build(self, train: Source | None) -> nn.Module:
        """The configured network; it needs no statistics of the data."""
        return build_network(self.config).train()

    def loss(self, model: nn.Module, batch: Mapping[str, Tensor], generator: torch.Generator) -> Tensor:
        """Nats per token: pitch, and duration given the pitch."""
        pitch, duration = batch["pitch"], batch["duration"]
        said = model(batch["last"], batch["place"], batch["proposals"], pitch)
        there = duration != PADDED
        sounding = duration >= 0
        nats = F.cross_entropy(said[0][there], pitch[there], reduction="sum")
        nats = nats + F.cross_entropy(said[1][sounding], duration[sounding], reduction="sum")
        return nats / there.sum()

    def predict(self, model: nn.Module, source: Source, batch_size: int) -> Predictions:
        """Summed scores per melody; the loss is nats per token."""
        assert isinstance(source, MelodySource)
        return self._predictions(source, [scores_of(model, source, at) for at in range(len(source.told))])

    def _predictions(self, source: MelodySource, scores: Sequence[NDArray[np.floating]]) -> Predictions:
        pairs = zip(scores, source.told, strict=True)
        sums = np.stack([token_sums(mine, told.novel) for mine, told in pairs])
        counts = np.stack([token_counts(told.novel) for told in source.told])
        loss = melody_metrics(sums, counts)["nats"]
        return Predictions(sums, counts, source.groups, source.paths, loss, source.extra)

    def metrics(self, predictions: Predictions) -> dict[str, float]:
        """Nats per token and top-1, over all and over novel tokens."""
        return melody_metrics(predictions.outputs, predictions.targets)

    def sums(self, predictions: Predictions) -> Mapping[str, tuple[NDArray[np.floating], NDArray[np.integer]]]:
        """The metrics as ratios of sums per melody."""
        pairs = zip(predictions.outputs.T, predictions.targets.T, strict=True)
        return dict(zip(METRICS, pairs, strict=True))

    def breakdown(self, predictions: Predictions) -> dict[str, float]:
        """The best and the worst melody; how much of the music is novel."""
        each = predictions.outputs[:, 0] / predictions.targets[:, 0]
        counts = predictions.targets.sum(axis=0)
        return {
            "nats per token of the best melody": float(each.min()),
            "nats per token of the worst melody": float(each.max()),
            "share of novel tokens": float(counts[METRICS.index("novel_nats")] / counts[0]),
        }

    def baselines(self, sources: Mapping[str, Source], on: str) -> dict[str, Predictions]:
        """Unigram, Kneser-Ney, and Kneser-Ney that also counts within the tune."""
        train, measured = sources["train"], sources[on]
        tuned = sources.get("validation", train)
        assert isinstance(train, MelodySource)
        assert isinstance(measured, MelodySource)
        assert isinstance(tuned, MelodySource)
        found = predict_baselines(train.melodies, tuned.melodies, measured.melodies)
        return {name: self._predictions(measured, scores) for name, scores in found.items()}

    def write_samples(self, model: nn.Module, source: Source, folder: Path) -> None:
        """Continue the first bars of a few melodies; MIDI and sound."""
        from kelly_melody.model.samples import write_samples

        assert isinstance(source, MelodySource)
        write_samples(model, source, folder, SAMPLES, HEARD_BARS, SAMPLE_BARS)

    def interface(self) -> Interface:
        """One token: what was last, where it stands, what the memory proposes; two tables of logits."""
        shapes = build_network(self.config).backbone.state_shapes()
        return Interface(
            inputs=[TensorInfo.from_spec(spec) for spec in INPUTS],
            outputs=[TensorInfo.from_spec(spec) for spec in OUTPUTS],
            state=[
                StateInfo(name=name, shape=["batch", *shape], unit="activation")
                for name, shape in shapes.items()
            ],
            features=FEATURES,
        )

    def export_module(self, model: nn.Module) -> nn.Module:
        """One step of the network."""
        assert isinstance(model, MelodyNet | FramesNet)
        return MelodyStep(model)

    def chain(self, model: nn.Module) -> Chain | None:
        """`frames`, a token as a frame; the votes are steps of the host."""
        return model.chain() if isinstance(model, FramesNet) else None

    def deployed(self, model: nn.Module, runner: Runner) -> nn.Module:
        """The exported step, called over whole melodies."""
        return PlayedTokens(Deployed(runner, self.interface()))

    def other_interface(self, name: str, model: nn.Module) -> View:
        """`whole`: a melody at once, durations for given pitches."""
        if name != "whole":
            return super().other_interface(name, model)
        return whole_view(self, model)

    def example_inputs(self, source: Source | None, batch: int) -> dict[str, NDArray[Any]]:
        """A token in the middle of melodies spread over the source; the first of a melody without one."""
        last = np.full((batch, 2), (NOTHING_PITCH, NOTHING_DURATION))
        place = np.zeros((batch, PLACE), np.float32)
        proposals = np.zeros((batch, N_SOURCES, 3), np.int64)
        proposals[..., :2] = NOTHING_PITCH, NOTHING_DURATION
        if isinstance(source, MelodySource):
            chosen = np.linspace(0, len(source.told) - 1, batch).astype(int)
            for row, at in enumerate(chosen):
                told = source.told[at]
                middle = len(told.last) // 2
                last[row], place[row] = told.last[middle], told.place[middle]
                proposals[row] = told.proposals[middle]
        return {"last": spread_token(last), "place": place, "proposals": spread_proposals(proposals)}

    def extreme_inputs(self) -> dict[str, dict[str, NDArray[Any]]]:
        """Nothing told at all, and everything at once."""
        start = self.example_inputs(None, 1)
        return {
            "nothing": {name: np.zeros_like(array) for name, array in start.items()},
            "everything at once": {name: np.ones_like(array) for name, array in start.items()},
        }

    def limits(self) -> list[str]:
        """What a user should know."""
        return list(LIMITS)


@torch.no_grad()
def scores_of(model: nn.Module, source: MelodySource, at: int) -> NDArray[np.float64]:
    """(tokens + 1, 4) scores of a whole melody, as `metrics.token_sums` takes them."""
    device = next(model.parameters()).device
    told = {name: tensor.to(device) for name, tensor in whole(source.told[at]).items()}
    pitch, duration = told.pop("pitch"), told.pop("duration")
    said = model(**told, pitch=pitch)
    end = duration[0] < 0
    target = pitch[0], duration[0].clamp(min=0)
    nats = [F.cross_entropy(part[0], right, reduction="none") for part, right in zip(said, target, strict=True)]
    right = [part[0].argmax(dim=-1) == one for part, one in zip(said, target, strict=True)]
    columns = [nats[0], nats[1].masked_fill(end, 0.0), right[0], right[1] | end]
    return np.stack([column.double().cpu().numpy() for column in columns], axis=1)
