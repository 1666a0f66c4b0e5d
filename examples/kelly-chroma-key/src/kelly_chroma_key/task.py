"""How the model is trained, measured and described."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

import numpy as np
import torch
import torch.nn.functional as F
from kelly_core.chain import Activation, Chain, layers_of
from kelly_core.contract import ChainInfo, ChainState, ChainTensor, StateInfo, TensorInfo
from kelly_core.data import Dataset, Problem
from kelly_core.data.splits import describe_split
from kelly_core.deployed import Deployed
from kelly_core.errors import DataError
from kelly_core.export import Runner
from kelly_core.task import Context, Interface, Predictions, Prepared, Source, Split, Task
from numpy.typing import NDArray
from torch import Tensor, nn

from kelly_chroma_key.baselines import guesses, running
from kelly_chroma_key.chroma import INPUTS, UNKNOWN, read_tune
from kelly_chroma_key.config import ChromaKeyConfig
from kelly_chroma_key.keys import KEYS, LABELS, nearness
from kelly_chroma_key.network import Network
from kelly_chroma_key.source import Tunes

Floats = NDArray[np.floating]
EXAMPLE_BEATS = 32
FRAME_MEANING = (
    "share of the beat (a quarter note) that each pitch class sounds, from C, octaves together, at most 1; "
    "pitch class of the lowest note in it, one-hot; drums left out"
)


class _Played(Deployed):
    """An exported file that takes and gives what the network does."""

    def forward(self, frames: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        outputs, state = self.step([frames], [hidden])
        return outputs[0], state[0]


class ChromaKeyTask(Task[ChromaKeyConfig]):
    """Beats to keys. The loss on validation data chooses the epoch: accuracy over a few tunes is too coarse."""

    monitor: ClassVar[str] = "loss"
    monitor_mode: ClassVar[Literal["min", "max"]] = "min"

    def prepare(self, dataset: Dataset, split: Split, context: Context) -> Prepared:
        """Read every file of the split; files that can't be used are left out and named."""
        sources: dict[str, Source] = {}
        problems: list[Problem] = []
        digest = hashlib.sha256()
        for side, indices in split.items():
            tunes, items = [], []
            chosen = [dataset.items[int(index)] for index in indices]
            for item in context.progress.track(chosen, f"reading {side}", len(chosen)):
                try:
                    tune = read_tune(item)
                except DataError as error:
                    if self.config.strict_data:
                        raise
                    problems.append(Problem(item.path, error.message))
                    continue
                tunes.append(tune)
                items.append(item)
                digest.update(tune.frames.tobytes() + tune.keys.tobytes())
            if items:
                sources[side] = Tunes(tunes, items, self.config.crop, self.config.transpose)
            elif len(indices):
                raise DataError(
                    f"no usable file is left for {side}",
                    where=str(dataset.root),
                    hint=f"first: {problems[0]}",
                    code="data.nothing-left",
                )
        summary = {"split": describe_split(dataset.items, split), "keys": list(LABELS)}
        return Prepared(sources, problems, digest.hexdigest(), summary)

    def build(self, train: Source | None) -> nn.Module:
        """The network; it needs no statistics of the data."""
        return Network(self.config.width).train()

    def loss(self, model: nn.Module, batch: Mapping[str, Tensor], generator: torch.Generator) -> Tensor:
        """Cross-entropy after every beat whose key is known."""
        frames, keys = batch["frames"], batch["keys"]
        logits, _ = model(frames, torch.zeros(len(frames), self.config.width, device=frames.device))
        return F.cross_entropy(logits.float().flatten(0, 1), keys.flatten(), ignore_index=UNKNOWN)

    @torch.no_grad()
    def predict(self, model: nn.Module, source: Source, batch_size: int) -> Predictions:
        """For each tune the mean over its beats of what is said after each: (tunes, KEYS), probabilities."""
        assert isinstance(source, Tunes)
        device = next(model.parameters()).device
        said: list[Floats] = []
        for tune in source.tunes:
            frames = torch.from_numpy(tune.frames)[None].to(device)
            logits, _ = model(frames, torch.zeros(1, self.config.width, device=device))
            said.append(logits[0].float().softmax(dim=1).cpu().numpy())
        pairs = list(zip(said, source.tunes, strict=True))
        known = [(rows[tune.keys >= 0], tune.keys[tune.keys >= 0]) for rows, tune in pairs]
        losses = [-np.log(np.maximum(1e-9, rows[np.arange(len(keys)), keys])) for rows, keys in known]
        right = [int((rows.argmax(axis=1) == keys).sum()) for rows, keys in known]
        outputs = np.stack([rows.mean(axis=0) for rows in said])
        return self._predictions(source, outputs, right, float(np.concatenate(losses).mean()))

    def _predictions(
        self, source: Tunes, outputs: Floats, right: Sequence[int], loss: float = float("nan")
    ) -> Predictions:
        beats = [int((tune.keys >= 0).sum()) for tune in source.tunes]
        return Predictions(
            outputs,
            np.array([tune.key for tune in source.tunes]),
            np.array([item.group for item in source.items]),
            [item.path for item in source.items],
            loss,
            {"right": np.array(right), "beats": np.array(beats)},
        )

    def metrics(self, predictions: Predictions) -> dict[str, float]:
        """Share of tunes whose key is right, MIREX's score over tunes, share of beats that are right."""
        said, true = predictions.outputs.argmax(axis=1), predictions.targets
        return {
            "accuracy": float((said == true).mean()),
            "mirex": float(nearness(said, true).mean()),
            "beat_accuracy": float(predictions.extra["right"].sum() / predictions.extra["beats"].sum()),
        }

    def baselines(self, sources: Mapping[str, Source], on: str) -> dict[str, Predictions]:
        """The commonest key, Krumhansl-Schmuckler's profiles, profiles of the training tunes.

        For a tune each answers once, having heard all of it; for a beat, having heard all up to it.
        """
        train, other = sources["train"], sources[on]
        assert isinstance(train, Tunes)
        assert isinstance(other, Tunes)
        found = {}
        for name, guess in guesses(train.tunes).items():
            outputs, right = np.zeros((len(other), KEYS)), []
            for row, tune in enumerate(other.tunes):
                lasting = running(tune)
                outputs[row, guess(lasting[-1])] = 1.0
                known = np.flatnonzero(tune.keys >= 0)
                right.append(sum(guess(lasting[beat]) == tune.keys[beat] for beat in known))
            found[name] = self._predictions(other, outputs, right)
        return found

    def interface(self) -> Interface:
        """Tensors of the exported file; the state makes it work beat by beat."""
        return Interface(
            inputs=[
                TensorInfo(
                    name="frames", shape=["batch", "beats", INPUTS], unit="see features", low=0.0, high=1.0
                )
            ],
            outputs=[TensorInfo(name="logits", shape=["batch", "beats", KEYS], unit="logit of each key")],
            state=[StateInfo(name="hidden", shape=["batch", self.config.width], unit="activation")],
            labels=list(LABELS),
            features={"kind": "beat-chroma", "frames": FRAME_MEANING},
            window={"beats": self.config.crop},
        )

    def example_inputs(self, source: Source | None, batch: int) -> dict[str, NDArray[Any]]:
        """The first beats of tunes spread over the source; silence without one."""
        frames = np.zeros((batch, EXAMPLE_BEATS, INPUTS), np.float32)
        if isinstance(source, Tunes):
            for row, index in enumerate(np.linspace(0, len(source) - 1, batch).astype(int)):
                part = source.tunes[index].frames[:EXAMPLE_BEATS]
                frames[row, : len(part)] = part
        return {"frames": frames}

    def extreme_inputs(self) -> dict[str, dict[str, NDArray[Any]]]:
        """Silence, and everything at once."""
        shape = (1, EXAMPLE_BEATS, INPUTS)
        return {
            "silence": {"frames": np.zeros(shape, np.float32)},
            "everything": {"frames": np.ones(shape, np.float32)},
        }

    def chain(self, model: nn.Module) -> Chain | None:
        """A beat is a frame: dense, tanh, gru, dense."""
        assert isinstance(model, Network)
        layers = [
            *layers_of(model.entry, INPUTS, "entry"),
            Activation("tanh", model.width),
            *layers_of(model.memory, model.width, "memory"),
            *layers_of(model.head, model.width, "head"),
        ]
        info = ChainInfo(
            time="beats",
            inputs=[ChainTensor(name="frames", size=INPUTS)],
            outputs=[ChainTensor(name="logits", size=KEYS)],
            state=[ChainState(name="hidden", axes=[0])],
        )
        return Chain(layers, info)

    def deployed(self, model: nn.Module, runner: Runner) -> nn.Module:
        """An exported file in the place of the network."""
        return _Played(runner, self.interface())

    def limits(self) -> list[str]:
        """For the card."""
        return [
            "Knows major and minor; tunes in other modes are called by one of them.",
            "Hears quarter notes of the file's own grid: a file without one (a recording of free playing) is "
            "heard in arbitrary slices.",
            "A key signature is what somebody wrote, and stays what it was where the music moves on.",
        ]
