"""How the audio autoencoder is trained, measured and described."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from kelly_core.contract import TensorInfo
from kelly_core.data import Dataset
from kelly_core.deployed import Deployed
from kelly_core.export import Runner, View
from kelly_core.sound.described import mel_features, mel_input
from kelly_core.sound.front_end import waveform_view
from kelly_core.sound.windows import FLOOR_DB, louder
from kelly_core.task import Context, Interface, Predictions, Prepared, Source, Split, Task
from kelly_embedding import baselines
from kelly_embedding.components import MOST_NUMBERS
from kelly_embedding.config import EmbeddingConfig
from kelly_embedding.data.prepare import prepare
from kelly_embedding.data.source import WindowSource
from kelly_embedding.metrics import Errors, reconstruction_metrics
from kelly_embedding.network import AudioAutoencoder
from kelly_embedding.pool import pool
from kelly_embedding.report import write_sample

GAINS_DB = (6.0, -6.0)
SAMPLES = 3
LOUD_DB = 40.0
"""About what full-scale broadband sound gives in the loudest bands."""


class EmbeddingTask(Task[EmbeddingConfig]):
    """Audio to an embedding."""

    monitor: ClassVar[str] = "mae_db"
    monitor_mode: ClassVar[Literal["min", "max"]] = "min"

    def prepare(self, dataset: Dataset, split: Split, context: Context) -> Prepared:
        """Log-mels through the cache."""
        return prepare(self.config, dataset, split, context)

    def build(self, train: Source | None) -> nn.Module:
        """The network; with a training side it begins as principal components of its windows."""
        module = AudioAutoencoder(self.config)
        if isinstance(train, WindowSource):
            numbers = self.config.features.n_mels * self.config.input_size
            module.begin(train.spread(MOST_NUMBERS // numbers))
        return module.train()

    def loss(self, model: nn.Module, batch: Mapping[str, Tensor], generator: torch.Generator) -> Tensor:
        """Mean absolute error of the restored windows in dB, each at a level of its own."""
        mel = batch["mel"]
        if self.config.gain_db:
            gain = (2 * torch.rand(len(mel), 1, 1, 1, generator=generator) - 1) * self.config.gain_db
            mel = torch.where(mel > FLOOR_DB, mel + gain.to(mel.device), mel)
        _, restored = model(mel)
        return (restored - mel.clamp(min=self.config.floor_db)).abs().mean()

    def predict(self, model: nn.Module, source: Source, batch_size: int) -> Predictions:
        """Errors per clip; on the test side of a labelled set also what a probe of the embedding says."""
        return self._predict(model, source, batch_size, gain_db=0.0)

    def _predict(self, model: nn.Module, source: Source, batch_size: int, gain_db: float) -> Predictions:
        assert isinstance(source, WindowSource)
        errors = Errors(len(source.paths))
        heard = self._embed(model, source, batch_size, gain_db, errors)
        rows = errors.rows()
        loss = float(rows[:, 0].mean())
        if source.known is not None:
            known = self._embed(model, source.known, batch_size)
            rows = np.hstack([rows, baselines.probe(known, source.known, heard)])
        return Predictions(rows, source.targets, source.groups, source.paths, loss)

    @torch.no_grad()
    def _embed(
        self,
        model: nn.Module,
        source: WindowSource,
        batch_size: int,
        gain_db: float = 0.0,
        errors: Errors | None = None,
    ) -> NDArray[np.float32]:
        """Embeddings of a source's clips, (clips, 2 * size); their errors are added up in `errors`."""
        device = next(model.parameters()).device
        parts, of_clip = [], []
        for mel, owners in source.batches(batch_size):
            heard = louder(mel, gain_db) if gain_db else mel
            embedding, restored = model(torch.from_numpy(heard).to(device))
            parts.append(embedding.cpu().numpy())
            of_clip.append(owners)
            if errors is not None:
                truth = np.maximum(heard, np.float32(self.config.floor_db))
                errors.add(owners, truth, restored.cpu().numpy())
        return baselines.pooled(np.concatenate(parts), np.concatenate(of_clip))

    def metrics(self, predictions: Predictions) -> dict[str, float]:
        """Reconstruction error in dB, and the recall of the probe where there is one."""
        return reconstruction_metrics(predictions.outputs, predictions.targets)

    def baselines(self, sources: Mapping[str, Source], on: str) -> dict[str, Predictions]:
        """Mean frame and principal components; for a probe also statistics, and the commonest class."""
        train, test = sources["train"], sources[on]
        assert isinstance(train, WindowSource)
        assert isinstance(test, WindowSource)
        size, floor = self.config.embedding_size, self.config.floor_db
        rows = {
            "mean frame": baselines.mean_frame(train, test, floor),
            f"PCA, {size} numbers a window": baselines.components(train, test, floor, size),
        }
        if test.known is not None:
            rows["log-mel statistics + linear SVM"] = baselines.statistics_svm(test, pool)
            rows["MFCC statistics + linear SVM"] = baselines.statistics_svm(test, baselines.mfcc_statistics)
            rows["commonest class"] = baselines.commonest(test)
        return {name: Predictions(said, test.targets, test.groups, test.paths) for name, said in rows.items()}

    def variants(self, model: nn.Module, source: Source) -> dict[str, Predictions]:
        """The same clips louder and softer; a probe has learned from the clips as they are."""
        return {f"{gain:+g} dB": self._predict(model, source, 256, gain) for gain in GAINS_DB}

    def breakdown(self, predictions: Predictions) -> dict[str, float]:
        """Error of the group that is restored worst, and best."""
        errors = predictions.outputs[:, 0]
        of_group = [float(errors[predictions.groups == name].mean()) for name in np.unique(predictions.groups)]
        return {"mae_db of the worst group": max(of_group), "mae_db of the best group": min(of_group)}

    def write_samples(self, model: nn.Module, source: Source, folder: Path) -> None:
        """A few validation clips: sound, and what the embedding kept of it, to look at and to hear."""
        assert isinstance(source, WindowSource)
        config, device = self.config.features.front_end(), next(model.parameters()).device

        @torch.no_grad()
        def restore(windows: NDArray[np.float32]) -> NDArray[np.float32]:
            _, restored = model(torch.from_numpy(windows).to(device))
            return np.asarray(restored.cpu().numpy())

        chosen = np.linspace(0, len(source.paths) - 1, min(SAMPLES, len(source.paths))).astype(int)
        for number, clip in enumerate(chosen, 1):
            write_sample(folder, number, source, int(clip), restore, config, self.config.floor_db)

    def interface(self) -> Interface:
        """One window of log-mel in, its embedding out. The decoder stays here: no host needs it."""
        frames, size = self.config.input_size, self.config.embedding_size
        unit = "deviations of the training windows"
        return Interface(
            inputs=[mel_input(self.config.features.n_mels, frames)],
            outputs=[TensorInfo(name="embedding", shape=["batch", size], unit=unit)],
            features=mel_features(self.config.features.front_end()),
            window={"frames": frames, "hop_frames": frames // 2, "look_ahead": 0},
        )

    def export_module(self, model: nn.Module) -> nn.Module:
        """The part that embeds."""
        return model.get_submodule("embedder")

    def deployed(self, model: nn.Module, runner: Runner) -> nn.Module:
        """The exported file, with the trained decoder behind it."""
        assert isinstance(model, AudioAutoencoder)
        return Embedded(Deployed(runner, self.interface()), model)

    def other_interface(self, name: str, model: nn.Module) -> View:
        """`waveform`: sound in place of a window of log-mel."""
        if name != "waveform":
            return super().other_interface(name, model)
        mel, frames = self.config.features.front_end(), self.config.input_size
        return waveform_view(mel, frames, self.export_module(model), _place, fixed=True)

    def example_inputs(self, source: Source | None, batch: int) -> dict[str, NDArray[Any]]:
        """Windows spread over the source."""
        if not isinstance(source, WindowSource):
            shape = (batch, 1, self.config.features.n_mels, self.config.input_size)
            return {"input": np.full(shape, FLOOR_DB, dtype=np.float32)}
        chosen = np.linspace(0, len(source) - 1, batch).astype(np.int64)
        return {"input": source.fetch(chosen, None)["mel"].numpy()}

    def extreme_inputs(self) -> dict[str, dict[str, NDArray[Any]]]:
        """Silence and full scale."""
        shape = (1, 1, self.config.features.n_mels, self.config.input_size)
        levels = {"silence": FLOOR_DB, "full scale": LOUD_DB}
        return {name: {"input": np.full(shape, level, dtype=np.float32)} for name, level in levels.items()}

    def limits(self) -> list[str]:
        """What a user should know."""
        return [
            "It keeps what sounds differ by on average: level and broad spectrum first, fine detail last.",
            "Trained on one kind of sound, it restores that kind; measure it on yours before relying on it.",
            "The embedding depends on level and on where a window begins; the mean over windows less so.",
            "What is below the floor, and the phase of the sound, is lost.",
        ]


class Embedded(nn.Module):
    """An exported embedder in the place of the trained one.

    Args:
        embedder: Gives embeddings of windows.
        network: The trained network, for its decoder.
    """

    def __init__(self, embedder: nn.Module, network: AudioAutoencoder) -> None:
        super().__init__()
        self.embedder = embedder
        self.network = network

    def forward(self, mel: Tensor) -> tuple[Tensor, Tensor]:
        """As `AudioAutoencoder`."""
        embedding = self.embedder(mel)
        return embedding, self.network.restore(embedding)


def _place(source: Source, example: int) -> tuple[str, int]:
    """File and middle frame of a window."""
    assert isinstance(source, WindowSource)
    owners, starts = source.grid
    return source.paths[owners[example]], int(starts[example]) + source.window // 2
