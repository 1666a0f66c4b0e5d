"""The log-mel front end as a torch module, for files that take sound.

It gives the numbers of `kelly_core.features.audio.LogMel`, from operations that every runtime has: a Fourier
transform of `n_fft` points is two matrix products with twiddle factors between them (Cooley and Tukey, 1965),
which took a third of the time of ONNX's `STFT` operator.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from kelly_core.errors import FormatError
from kelly_core.features.audio import POWER_FLOOR, MelConfig, hann_window, mel_filters


class LogMelModule(nn.Module):
    """Sound to log-mels.

    Args:
        config: What to compute.

    Raises:
        FormatError: `n_fft` is a prime number: its transform isn't made of smaller ones.
    """

    window: Tensor
    filters: Tensor
    inner: Tensor
    twiddle_real: Tensor
    twiddle_imag: Tensor
    outer_real: Tensor
    outer_imag: Tensor

    def __init__(self, config: MelConfig) -> None:
        super().__init__()
        self.config = config
        size = config.n_fft
        self.columns = next((n for n in range(math.isqrt(size), 1, -1) if size % n == 0), 1)
        if self.columns == 1:
            raise FormatError(
                f"n_fft is {size}, a prime number",
                where="features.n_fft",
                hint="choose a power of two",
                code="format.front-end",
            )
        self.rows = size // self.columns
        inner, outer = _fourier(self.rows), _fourier(self.columns)
        # Bins up to the middle are all there are of real sound; bin = row + rows * column.
        outer = outer[: (size // 2) // self.rows + 1]
        twiddle = np.exp(-2j * np.pi * np.outer(np.arange(self.columns), np.arange(self.rows)) / size)
        constants = {
            "window": hann_window(size),
            "filters": mel_filters(config).T,
            "inner": np.concatenate([inner.real, inner.imag], axis=1),
            "twiddle_real": twiddle.real,
            "twiddle_imag": twiddle.imag,
            "outer_real": outer.real,
            "outer_imag": outer.imag,
        }
        for name, values in constants.items():
            self.register_buffer(name, torch.from_numpy(np.ascontiguousarray(values, np.float32)))

    def forward(self, waveform: Tensor) -> Tensor:
        """(batch, samples), -1 to 1 -> (batch, n_mels, 1 + samples // hop_length), dB."""
        power = self._power(self._frames(waveform) * self.window)  # (batch, frames, bins)
        mel = (power @ self.filters).clamp(min=POWER_FLOOR)
        return (10.0 / math.log(10.0) * torch.log(mel)).transpose(1, 2)

    def _frames(self, waveform: Tensor) -> Tensor:
        """(batch, frames, n_fft), from blocks that windows and hops are both made of."""
        size, hop = self.config.n_fft, self.config.hop_length
        block = math.gcd(size, hop)
        stride = hop // block
        reach = waveform.shape[1] // hop * stride + 1
        padded = nn.functional.pad(waveform, (size // 2, size // 2))
        blocks = padded[:, : padded.shape[1] // block * block].reshape(waveform.shape[0], -1, block)
        return torch.cat([blocks[:, at : at + reach : stride] for at in range(size // block)], dim=2)

    def _power(self, frames: Tensor) -> Tensor:
        """Squared amplitudes of the transform: (batch, frames, n_fft) -> (batch, frames, n_fft // 2 + 1)."""
        rows = self.rows
        # Sample = column + columns * row; each column is transformed along its rows, then rows are joined.
        table = frames.reshape(*frames.shape[:2], rows, self.columns).transpose(2, 3)
        transformed = table @ self.inner
        real, imag = transformed[..., :rows], transformed[..., rows:]
        both = torch.cat(
            (
                real * self.twiddle_real - imag * self.twiddle_imag,
                real * self.twiddle_imag + imag * self.twiddle_real,
            ),
            dim=3,
        )
        cosine, sine = self.outer_real @ both, self.outer_imag @ both
        real = cosine[..., :rows] - sine[..., rows:]
        imag = cosine[..., rows:] + sine[..., :rows]
        power = real * real + imag * imag
        return power.flatten(2)[..., : self.config.n_fft // 2 + 1]


def _fourier(size: int) -> NDArray[np.complex128]:
    """Matrix of the transform of `size` points."""
    places = np.arange(size)
    return np.asarray(np.exp(-2j * np.pi * np.outer(places, places) / size))
