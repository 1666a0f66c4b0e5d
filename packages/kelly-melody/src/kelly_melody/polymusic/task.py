"""How head `keys` is trained, measured and described."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from kelly_core.contract import StateInfo, TensorInfo
from kelly_core.data import Dataset
from kelly_core.deployed import Deployed
from kelly_core.export import Runner
from kelly_core.task import Context, Interface, Predictions, Prepared, Source, Split, Task
from kelly_melody.config import MelodyConfig
from kelly_melody.model.build import build_backbone
from kelly_melody.polymusic.baselines import Answer, baselines
from kelly_melody.polymusic.memory import BUCKETS, EDGES, KEYS
from kelly_melody.polymusic.metrics import COLUMNS, figures, piece_sums, ratios
from kelly_melody.polymusic.model import KeysNet, KeysStep, PlayedFrames
from kelly_melody.polymusic.prepare import prepare
from kelly_melody.polymusic.source import RollSource

LOWEST = 21
"""MIDI pitch of the first key."""
SAMPLES = 2


class KeysTask(Task[MelodyConfig]):
    """Which keys sound in the next frame. The NLL on validation pieces chooses the epoch."""

    monitor: ClassVar[str] = "nll"
    monitor_mode: ClassVar[Literal["min", "max"]] = "min"

    def dataset_options(self) -> dict[str, Any]:
        """Which of the sets is read."""
        return {"rolls": self.config.keys.rolls}

    def prepare(self, dataset: Dataset, split: Split, context: Context) -> Prepared:
        """Read the piano rolls."""
        return prepare(self.config, dataset, split, context)

    def build(self, train: Source | None) -> nn.Module:
        """The configured network; before training it says how often each key sounds."""
        keys = self.config.keys
        net = KeysNet(
            build_backbone(self.config), keys.candidates, keys.neighbours, keys.input_dropout, keys.dropout
        )
        if isinstance(train, RollSource):
            sounding = np.sum([roll.sum(axis=0, dtype=np.int64) for roll in train.rolls], axis=0)
            net.start_from(torch.from_numpy(sounding / sum(map(len, train.rolls))).float())
        return net.train()

    def loss(self, model: nn.Module, batch: Mapping[str, Tensor], generator: torch.Generator) -> Tensor:
        """Negative log-likelihood per frame, nats."""
        said = model(batch["roll"], batch["continuations"], batch["buckets"])
        return _nats(said, batch["roll"], batch["weight"])

    @torch.no_grad()
    def predict(self, model: nn.Module, source: Source, batch_size: int) -> Predictions:
        """Sums per piece, heard as a whole."""
        assert isinstance(source, RollSource)
        device = next(model.parameters()).device
        said: dict[int, NDArray[np.floating]] = {}
        for pieces in source.by_length(batch_size):
            batch = source.whole(pieces)
            inputs = (batch[name].to(device) for name in ("roll", "continuations", "buckets"))
            logits = model(*inputs).cpu().numpy()
            said |= {piece: logits[row, : len(source.rolls[piece])] for row, piece in enumerate(pieces)}
        return _predictions(source, [said[piece] for piece in range(len(source.rolls))])

    def metrics(self, predictions: Predictions) -> dict[str, float]:
        """NLL per frame, over all and over novel frames; accuracy of the sounding keys."""
        return figures(predictions.outputs)

    def sums(self, predictions: Predictions) -> Mapping[str, tuple[NDArray[np.floating], NDArray[np.floating]]]:
        """The metrics as ratios of sums per piece."""
        return ratios(predictions.outputs)

    def baselines(self, sources: Mapping[str, Source], on: str) -> dict[str, Predictions]:
        """Constants, the frame before, logistic regression; with a memory also copying."""
        train, measured = sources["train"], sources[on]
        tuned = sources.get("validation", train)
        assert isinstance(train, RollSource)
        assert isinstance(tuned, RollSource)
        assert isinstance(measured, RollSource)
        return {name: _answered(answer, measured) for name, answer in baselines(train, tuned).items()}

    def breakdown(self, predictions: Predictions) -> dict[str, float]:
        """The mean over pieces, the best and the worst piece, how much is novel."""
        column = dict(zip(COLUMNS, predictions.outputs.T, strict=True))
        each = column["nll"] / column["frames"]
        return {
            "NLL per frame, mean over pieces": float(each.mean()),
            "NLL per frame of the best piece": float(each.min()),
            "NLL per frame of the worst piece": float(each.max()),
            "share of novel frames": float(column["novel"].sum() / column["frames"].sum()),
        }

    def write_samples(self, model: nn.Module, source: Source, folder: Path) -> None:
        """Continuations of a few pieces as MIDI, sound and picture."""
        from kelly_melody.polymusic.report import write_sample

        assert isinstance(source, RollSource)
        assert isinstance(model, KeysNet)
        for piece in np.linspace(0, len(source.rolls) - 1, min(SAMPLES, len(source.rolls))).astype(int):
            write_sample(folder, source.names[piece], model, source.rolls[piece])

    def interface(self) -> Interface:
        """One frame, and what the memory says after it, to 88 logits of the next one."""
        keys = self.config.keys
        interface = Interface(
            inputs=[
                TensorInfo(name="frame", shape=["batch", KEYS], unit="1 where a key sounds", low=0.0, high=1.0)
            ],
            outputs=[
                TensorInfo(name="logits", shape=["batch", KEYS], unit="logit of each key in the next frame")
            ],
            state=[StateInfo(name="before", shape=["batch", KEYS], unit="the frame before")],
            features={
                "kind": "piano roll",
                "rolls": keys.rolls,
                "lowest_midi_pitch": LOWEST,
                "candidates": keys.candidates,
                "match_edges_frames": list(EDGES),
            },
        )
        if keys.candidates:
            shape = ["batch", keys.candidates]
            unit = "continuation of an earlier match, 1 where a key sounds"
            memory = [
                TensorInfo(name="continuations", shape=[*shape, KEYS], unit=unit, low=0.0, high=1.0),
                TensorInfo(
                    name="buckets",
                    shape=list(shape),
                    dtype="int64",
                    unit="how many of match_edges_frames a match reaches; 0: there is none",
                    low=0,
                    high=BUCKETS - 1,
                ),
            ]
            interface.inputs.extend(memory)
        interface.state.extend(
            StateInfo(name=name, shape=["batch", *shape], unit="activation")
            for name, shape in build_backbone(self.config).state_shapes().items()
        )
        return interface

    def export_module(self, model: nn.Module) -> nn.Module:
        """One frame of the network."""
        assert isinstance(model, KeysNet)
        return KeysStep(model)

    def deployed(self, model: nn.Module, runner: Runner) -> nn.Module:
        """The exported step, called over whole pieces."""
        return PlayedFrames(Deployed(runner, self.interface()), self.config.keys.candidates)

    def example_inputs(self, source: Source | None, batch: int) -> dict[str, NDArray[Any]]:
        """A frame in the middle of pieces spread over the source; silence without one."""
        count = self.config.keys.candidates
        named: dict[str, NDArray[Any]] = {"frame": np.zeros((batch, KEYS), np.float32)}
        if count:
            named["continuations"] = np.zeros((batch, count, KEYS), np.float32)
            named["buckets"] = np.zeros((batch, count), np.int64)
        if isinstance(source, RollSource):
            for row, piece in enumerate(np.linspace(0, len(source.rolls) - 1, batch).astype(int)):
                middle = len(source.rolls[piece]) // 2
                named["frame"][row] = source.rolls[piece][middle]
                if count:
                    continuations, buckets = source.memory[piece]
                    named["continuations"][row], named["buckets"][row] = continuations[middle], buckets[middle]
        return named

    def extreme_inputs(self) -> dict[str, dict[str, NDArray[Any]]]:
        """Silence, and every key at once."""
        silence = self.example_inputs(None, 1)
        return {"silence": silence, "every key": {name: np.ones_like(one) for name, one in silence.items()}}

    def limits(self) -> list[str]:
        """What a user should know."""
        return [
            "Keys of a frame are independent given the past: chords drawn key by key can clash.",
            "A note that is held and one that is struck again look alike in a piano roll.",
            "The training pieces were brought to C; other keys have to be moved there first.",
        ]


def _nats(logits: Tensor, roll: Tensor, weight: Tensor) -> Tensor:
    nll = F.binary_cross_entropy_with_logits(logits[:, :-1].float(), roll[:, 1:], reduction="none").sum(dim=-1)
    return (nll * weight).sum() / weight.sum().clamp(min=1.0)


def _answered(answer: Answer, source: RollSource) -> Predictions:
    return _predictions(source, [answer(source, piece) for piece in range(len(source.rolls))])


def _predictions(source: RollSource, said: Sequence[NDArray[np.floating]]) -> Predictions:
    sums = np.stack(
        [
            piece_sums(logits, roll, novel)
            for logits, roll, novel in zip(said, source.rolls, source.novel, strict=True)
        ]
    )
    frames = np.array([len(roll) - 1 for roll in source.rolls])
    names = list(source.names)
    return Predictions(sums, frames, np.array(names), names, figures(sums)["nll"])
