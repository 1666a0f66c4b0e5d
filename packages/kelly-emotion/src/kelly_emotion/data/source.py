"""Clips as training examples: log-mels end to end in memory, windows cut a whole batch at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kelly_emotion.windows import cut_window, evaluation_starts, gather_windows, speech_region, training_bounds

IN_MEMORY_BYTES = 1 << 30
"""Log-mels up to this size are laid end to end in memory; larger sets stay memory-mapped."""


class MelStore:
    """Log-mels of all clips at one speed, and where speech lies in each.

    Args:
        clips: one (frames, n_mels) array per clip, dB.
    """

    def __init__(self, clips: Sequence[NDArray[np.float32]]) -> None:
        self.clips = clips
        self.lengths = np.array([len(clip) for clip in clips], dtype=np.int64)
        self.offsets = np.concatenate(([0], np.cumsum(self.lengths)[:-1])).astype(np.int64)
        self.regions = [speech_region(clip) for clip in clips]
        fits = sum(clip.nbytes for clip in clips) <= IN_MEMORY_BYTES
        self._flat = np.concatenate(clips) if fits else None

    def windows(self, clips: NDArray[np.int64], starts: NDArray[np.int64], window: int) -> NDArray[np.float32]:
        """Cut one window from each of several clips.

        Args:
            clips: (batch,) which clips.
            starts: (batch,) first frames; negative or late ones are padded with silence.
            window: frames of each.

        Returns:
            (batch, 1, n_mels, window), dB.
        """
        if self._flat is not None:
            return gather_windows(self._flat, self.offsets, self.lengths, clips, starts, window)
        cut = [cut_window(self.clips[c], int(s), window) for c, s in zip(clips, starts, strict=True)]
        return np.ascontiguousarray(np.stack(cut).transpose(0, 2, 1))[:, None]

    def region_of(self, clip: int) -> NDArray[np.float32]:
        """The speech of a clip: (frames, n_mels), dB."""
        start, stop = self.regions[clip]
        return self.clips[clip][max(0, start) : stop]


@dataclass(frozen=True)
class ClipSource:
    """One side of a split; satisfies `kelly_core.task.Source`.

    Attributes:
        stores: log-mels by speed; 1.0 is the recording itself.
        targets: (clips,) class indices.
        weights: (clips,) weight of each clip in the loss, mean 1.
        groups: (clips,) speakers.
        paths: files, for reports.
        window: frames of a window.
        reach: frames fetched for training; more than `window` leaves room for time stretch.
        extra: further columns, each (clips,).
    """

    stores: Mapping[float, MelStore]
    targets: NDArray[np.int64]
    weights: NDArray[np.float32]
    groups: NDArray[np.str_]
    paths: Sequence[str]
    window: int
    reach: int
    extra: Mapping[str, NDArray[np.str_]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.targets)

    @property
    def store(self) -> MelStore:
        """The recordings at their own speed."""
        return self.stores[1.0]

    def fetch(self, indices: NDArray[np.int64], rng: np.random.Generator | None) -> dict[str, Tensor]:
        """One window per clip: random in position and speed with `rng`, else the centred one.

        Returns:
            `mel`: (batch, 1, n_mels, reach or window), dB; `target`: (batch,) int64; `weight`: (batch,).
        """
        store, size = self.store, self.window
        if rng is not None and len(self.stores) > 1:
            store = self.stores[list(self.stores)[int(rng.integers(len(self.stores)))]]
        regions = [store.regions[index] for index in indices]
        if rng is None:
            starts = np.array([(start + stop - size) // 2 for start, stop in regions])
        else:
            bounds = np.array([training_bounds(region, self.window) for region in regions])
            size = self.reach
            starts = rng.integers(bounds[:, 0], bounds[:, 1] + 1) - (self.reach - self.window) // 2
        mel = store.windows(indices, starts, size)
        return {
            "mel": torch.from_numpy(mel),
            "target": torch.from_numpy(self.targets[indices]),
            "weight": torch.from_numpy(self.weights[indices]),
        }

    def evaluation_batches(
        self, batch_size: int, hop: int
    ) -> Iterator[tuple[NDArray[np.float32], NDArray[np.int64]]]:
        """All windows of all clips with the clip each belongs to, `batch_size` windows at a time."""
        starts = [evaluation_starts(region, self.window, hop) for region in self.store.regions]
        owners = np.repeat(np.arange(len(self)), [len(of_clip) for of_clip in starts])
        flat = np.array([start for of_clip in starts for start in of_clip], dtype=np.int64)
        for at in range(0, len(owners), batch_size):
            part = slice(at, at + batch_size)
            yield self.store.windows(owners[part], flat[part], self.window), owners[part]

    def regions_of_clips(self) -> Iterator[NDArray[np.float32]]:
        """The speech of each clip: (frames, n_mels), dB."""
        return (self.store.region_of(clip) for clip in range(len(self)))
