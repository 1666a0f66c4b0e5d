"""How EmotionRecognizer is trained, measured and described."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from kelly_core.chain import Chain
from kelly_core.contract import ChainInfo, ChainState, ChainTensor, Pooling, StateInfo, TensorInfo
from kelly_core.data import Dataset
from kelly_core.deployed import Deployed
from kelly_core.errors import FormatError
from kelly_core.evaluate.classification import classification_metrics, confusion_matrix
from kelly_core.evaluate.linear import majority
from kelly_core.export import Runner, View
from kelly_core.features.audio import MelConfig
from kelly_core.sound.described import mel_features, mel_input
from kelly_core.sound.front_end import waveform_view
from kelly_core.sound.standardize import Standardize
from kelly_core.sound.windows import FLOOR_DB, louder
from kelly_core.task import Context, Interface, Predictions, Prepared, Source, Split, Task
from kelly_emotion.augment import augment
from kelly_emotion.baselines import functionals_svm
from kelly_emotion.config import EmotionConfig
from kelly_emotion.data.prepare import prepare
from kelly_emotion.data.source import ClipSource
from kelly_emotion.labels import EMOTIONS
from kelly_emotion.model import EmotionStreaming, PooledChunks, StreamingChunk, build_network
from kelly_emotion.report import draw_confusion, write_sample

EVALUATION_HOP = 32
"""Frames between two windows of one clip."""
GAINS_DB = (6.0, -6.0)
SAMPLES = 6
LOUD_DB = 40.0
"""About what full-scale broadband sound gives in the loudest bands."""


class EmotionTask(Task[EmotionConfig]):
    """Audio to seven emotions."""

    monitor: ClassVar[str] = "uar"
    monitor_mode: ClassVar[Literal["min", "max"]] = "max"
    chain_setting: ClassVar[str] = "architecture_type=streaming"

    @cached_property
    def mel_config(self) -> MelConfig:
        """The front end's settings."""
        return self.config.features.front_end()

    def dataset_options(self) -> dict[str, Any]:
        """How labels are read."""
        return self.config.labels.model_dump()

    def prepare(self, dataset: Dataset, split: Split, context: Context) -> Prepared:
        """Log-mels through the cache; the training side also at the configured speeds."""
        return prepare(self.config, dataset, split, context)

    def build(self, train: Source | None) -> nn.Module:
        """The configured network; normalisation from the speech of the training side."""
        module = build_network(self.config)
        if isinstance(train, ClipSource):
            frames = np.concatenate(list(train.store.regions_of_clips()))
            normalize = module.get_submodule("normalize")
            assert isinstance(normalize, Standardize)
            normalize.fit(float(frames.mean(dtype=np.float64)), float(frames.std(dtype=np.float64)))
        # Channels last makes the convolutions a fifth faster on CPUs.
        return module.to(memory_format=torch.channels_last).train()

    def loss(self, model: nn.Module, batch: Mapping[str, Tensor], generator: torch.Generator) -> Tensor:
        """Cross-entropy with label smoothing and class weights, on augmented windows."""
        mel, target = batch["mel"], batch["target"]
        smooth = self.config.label_smoothing
        wanted = F.one_hot(target, len(EMOTIONS)).float() * (1 - smooth) + smooth / len(EMOTIONS)
        wanted = wanted * batch["weight"][:, None]
        mel, wanted = augment(mel, wanted, self.config.augment, self.config.input_size, generator)
        return -(model(mel).log_softmax(dim=1) * wanted).sum(dim=1).mean()

    def predict(self, model: nn.Module, source: Source, batch_size: int) -> Predictions:
        """Log-probabilities per clip, averaged over its windows."""
        return self._predict(model, source, batch_size, gain_db=0.0)

    @torch.no_grad()
    def _predict(self, model: nn.Module, source: Source, batch_size: int, gain_db: float) -> Predictions:
        assert isinstance(source, ClipSource)
        device = next(model.parameters()).device
        total = np.zeros((len(source), len(EMOTIONS)))
        count = np.zeros(len(source))
        for mel, owners in source.evaluation_batches(batch_size, EVALUATION_HOP):
            heard = louder(mel, gain_db) if gain_db else mel
            scores = model(torch.from_numpy(heard).to(device)).log_softmax(dim=1).cpu().numpy()
            np.add.at(total, owners, scores)
            np.add.at(count, owners, 1)
        outputs = total / count[:, None]
        loss = -float(outputs[np.arange(len(source)), source.targets].mean())
        return Predictions(outputs, source.targets, source.groups, source.paths, loss, source.extra)

    def metrics(self, predictions: Predictions) -> dict[str, float]:
        """UAR, accuracy, macro F1, expected calibration error."""
        return classification_metrics(predictions.outputs, predictions.targets)

    def baselines(self, sources: Mapping[str, Source], on: str) -> dict[str, Predictions]:
        """Majority class, and a linear support vector machine on functionals."""
        train, test = sources["train"], sources[on]
        assert isinstance(train, ClipSource)
        assert isinstance(test, ClipSource)
        known = [source for side, source in sources.items() if side != on and isinstance(source, ClipSource)]
        outputs = {
            "majority class": majority(train.targets, len(test), len(EMOTIONS)),
            "functionals + linear SVM": functionals_svm(known, test, len(EMOTIONS)),
        }
        return {
            name: Predictions(scores, test.targets, test.groups, test.paths, extra=test.extra)
            for name, scores in outputs.items()
        }

    def variants(self, model: nn.Module, source: Source) -> dict[str, Predictions]:
        """The same clips louder and softer; for `streaming` also heard from their first frame on."""
        found = {f"{gain:+g} dB": self._predict(model, source, 256, gain) for gain in GAINS_DB}
        if isinstance(model, EmotionStreaming):
            found["whole untrimmed clip as one stream"] = self._predict_streams(model, source)
        return found

    @torch.no_grad()
    def _predict_streams(self, model: nn.Module, source: Source) -> Predictions:
        """Each clip from its first frame to its last, silence and all: what a live host hears."""
        assert isinstance(source, ClipSource)
        clips = (torch.from_numpy(np.ascontiguousarray(clip.T))[None, None] for clip in source.store.clips)
        outputs = np.concatenate([model(clip).log_softmax(dim=1).numpy() for clip in clips])
        loss = -float(outputs[np.arange(len(source)), source.targets].mean())
        return Predictions(outputs, source.targets, source.groups, source.paths, loss, source.extra)

    def breakdown(self, predictions: Predictions) -> dict[str, float]:
        """Accuracy of the worst speaker and, where sex is known, of men, women and their gap."""
        hit = predictions.outputs.argmax(axis=1) == predictions.targets
        per_speaker = [
            float(hit[predictions.groups == group].mean()) for group in np.unique(predictions.groups)
        ]
        figures = {
            "accuracy of the worst speaker": min(per_speaker),
            "accuracy of the best speaker": max(per_speaker),
        }
        sex = predictions.extra.get("sex")
        if sex is not None and {"male", "female"} <= set(sex):
            men, women = float(hit[sex == "male"].mean()), float(hit[sex == "female"].mean())
            figures |= {
                "accuracy of men": men,
                "accuracy of women": women,
                "gap between men and women": abs(men - women),
            }
        return figures

    def write_samples(self, model: nn.Module, source: Source, folder: Path) -> None:
        """A few validation clips: sound, mel picture, top three."""
        assert isinstance(source, ClipSource)
        predictions = self.predict(model, source, 256)
        seconds = self.mel_config.hop_length / self.mel_config.sample_rate
        for clip in np.linspace(0, len(source) - 1, min(SAMPLES, len(source))).astype(int):
            write_sample(
                folder,
                source.paths[clip],
                source.store.clips[clip].T,
                predictions.outputs[clip],
                EMOTIONS[source.targets[clip]],
                EMOTIONS,
                seconds,
            )

    def figures(self, predictions: Predictions, folder: Path) -> list[Path]:
        """The confusion matrix."""
        matrix = confusion_matrix(predictions.targets, predictions.outputs.argmax(axis=1), len(EMOTIONS))
        return [
            draw_confusion(
                matrix, EMOTIONS, folder / "confusion.png", f"EmotionRecognizer, {matrix.sum()} clips"
            )
        ]

    def interface(self) -> Interface:
        """One log-mel in, seven logits out; `streaming` gives frames to pool, and has state."""
        interface = Interface(
            inputs=[mel_input(self.config.features.n_mels, "frames")],
            outputs=[TensorInfo(name="output", shape=["batch", len(EMOTIONS)], unit="logit")],
            labels=list(EMOTIONS),
            features=mel_features(self.mel_config),
            window={"frames": self.config.input_size, "hop_frames": EVALUATION_HOP, "look_ahead": 0},
        )
        module = build_network(self.config)
        if isinstance(module, EmotionStreaming):
            states = module.initial_state(1)
            interface.state.extend(
                StateInfo(name=f"state_{at}", shape=["batch", *state.shape[1:]], unit="activation")
                for at, state in enumerate(states)
            )
            meaning = "per frame: 14 numbers; logits = running mean of the first 7 + running max of the last 7"
            frame = TensorInfo(name="output", shape=["batch", 2 * len(EMOTIONS), "frames"], unit="logit")
            pooling = Pooling(kind="mean_plus_max", meaning=meaning)
            interface = replace(interface, outputs=[frame], pooling=pooling)
        return interface

    def export_module(self, model: nn.Module) -> nn.Module:
        """The network itself; `streaming` with its state at the interface."""
        return StreamingChunk(model) if isinstance(model, EmotionStreaming) else model

    def other_interface(self, name: str, model: nn.Module) -> View:
        """`waveform`: sound in place of log-mels, for networks without state."""
        if name != "waveform":
            return super().other_interface(name, model)
        if isinstance(model, EmotionStreaming):
            raise FormatError(
                "streaming passes state from call to call, and so would its front end have to",
                where="architecture_type",
                hint="export the network alone, e.g. onnx; `--code cpp` writes the front end for streams",
                code="format.state",
            )
        return waveform_view(self.mel_config, self.config.input_size, model, _place)

    def deployed(self, model: nn.Module, runner: Runner) -> nn.Module:
        """The exported file; of `streaming` with the pooling that the host does."""
        found = Deployed(runner, self.interface())
        return PooledChunks(found, model) if isinstance(model, EmotionStreaming) else found

    def chain(self, model: nn.Module) -> Chain | None:
        """`streaming`, a mel frame in, the numbers that the host pools out; the others see whole windows."""
        if not isinstance(model, EmotionStreaming):
            return None
        layers = model.chain_layers()
        memories = [f"state_{at}" for at in range(len(model.layers))]
        info = ChainInfo(
            time="frames",
            inputs=[ChainTensor(name="input", size=layers[0].inputs)],
            outputs=[ChainTensor(name="output", size=layers[-1].outputs)],
            state=[ChainState(name=name, axes=[2, 1, 0]) for name in memories],
        )
        return Chain(layers, info)

    def example_inputs(self, source: Source | None, batch: int) -> dict[str, NDArray[Any]]:
        """Centred windows of the first clips, spread over the source."""
        if not isinstance(source, ClipSource):
            shape = (batch, 1, self.config.features.n_mels, self.config.input_size)
            return {"input": np.full(shape, FLOOR_DB, dtype=np.float32)}
        chosen = np.linspace(0, len(source) - 1, batch).astype(np.int64)
        return {"input": source.fetch(chosen, None)["mel"].numpy()}

    def extreme_inputs(self) -> dict[str, dict[str, NDArray[Any]]]:
        """Silence, full scale, and windows much shorter and longer than usual."""
        bands, frames = self.config.features.n_mels, self.config.input_size

        def level(value: float, length: int) -> dict[str, NDArray[Any]]:
            return {"input": np.full((1, 1, bands, length), value, dtype=np.float32)}

        return {
            "silence": level(FLOOR_DB, frames),
            "full scale": level(LOUD_DB, frames),
            "quarter window": level(-40.0, max(32, frames // 4)),
            "eight windows": level(-40.0, frames * 8),
        }

    def limits(self) -> list[str]:
        """What a user should know."""
        return [
            "Trained on short clips with one emotion each; mixed or changing emotions get an average.",
            "Acted emotion differs from felt emotion: expect lower accuracy on spontaneous recordings.",
            "Accuracy differs much between speakers; see the worst speaker above.",
            "One language and one recording room unless the training data say otherwise.",
        ]


def _place(source: Source, clip: int) -> tuple[str, int]:
    assert isinstance(source, ClipSource)
    return source.paths[clip], sum(source.store.regions[clip]) // 2
