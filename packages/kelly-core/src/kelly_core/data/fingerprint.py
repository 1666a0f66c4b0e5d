"""Audio fingerprints: what stays the same of a recording under gain, another format, rate or a small trim.

Each frame becomes 32 bits: whether the difference of energy between two neighbouring bands rose since the
frame before, after Haitsma & Kalker, "A Highly Robust Audio Fingerprinting System" (ISMIR 2002), with
their 33 logarithmic bands stretched to 300-4000 Hz for music and speech.
"""

from __future__ import annotations

import numpy as np
import scipy.fft
from numpy.typing import NDArray

SAMPLE_RATE = 16_000
FRAME = 4096
HOP = 320
VERSION = "1"
"""Part of the cache key; changes whenever `fingerprint` computes something else."""

_BANDS = 33
_ACTIVE = 1e-3  # frames 30 dB below the loudest say more about the codec than about the recording
_EDGES = np.rint(np.geomspace(300.0, 4000.0, _BANDS + 1) * FRAME / SAMPLE_RATE).astype(int)
_WINDOW = np.hanning(FRAME).astype(np.float32)
_ONES = np.array([byte.bit_count() for byte in range(256)], dtype=np.uint8)


def fingerprint(samples: NDArray[np.float32]) -> NDArray[np.uint32]:
    """One 32-bit word per 20 ms; 0 where the frame is too quiet to tell.

    Args:
        samples: (samples,) mono at 16 kHz.

    Returns:
        (frames,).
    """
    shortest = FRAME + 2 * HOP
    padded = np.pad(samples, (0, max(0, shortest - len(samples))))
    frames = np.lib.stride_tricks.sliding_window_view(padded, FRAME)[::HOP]  # (frames + 1, FRAME)
    energy = np.concatenate([_band_energy(frames[i : i + 64]) for i in range(0, len(frames), 64)])
    slope = energy[:, :-1] - energy[:, 1:]
    bits = slope[1:] > slope[:-1]  # (frames, 32)
    words = np.packbits(bits, axis=1).view(">u4")[:, 0].astype(np.uint32)
    level = energy.sum(axis=1)
    words[level[1:] <= _ACTIVE * level.max()] = 0
    return words


def distance(first: NDArray[np.uint32], second: NDArray[np.uint32], offset: int) -> float:
    """Share of differing bits where both are active; 1.0 when they overlap too little to tell.

    Args:
        first: (frames,).
        second: (frames,).
        offset: Frames by which `second` starts later in the recording than `first`.
    """
    at, other = max(0, offset), max(0, -offset)
    length = min(len(first) - at, len(second) - other)
    if length <= 0:
        return 1.0
    a, b = first[at : at + length], second[other : other + length]
    active = (a != 0) & (b != 0)
    count = int(np.count_nonzero(active))
    total = min(np.count_nonzero(first), np.count_nonzero(second))
    if count < 10 or count < 0.5 * total:
        return 1.0
    return float(_ONES[(a[active] ^ b[active]).view(np.uint8)].sum() / (32 * count))


def _band_energy(frames: NDArray[np.float32]) -> NDArray[np.float32]:
    spectrum = scipy.fft.rfft(frames * _WINDOW, axis=1)[:, : _EDGES[-1]]
    power = spectrum.real**2 + spectrum.imag**2
    energy: NDArray[np.float32] = np.add.reduceat(power, _EDGES[:-1], axis=1)
    return energy
