"""What a person looks at and listens to: clips, and what the embedding kept of them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kelly_core.features.audio import MelConfig, mel_filters
from kelly_core.sound.picture import draw_mels
from kelly_core.sound.windows import evaluation_starts
from kelly_embedding.data.source import WindowSource

Restore = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""(windows, 1, n_mels, frames) dB to the same shape."""
PHASE_STEPS, POWER_STEPS = 32, 30
TINY = 1e-12
LONGEST_S = 10.0
"""Samples are cut there."""


def write_sample(
    folder: Path,
    number: int,
    source: WindowSource,
    clip: int,
    restore: Restore,
    config: MelConfig,
    floor_db: float,
) -> None:
    """Write NAME.png, the clip's file, and two renderings from log-mels alone; NAME begins with a number.

    `NAME-mel.wav` is rendered from the clip's own log-mel: what no embedding of it could sound better than.
    `NAME-restored.wav` is rendered from what was restored.

    Args:
        folder: Where to.
        number: Of the sample, for the names: clips of two folders may be called the same.
        source: Whose clip.
        clip: Which.
        restore: Windows through the network.
        config: Of the front end.
        floor_db: The network's floor.
    """
    import soundfile

    path = Path(source.paths[clip])
    mel = np.maximum(source.store.clips[clip][: int(LONGEST_S * config.frame_rate)], np.float32(floor_db))
    restored = restore_clip(mel, source.window, restore)
    error = float(np.abs(restored - mel).mean())
    heading = f"restored from {source.window}-frame embeddings, off by {error:.1f} dB on average"
    name = f"{number}-{path.stem}"
    shutil.copyfile(path, folder / f"{name}{path.suffix}")
    draw_mels({path.name: mel.T, heading: restored.T}, folder / f"{name}.png", 1 / config.frame_rate)
    for kind, shown in (("mel", mel), ("restored", restored)):
        soundfile.write(folder / f"{name}-{kind}.wav", render(shown, config), config.sample_rate)


def restore_clip(mel: NDArray[np.float32], window: int, restore: Restore) -> NDArray[np.float32]:
    """A clip restored window by window, the mean where windows overlap.

    Args:
        mel: (frames, n_mels), dB.
        window: Frames of a window.
        restore: Windows through the network.

    Returns:
        The same shape.
    """
    padded = np.pad(mel, ((0, max(0, window - len(mel))), (0, 0)), mode="edge")
    starts = evaluation_starts((0, len(padded)), window, window // 2)
    windows = np.stack([padded[start : start + window].T for start in starts])[:, None]
    total, count = np.zeros_like(padded), np.zeros((len(padded), 1), np.float32)
    for start, made in zip(starts, restore(np.ascontiguousarray(windows)), strict=True):
        total[start : start + window] += made[0].T
        count[start : start + window] += 1
    return (total / count)[: len(mel)]


def render(mel: NDArray[np.float32], config: MelConfig) -> NDArray[np.float32]:
    """Sound of a log-mel, its phase guessed (Griffin and Lim, 1984).

    Args:
        mel: (frames, n_mels), dB.
        config: Of the front end.

    Returns:
        (samples,), at most full scale.
    """
    import librosa

    power = _bins(10 ** (mel.T.astype(np.float64) / 10), mel_filters(config).astype(np.float64))
    samples = librosa.griffinlim(
        np.sqrt(power), n_iter=PHASE_STEPS, hop_length=config.hop_length, n_fft=config.n_fft, random_state=0
    )
    return np.clip(samples, -1.0, 1.0).astype(np.float32)


def _bins(bands: NDArray[np.float64], filters: NDArray[np.float64]) -> NDArray[np.float64]:
    """Power of frequencies from that of mel bands, by multiplicative updates (Lee and Seung, 2001).

    Args:
        bands: (n_mels, frames).
        filters: (n_mels, bins).

    Returns:
        (bins, frames), none negative.
    """
    bins = np.tile(bands.mean(axis=0), (filters.shape[1], 1))
    weights = np.maximum(filters.sum(axis=0), TINY)[:, None]
    for _ in range(POWER_STEPS):
        bins *= (filters.T @ (bands / np.maximum(filters @ bins, TINY))) / weights
    return bins
