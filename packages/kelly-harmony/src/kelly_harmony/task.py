"""How HarmonyPredictor is trained, measured and described."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from kelly_core.chain import Chain
from kelly_core.contract import StateInfo, TableInfo, TensorInfo
from kelly_core.data import Dataset
from kelly_core.deployed import Deployed
from kelly_core.export import Runner, View
from kelly_core.task import Context, Interface, Predictions, Prepared, Source, Split, Task
from kelly_harmony.baselines import predict_baselines
from kelly_harmony.chords import N_CHORDS, N_CLASSES, NAMES, QUALITIES, label_of
from kelly_harmony.config import HarmonyConfig
from kelly_harmony.data.prepare import prepare
from kelly_harmony.data.source import HarmonySource
from kelly_harmony.keys import N_KEYS
from kelly_harmony.lead import LONGEST, MELODY, METRE, SLOTS
from kelly_harmony.metrics import GATHER, METRICS, as_ratios, chord_sums, classes_of, tables
from kelly_harmony.model import EMBEDDING, FramesHarmony, Harmony, HarmonyStep, PlayedBeats, build_network
from kelly_harmony.model.whole import whole_view
from kelly_harmony.prior import count_prior

SAMPLES = 3
SAMPLE_BEATS = 64
Floats = NDArray[np.floating]
MELODY_MEANING = (
    "share of each slot in which each pitch class sounds, slot by slot from C; notes of each pitch class that "
    "begin; octaves of the mean pitch above 60; share of the beat that sounds"
)
STAY = (
    "log-probability that a chord stays: (minor, kind of beat, chord before by degree, the last: none); kinds: "
    "first of the bar, middle of a bar of four, others"
)
MOVE = "log-probability of where it moves to, given that it does: (minor, chord before, chord), by degree"
METRE_MEANING = (
    "one-hot beat of the bar (8); cosine and sine of the place in 2, 4, 8 bars; one-hot bar of 2, 3, 4, other "
    f"beats; melody has begun; beats so far / 100, at most {LONGEST / 100:g}; 1, or all zeros after the end"
)


class HarmonyTask(Task[HarmonyConfig]):
    """Melody to chords. Accuracy over the 25 classes on validation data chooses the epoch."""

    chain_setting: ClassVar[str] = "architecture_type=frames"
    monitor: ClassVar[str] = "accuracy"
    monitor_mode: ClassVar[Literal["min", "max"]] = "max"

    def prepare(self, dataset: Dataset, split: Split, context: Context) -> Prepared:
        """Read the tunes."""
        return prepare(self.config, dataset, split, context)

    def build(self, train: Source | None) -> nn.Module:
        """The configured network, with the prior of the training tunes."""
        net = build_network(self.config)
        if isinstance(train, HarmonySource):
            net.prior = count_prior(train.leads)
        return net.train()

    def loss(self, model: nn.Module, batch: Mapping[str, Tensor], generator: torch.Generator) -> Tensor:
        """Cross-entropy of the 25 classes, and of the whole vocabulary by `quality_weight`."""
        logits, _ = model(batch["melody"], batch["metre"], batch["key"])
        return self._loss(logits.float(), batch["chords"], batch["classes"])

    def _loss(self, logits: Tensor, chords: Tensor, classes: Tensor) -> Tensor:
        counted, known = classes >= 0, chords >= 0
        gather = torch.from_numpy(GATHER).to(logits.device)
        likely = (logits.softmax(dim=-1) @ gather).clamp(min=1e-8).log()
        smooth = self.config.label_smoothing
        coarse = F.cross_entropy(likely[counted], classes[counted], label_smoothing=smooth)
        if not self.config.quality_weight:
            return coarse
        fine = F.cross_entropy(logits[known], chords[known], label_smoothing=smooth)
        return coarse + self.config.quality_weight * fine

    def predict(self, model: nn.Module, source: Source, batch_size: int) -> Predictions:
        """What is right and what counts per tune; the loss is that of training without smoothing."""
        assert isinstance(source, HarmonySource)
        probabilities = self.probabilities(model, source, batch_size)
        right = [
            chord_sums(lead, classes_of(said), said.argmax(axis=1))
            for lead, said in zip(source.leads, probabilities, strict=True)
        ]
        nll = [
            -np.log(np.maximum(1e-8, said[np.arange(len(said)), np.maximum(0, lead.chords)]))[lead.chords >= 0]
            for lead, said in zip(source.leads, probabilities, strict=True)
        ]
        return self._predictions(source, right, float(np.concatenate(nll).mean()))

    @torch.no_grad()
    def probabilities(self, model: nn.Module, source: HarmonySource, batch_size: int = 8) -> list[Floats]:
        """Per tune (beats, N_CHORDS), whole tunes whatever `crop` is."""
        device = next(model.parameters()).device
        order = np.argsort([len(lead) for lead in source.leads], kind="stable")
        found: dict[int, Floats] = {}
        whole = HarmonySource(
            source.leads, source.paths, source.groups, max(len(lead) for lead in source.leads)
        )
        for at in range(0, len(order), batch_size):
            chosen = order[at : at + batch_size]
            batch = whole.fetch(chosen, None)
            logits, _ = model(*(batch[name].to(device) for name in ("melody", "metre", "key")))
            said = logits.float().softmax(dim=-1).cpu().numpy()
            for row, index in enumerate(chosen.tolist()):
                found[index] = said[row, : len(source.leads[index])]
        return [found[index] for index in range(len(source.leads))]

    def _predictions(
        self, source: HarmonySource, sums: Sequence[tuple[Floats, Floats]], loss: float = float("nan")
    ) -> Predictions:
        right, size = (np.stack(column) for column in zip(*sums, strict=True))
        return Predictions(right, size, source.groups, source.paths, loss, source.extra)

    def metrics(self, predictions: Predictions) -> dict[str, float]:
        """Shares of beats, and of seconds for mir_eval's `majmin` and `root`; see `metrics.METRICS`."""
        return as_ratios(predictions.outputs, predictions.targets)

    def sums(self, predictions: Predictions) -> Mapping[str, tuple[Floats, Floats]]:
        """The metrics as ratios of sums per tune."""
        return tables(predictions.outputs, predictions.targets)

    def baselines(self, sources: Mapping[str, Source], on: str) -> dict[str, Predictions]:
        """Most frequent chord, by degree of the melody, logistic regression, HMM."""
        train, test = sources["train"], sources[on]
        assert isinstance(train, HarmonySource)
        assert isinstance(test, HarmonySource)
        ahead = self.config.architecture_type == "tcn" and self.config.tcn.look_ahead > 0
        found = predict_baselines(train.leads, test.leads, ahead=ahead)
        return {
            name: self._predictions(
                test, [chord_sums(lead, *one) for lead, one in zip(test.leads, said, strict=True)]
            )
            for name, said in found.items()
        }

    def breakdown(self, predictions: Predictions) -> dict[str, float]:
        """Accuracy of the best and the worst tune."""
        each = predictions.outputs[:, 0] / np.maximum(1, predictions.targets[:, 0])
        return {"accuracy of the best tune": float(each.max()), "accuracy of the worst tune": float(each.min())}

    def write_samples(self, model: nn.Module, source: Source, folder: Path) -> None:
        """Melodies of validation tunes with the predicted chords, and with the written ones; MIDI and sound."""
        from kelly_harmony.report import write_sample

        assert isinstance(source, HarmonySource)
        chosen = np.linspace(0, len(source.leads) - 1, min(SAMPLES, len(source.leads))).astype(int)
        part = HarmonySource(
            [source.leads[index] for index in chosen],
            [source.paths[index] for index in chosen],
            source.groups[chosen],
            source.crop,
        )
        for lead, path, said in zip(part.leads, part.paths, self.probabilities(model, part), strict=True):
            write_sample(folder, Path(path).stem, lead, said.argmax(axis=1), SAMPLE_BEATS)

    def interface(self) -> Interface:
        """One beat and the state in; logits, embedding and the following state out."""
        step = HarmonyStep(build_network(self.config))
        names = _state_names(self.config, len(step.initial_state(1)))
        return Interface(
            inputs=[
                TensorInfo(name="melody", shape=["batch", MELODY], unit="see features", low=-5.0, high=5.0),
                TensorInfo(name="metre", shape=["batch", METRE], unit="see features", low=-1.0, high=2.0),
                TensorInfo(
                    name="key", shape=["batch"], dtype="int64", unit="2 * tonic + minor", low=0, high=N_KEYS - 1
                ),
            ],
            outputs=[
                TensorInfo(name="logits", shape=["batch", N_CHORDS], unit="logit of each chord"),
                TensorInfo(name="embedding", shape=["batch", EMBEDDING], unit="activation"),
            ],
            state=[
                StateInfo(name=name, shape=["batch", *tensor.shape[1:]], unit="activation")
                for name, tensor in zip(names, step.initial_state(1), strict=True)
            ],
            labels=[label_of(chord) for chord in range(N_CHORDS)],
            features={
                "kind": "melody-beats",
                "architecture": self.config.architecture_type,
                "look_ahead_beats": step.net.look_ahead,
                "slots_per_beat": SLOTS,
                "melody": MELODY_MEANING,
                "metre": METRE_MEANING,
                "qualities": {name: list(QUALITIES[name]) for name in NAMES},
            },
            window={"beats": 1, "look_ahead": step.net.look_ahead},
        )

    def export_module(self, model: nn.Module) -> nn.Module:
        """One beat of the network."""
        assert isinstance(model, Harmony)
        return HarmonyStep(model)

    def chain(self, model: nn.Module) -> Chain | None:
        """`frames`, a beat as a frame; the key turns melody and chords around it."""
        return model.chain() if isinstance(model, FramesHarmony) else None

    def tables(self, model: nn.Module) -> dict[str, TableInfo]:
        """The prior, for decoding."""
        assert isinstance(model, Harmony)
        return {"stay": TableInfo.of(model.prior.stay, STAY), "move": TableInfo.of(model.prior.move, MOVE)}

    def deployed(self, model: nn.Module, runner: Runner) -> nn.Module:
        """The exported step, called over whole tunes; its look-ahead taken out."""
        assert isinstance(model, Harmony)
        return PlayedBeats(Deployed(runner, self.interface()), model.look_ahead)

    def other_interface(self, name: str, model: nn.Module) -> View:
        """`whole`: a tune at once."""
        if name != "whole":
            return super().other_interface(name, model)
        assert isinstance(model, Harmony)
        return whole_view(self, model)

    def example_inputs(self, source: Source | None, batch: int) -> dict[str, NDArray[Any]]:
        """A beat in the middle of tunes spread over the source; silence without one."""
        named: dict[str, NDArray[Any]] = {
            "melody": np.zeros((batch, MELODY), np.float32),
            "metre": np.zeros((batch, METRE), np.float32),
            "key": np.zeros(batch, np.int64),
        }
        named["metre"][:, [0, -1]] = 1.0
        if isinstance(source, HarmonySource):
            for row, index in enumerate(np.linspace(0, len(source.leads) - 1, batch).astype(int)):
                lead = source.leads[index]
                at = len(lead) // 2
                for name in ("melody", "metre", "key"):
                    named[name][row] = getattr(lead, name)[at]
        return named

    def extreme_inputs(self) -> dict[str, dict[str, NDArray[Any]]]:
        """Silence, and everything sounding at once."""
        silence = self.example_inputs(None, 1)
        full = {name: array.copy() for name, array in silence.items()}
        full["melody"][...], full["metre"][...] = 1.0, 1.0
        full["key"][...] = N_KEYS - 1
        return {"silence": silence, "everything at once": full}

    def limits(self) -> list[str]:
        """What a user should know."""
        return [
            "Many chords go with a melody: agreement with one harmonisation says little of another.",
            "The key has to be right: chords are named relative to it.",
            "The bass of a chord isn't predicted, and chords outside the vocabulary count as simpler ones.",
            "A beat is heard whole before its chord is named; the chord of a beat to come is never named.",
        ]


def _state_names(config: HarmonyConfig, count: int) -> list[str]:
    known = {
        "mlp": ["sums", "beats", "keys", "values"],
        "gru": ["hidden"],
        "frames": ["past"],
        "tcn": [*(f"past_{at}" for at in range(config.tcn.layers)), "late_keys"],
    }
    return known[config.architecture_type][:count]


assert len(METRICS) == 6
assert N_CLASSES == 25
