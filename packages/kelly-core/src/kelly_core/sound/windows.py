"""Where a log-mel clip sounds, and how windows are cut from it (numpy only).

Units: mel spectrograms are `(frames, n_mels)` power in dB, floored at `FLOOR_DB`; positions are frames.
Regions are half-open `(start, stop)`.

The active region (speech, a note) is found relative to the clip's own noise floor. A threshold below the
*peak* would make the region's length depend on loudness, and with it on what loudness says: in speech, the
emotion.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FLOOR_DB = -100.0
"""Level of digital silence in a log-mel: what its power is floored at."""

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int64]


def frame_energy_db(mel_db: FloatArray) -> FloatArray:
    """Total power of each frame.

    Args:
        mel_db: `(frames, n_mels)`, power dB.

    Returns:
        `(frames,)`, dB.
    """
    energy: FloatArray = 10.0 * np.log10(np.power(np.float32(10.0), mel_db / 10.0).sum(axis=1))
    return energy.astype(np.float32)


def active_region(
    mel_db: FloatArray,
    above_noise_db: float = 15.0,
    noise_quantile: float = 0.1,
    min_run: int = 3,
    margin: int = 4,
    min_frames: int = 16,
) -> tuple[int, int]:
    """Find the span from the first to the last frame that stands out of the noise.

    Frames of digital silence (at the log floor) say nothing about the noise and are left out of its
    estimate. Where the clip has no quiet part the noise estimate lies in the sound; the threshold is
    therefore never above the median of the energies, so that half the frames always count.

    Args:
        mel_db: `(frames, n_mels)`, power dB.
        above_noise_db: how far above the noise floor a frame must be.
        noise_quantile: quantile of the frame energies taken as the noise floor.
        min_run: shorter bursts (clicks) are ignored, frames.
        margin: frames added on both sides.
        min_frames: a shorter result is not believed; the whole clip is returned.

    Returns:
        `(start, stop)`, frames.
    """
    n_frames, n_mels = mel_db.shape
    energy = frame_energy_db(mel_db)
    silence_db = FLOOR_DB + 10.0 * np.log10(n_mels) + 1.0
    heard = energy[energy > silence_db]
    if heard.size < min_frames:
        return 0, n_frames
    noise_db = float(np.quantile(heard, noise_quantile))
    threshold = min(noise_db + above_noise_db, float(np.median(heard)))
    active = (energy >= threshold) & (energy > silence_db)
    if n_frames >= min_run:
        runs = np.convolve(active, np.ones(min_run, dtype=np.int64), mode="valid") == min_run
        hits = np.flatnonzero(runs)
    else:
        hits = np.flatnonzero(active)
    if hits.size == 0:
        return 0, n_frames
    start = max(0, int(hits[0]) - margin)
    stop = min(n_frames, int(hits[-1]) + min_run + margin)
    return (start, stop) if stop - start >= min_frames else (0, n_frames)


def training_bounds(region: tuple[int, int], window: int) -> tuple[int, int]:
    """Range of window starts for training, both ends inclusive.

    A region shorter than the window may lie anywhere inside it; a longer one is cropped anywhere.

    Args:
        region: active `(start, stop)`, frames.
        window: frames of the window.

    Returns:
        `(lowest, highest)` start; may be negative (the window is then padded).
    """
    start, stop = region
    return min(start, stop - window), max(start, stop - window)


def evaluation_starts(region: tuple[int, int], window: int, hop: int) -> list[int]:
    """Window starts for evaluation: one centred window for a short region, else evenly spread ones.

    Args:
        region: active `(start, stop)`, frames.
        window: frames of the window.
        hop: largest distance between two starts, frames.

    Returns:
        Window starts; may be negative or run past the clip (the window is then padded).
    """
    start, stop = region
    spare = (stop - start) - window
    if spare <= 0:
        return [(start + stop - window) // 2]
    count = -(-spare // hop) + 1
    return [int(v) for v in np.rint(np.linspace(start, stop - window, count))]


def cut_window(mel_db: FloatArray, start: int, window: int) -> FloatArray:
    """Cut one window, padding with digital silence outside the clip.

    Args:
        mel_db: `(frames, n_mels)`, power dB.
        start: first frame, may be negative.
        window: frames to return.

    Returns:
        `(window, n_mels)`, power dB.
    """
    out = np.full((window, mel_db.shape[1]), FLOOR_DB, dtype=np.float32)
    low, high = max(0, start), min(len(mel_db), start + window)
    if high > low:
        out[low - start : high - start] = mel_db[low:high]
    return out


def gather_windows(
    flat: FloatArray, offsets: IntArray, lengths: IntArray, clips: IntArray, starts: IntArray, window: int
) -> FloatArray:
    """Cut one window from each of several clips that are stored end to end.

    Args:
        flat: `(total_frames, n_mels)`, all clips, power dB.
        offsets: `(n_clips,)`, first row of each clip in `flat`.
        lengths: `(n_clips,)`, frames of each clip.
        clips: `(batch,)`, which clips.
        starts: `(batch,)`, window start in the clip, may be negative.
        window: frames of each window.

    Returns:
        `(batch, 1, n_mels, window)`, power dB.
    """
    at = starts[:, None] + np.arange(window)[None, :]  # (batch, window)
    inside = (at >= 0) & (at < lengths[clips][:, None])
    rows = offsets[clips][:, None] + np.clip(at, 0, lengths[clips][:, None] - 1)
    out = flat[rows]  # (batch, window, n_mels)
    out[~inside] = FLOOR_DB
    return np.ascontiguousarray(out.transpose(0, 2, 1))[:, None]


def louder(mel_db: FloatArray, gain_db: float) -> FloatArray:
    """A log-mel as its sound would give it at another level: digital silence stays silent.

    Args:
        mel_db: any shape, power dB.
        gain_db: negative for softer.

    Returns:
        The same shape.
    """
    return np.where(mel_db > FLOOR_DB, np.maximum(mel_db + np.float32(gain_db), FLOOR_DB), mel_db)
