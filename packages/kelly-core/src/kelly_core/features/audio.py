"""The log-mel front end: one implementation for training caches, inference and streaming.

Conventions: samples are float32 in -1 to 1 at `MelConfig.sample_rate` Hz, mono. Frame `t` is centred on
sample `t * hop_length`; outside the signal there is silence, so a clip of `n` samples gives
`1 + n // hop_length` frames. Power mel equals `librosa.feature.melspectrogram` with its defaults
(periodic Hann window, zero padding, Slaney's scale and area normalisation) within 1e-4, for all that is
less than 100 dB below a frame's loudest band: transforms are in single precision, which rounds at 1e-7
of the largest amplitude.

The mel scale is Slaney's, *Auditory Toolbox* version 2 (Interval Research report 1998-010): linear
below 1 kHz with 200/3 Hz per mel, above that 27 mels for each factor of 6.4.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from kelly_core.errors import ConfigError, DataError

FEATURE_VERSION = "logmel-1"
"""Part of every feature cache's key: changed whenever the numbers that come out change."""

POWER_FLOOR = 1e-10
"""Smallest power before the logarithm: digital silence is -100 dB."""

Samples = npt.NDArray[np.float32]
Mel = npt.NDArray[np.float32]

_LINEAR_HZ_PER_MEL = 200.0 / 3.0
_BREAK_HZ = 1000.0
_BREAK_MEL = _BREAK_HZ / _LINEAR_HZ_PER_MEL
_LOG_STEP = math.log(6.4) / 27.0
_FRAMES_PER_BLOCK = 128  # two seconds at the defaults: the scratch of a block stays in the cache


@dataclass(frozen=True, slots=True)
class MelConfig:
    """What the front end computes.

    Attributes:
        sample_rate: Rate of the samples, in Hz.
        n_fft: Length of the window and of the Fourier transform, in samples; even.
        hop_length: Distance between frames, in samples; at most `n_fft`.
        n_mels: Number of mel bands.
        f_min: Lower edge of the lowest band, in Hz.
        f_max: Upper edge of the highest band, in Hz; at most half the sample rate.

    Raises:
        ConfigError: A value is out of range, or a band is narrower than the transform resolves.
    """

    sample_rate: int = 16_000
    n_fft: int = 1024
    hop_length: int = 256
    n_mels: int = 64
    f_min: float = 0.0
    f_max: float = 8000.0

    def __post_init__(self) -> None:
        for name in ("sample_rate", "n_fft", "hop_length", "n_mels"):
            if getattr(self, name) < 1:
                raise ConfigError(
                    f"{name} is {getattr(self, name)}; it must be at least 1",
                    where="mel",
                    code="config.front-end",
                )
        if self.n_fft % 2:
            raise ConfigError(
                f"n_fft is {self.n_fft} samples; it must be even", where="mel", code="config.front-end"
            )
        if self.hop_length > self.n_fft:
            raise ConfigError(
                f"hop_length is {self.hop_length} samples, longer than n_fft ({self.n_fft})",
                where="mel",
                hint="choose a hop of at most one window, usually a quarter",
                code="config.front-end",
            )
        if not 0 <= self.f_min < self.f_max <= self.sample_rate / 2:
            raise ConfigError(
                f"the band edges {self.f_min:g} to {self.f_max:g} Hz don't fit a rate of {self.sample_rate} Hz",
                where="mel",
                hint=f"choose 0 <= f_min < f_max <= {self.sample_rate / 2:g} Hz",
                code="config.front-end",
            )

    @property
    def frame_rate(self) -> float:
        """Frames per second."""
        return self.sample_rate / self.hop_length

    def frames(self, samples: int) -> int:
        """Number of frames of a clip of `samples` samples."""
        return 1 + samples // self.hop_length

    def as_dict(self) -> dict[str, Any]:
        """All settings and the version of the code, as they stand in cache keys and contracts."""
        return {"version": FEATURE_VERSION, **asdict(self)}


class LogMel:
    """Turns samples into a log-mel spectrogram; holds only constants, so threads may share one.

    >>> front = LogMel()
    >>> front(np.zeros(16_000, np.float32)).shape
    (64, 63)
    """

    def __init__(self, config: MelConfig | None = None) -> None:
        import scipy.fft
        import scipy.sparse

        self.config = config or MelConfig()
        self._rfft = scipy.fft.rfft
        self._window = hann_window(self.config.n_fft)[:, None]
        # A bin feeds at most two neighbouring bands: the sparse product does 1/33 of a dense one's work.
        self._filters = scipy.sparse.csr_array(mel_filters(self.config))

    def __call__(self, samples: Samples) -> Mel:
        """Log-power mel spectrogram.

        Args:
            samples: `(samples,)` float32, -1 to 1, at the configured rate.

        Returns:
            `(n_mels, frames)` float32, dB: `10 * log10(max(power, 1e-10))`.

        Raises:
            DataError: `samples` is not one channel of floating-point numbers.
        """
        return power_to_db(self.mel_power(samples))

    def mel_power(self, samples: Samples) -> Mel:
        """The same before the logarithm: `(n_mels, frames)` float32, squared amplitude."""
        samples = _checked(samples)
        half = self.config.n_fft // 2
        padded = np.zeros(len(samples) + 2 * half, np.float32)
        padded[half : half + len(samples)] = samples
        return self.power_of_frames(padded, self.config.frames(len(samples)))

    def power_of_frames(self, samples: Samples, frames: int) -> Mel:
        """Mel power of `frames` whole windows, the first one starting at the first sample; no padding.

        Args:
            samples: At least `n_fft + (frames - 1) * hop_length` contiguous float32 samples.
            frames: Number of windows.

        Returns:
            `(n_mels, frames)` float32.
        """
        hop, size = self.config.hop_length, self.config.n_fft
        views = np.lib.stride_tricks.sliding_window_view(samples, size)[::hop][:frames]  # (frames, n_fft)
        if frames <= _FRAMES_PER_BLOCK:
            return self._block(views)
        power = np.empty((self.config.n_mels, frames), np.float32)
        for start in range(0, frames, _FRAMES_PER_BLOCK):
            power[:, start : start + _FRAMES_PER_BLOCK] = self._block(views[start : start + _FRAMES_PER_BLOCK])
        return power

    def _block(self, views: Samples) -> Mel:
        # Bins first, (n_fft / 2 + 1, frames), so that the sparse product runs along contiguous frames.
        spectrum = self._rfft(views.T * self._window, axis=0, overwrite_x=True)
        power = spectrum.real**2
        power += spectrum.imag**2
        bins: Mel = self._filters @ power
        return bins


