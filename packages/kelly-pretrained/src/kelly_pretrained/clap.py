"""CLAP: sound and text as unit vectors in one space. Sound is mono float32 at 48 kHz, times are in seconds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kelly_core.data.audio_files import read_audio
from kelly_core.errors import UserError
from kelly_core.inference import FileEmbedding, FilePrediction, Span, softmax
from kelly_core.workspace import Workspace
from kelly_pretrained.loading import load, quiet
from kelly_pretrained.origins import CLAP
from kelly_pretrained.weights import find_weights

Floats = NDArray[np.float32]
BATCH = 8
"""Windows that go through the network at once."""


class Clap:
    """An opened CLAP model.

    Args:
        model: A `transformers.ClapModel` in evaluation mode.
        processor: Its `transformers.ClapProcessor`.
    """

    def __init__(self, model: Any, processor: Any) -> None:
        self.model, self.processor = model, processor

    @property
    def dims(self) -> int:
        """Length of an embedding."""
        dims: int = self.model.config.projection_dim
        return dims

    @property
    def longest_label(self) -> int:
        """Tokens of the longest text it can read, with the two around it."""
        config = self.model.config.text_config
        longest: int = min(self.processor.tokenizer.model_max_length, config.max_position_embeddings - 2)
        return longest

    def embed_file(self, path: Path) -> FileEmbedding:
        """Embed a file, in windows as long as the model hears at once: 10 s.

        All vectors have length 1; the file's is the mean of its windows'. The last window ends with the
        file, so that each is full. A file gives the same embedding every time.

        Args:
            path: Sound of any rate and channel count, up to an hour.

        Raises:
            DataError: The file can't be used; says why.
        """
        extractor = self.processor.feature_extractor
        rate, size = int(extractor.sampling_rate), int(extractor.nb_max_samples)
        samples = read_audio(path, rate)
        starts = window_starts(len(samples), size)
        windows = self._embed([samples[start : start + size] for start in starts])
        times = [(start / rate, min(start + size, len(samples)) / rate) for start in starts]
        return FileEmbedding(Path(path), len(samples) / rate, unit(windows.mean(axis=0)), windows, times)

    def embed_texts(self, texts: Sequence[str]) -> Floats:
        """Embed texts: (texts, dims) at unit length.

        Raises:
            UserError: A text is longer than the model reads.
        """
        import torch

        tokenizer = self.processor.tokenizer
        for text in texts:
            count = len(tokenizer(text)["input_ids"])
            if count > self.longest_label:
                raise UserError(
                    f"the text {text[:40]!r}... has {count} tokens; the model reads {self.longest_label}",
                    where="--labels",
                    hint="say it in fewer words",
                )
        tokens = tokenizer(list(texts), padding=True, return_tensors="pt")
        with torch.inference_mode(), quiet():
            return unit(self.model.get_text_features(**tokens).pooler_output.numpy())

    def classify(self, sound: FileEmbedding, labels: Sequence[str], texts: Floats) -> FilePrediction:
        """How well each label describes a file beside the others, as probabilities.

        Args:
            sound: From `embed_file`.
            labels: What is chosen from.
            texts: (labels, dims) from `embed_texts`.
        """
        scale = float(self.model.logit_scale_a.exp())
        whole, *parts = softmax(scale * np.vstack([sound.embedding, sound.windows]) @ texts.T)
        spans = [Span(start, end, row) for (start, end), row in zip(sound.times, parts, strict=True)]
        return FilePrediction(sound.path, sound.seconds, labels, whole, spans if len(spans) > 1 else ())

    def _embed(self, windows: Sequence[Floats]) -> Floats:
        """(windows, dims) at unit length, of windows of at most 10 s."""
        import torch

        extractor = self.processor.feature_extractor
        rows = []
        with torch.inference_mode(), quiet():
            for at in range(0, len(windows), BATCH):
                batch = list(windows[at : at + BATCH])
                prepared = extractor(batch, sampling_rate=extractor.sampling_rate, return_tensors="pt")
                # Where none is longer than a window, the extractor marks one at random as if it were.
                prepared["is_longer"] = torch.zeros_like(prepared["is_longer"])
                rows.append(unit(self.model.get_audio_features(**prepared).pooler_output.numpy()))
        return np.concatenate(rows)


def window_starts(samples: int, size: int) -> list[int]:
    """Where windows of `size` begin so that they cover all samples and the last ends with them.

    >>> window_starts(25, 10)
    [0, 10, 15]
    >>> window_starts(7, 10)
    [0]
    """
    last = max(0, samples - size)
    return [*range(0, last, size), last]


def unit(vectors: NDArray[Any]) -> Floats:
    """The vectors along the last axis at unit length."""
    lengths: Any = np.linalg.norm(vectors, axis=-1, keepdims=True)
    result: Floats = (vectors / lengths).astype(np.float32)
    return result


def find(workspace: Workspace) -> Path:
    """The folder of weights that `kelly predict clap` would use; see `weights.find_weights`."""
    return find_weights(CLAP, workspace)


def open_weights(folder: Path) -> Clap:
    """Open a CLAP model as the hub has it.

    Raises:
        CheckpointError: The folder holds no usable CLAP model.
        MissingExtraError: torch or transformers isn't installed.
    """
    return Clap(*load(Path(folder), CLAP, "ClapModel", "ClapProcessor"))
