"""Log-mels of many clips, from which windows are cut a whole batch at a time (numpy only)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from kelly_core.sound.windows import active_region, cut_window, evaluation_starts, gather_windows

IN_MEMORY_BYTES = 1 << 30
"""Log-mels up to this size are laid end to end in memory; larger sets stay memory-mapped."""


class MelStore:
    """Log-mels of all clips, and where each of them sounds.

    Args:
        clips: one (frames, n_mels) array per clip, dB.
    """

    def __init__(self, clips: Sequence[NDArray[np.float32]]) -> None:
        self.clips = clips
        self.lengths = np.array([len(clip) for clip in clips], dtype=np.int64)
        self.offsets = np.concatenate(([0], np.cumsum(self.lengths)[:-1])).astype(np.int64)
        self.regions = [active_region(clip) for clip in clips]
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
        """What sounds of a clip: (frames, n_mels), dB."""
        start, stop = self.regions[clip]
        return self.clips[clip][max(0, start) : stop]

    def regions_of_clips(self) -> Iterator[NDArray[np.float32]]:
        """What sounds of each clip: (frames, n_mels), dB."""
        return (self.region_of(clip) for clip in range(len(self.clips)))

    def grid(self, window: int, hop: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Evenly spread windows over what sounds of every clip, at most `hop` frames apart.

        Returns:
            (windows,) the clip of each, and (windows,) its first frame, which may be negative.
        """
        starts = [evaluation_starts(region, window, hop) for region in self.regions]
        owners = np.repeat(np.arange(len(starts)), [len(of_clip) for of_clip in starts])
        return owners, np.array([start for of_clip in starts for start in of_clip], dtype=np.int64)