class StreamingLogMel:
    """The same spectrogram from samples that arrive in blocks of any size.

    Frames are centred, so frame `t` is complete `n_fft / 2` samples after its time (32 ms at the
    defaults): that is the look-ahead and the latency. The frames of all `push` calls and of `finish`,
    joined, are those of the whole clip. One object follows one stream; it isn't for several threads.
    """

    def __init__(self, config: MelConfig | None = None) -> None:
        self._front = LogMel(config)
        self.config = self._front.config
        self.reset()

    @property
    def look_ahead(self) -> int:
        """Samples after a frame's time that it waits for."""
        return self.config.n_fft // 2

    def reset(self) -> None:
        """Forget the stream and start another one."""
        self._pending = np.zeros(self.look_ahead, np.float32)  # starts where the next frame's window does

    def push(self, samples: Samples) -> Mel:
        """Take more samples and give the frames that they complete.

        Args:
            samples: `(any,)` float32; may be empty.

        Returns:
            `(n_mels, complete)` float32, dB; `complete` may be 0.
        """
        hop, size = self.config.hop_length, self.config.n_fft
        samples = np.concatenate([self._pending, _checked(samples)])
        frames = max(0, 1 + (len(samples) - size) // hop)
        self._pending = samples[frames * hop :]
        if not frames:
            return np.empty((self.config.n_mels, 0), np.float32)
        return power_to_db(self._front.power_of_frames(samples, frames))

    def finish(self) -> Mel:
        """Give the last frames, as if silence followed, and start over."""
        frames = self.push(np.zeros(self.look_ahead, np.float32))
        self.reset()
        return frames


def power_to_db(power: Mel) -> Mel:
    """`10 * log10(max(power, 1e-10))`, any shape, float32."""
    decibels = np.maximum(power, np.float32(POWER_FLOOR))
    np.log10(decibels, out=decibels)
    decibels *= np.float32(10.0)
    return decibels


def hann_window(size: int) -> Samples:
    """Periodic Hann window: `(size,)` float32."""
    return (0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(size) / size)).astype(np.float32)


def hz_to_mel(hertz: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Slaney's mel of a frequency in Hz.

    >>> hz_to_mel([0.0, 1000.0, 6400.0]).round(6).tolist()
    [0.0, 15.0, 42.0]
    """
    hertz = np.asarray(hertz, np.float64)
    above = _BREAK_MEL + np.log(np.maximum(hertz, _BREAK_HZ) / _BREAK_HZ) / _LOG_STEP
    return np.where(hertz < _BREAK_HZ, hertz / _LINEAR_HZ_PER_MEL, above)


def mel_to_hz(mel: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Frequency in Hz of Slaney's mel; the inverse of `hz_to_mel`."""
    mel = np.asarray(mel, np.float64)
    above = _BREAK_HZ * np.exp(_LOG_STEP * (np.maximum(mel, _BREAK_MEL) - _BREAK_MEL))
    return np.where(mel < _BREAK_MEL, mel * _LINEAR_HZ_PER_MEL, above)


def mel_filters(config: MelConfig) -> Mel:
    """Triangular filters of equal area, evenly spaced in mels.

    Returns:
        `(n_mels, n_fft / 2 + 1)` float32.

    Raises:
        ConfigError: A band holds no bin of the transform.
    """
    edges = mel_to_hz(np.linspace(hz_to_mel(config.f_min), hz_to_mel(config.f_max), config.n_mels + 2))
    bins = np.fft.rfftfreq(config.n_fft, 1.0 / config.sample_rate)
    low, peak, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    triangles = np.minimum((bins - low) / (peak - low), (high - bins) / (high - peak))
    filters = np.maximum(triangles, 0.0) * (2.0 / (high - low))
    empty = np.flatnonzero(~filters.any(axis=1))
    if empty.size:
        raise ConfigError(
            f"{empty.size} of {config.n_mels} mel bands hold no bin of a {config.n_fft}-point transform",
            where="mel",
            hint="choose fewer n_mels or a longer n_fft",
            code="config.front-end",
        )
    return filters.astype(np.float32)


def _checked(samples: Samples) -> Samples:
    samples = np.asarray(samples)
    if samples.ndim != 1:
        raise DataError(
            f"the front end takes one channel of shape (samples,), not {samples.shape}",
            where="samples",
            hint="mix the channels first, for example samples.mean(axis=1)",
            code="data.sound",
        )
    if not np.issubdtype(samples.dtype, np.floating):
        raise DataError(
            f"the front end takes floating-point samples between -1 and 1, not {samples.dtype}",
            where="samples",
            hint="divide integers by their full scale, for example int16 by 32768",
            code="data.sound",
        )
    return samples.astype(np.float32, copy=False)
