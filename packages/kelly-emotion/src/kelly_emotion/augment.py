"""Batched augmentations of log-mel windows; every sample of a batch draws its own values.

All functions take and return `mel: (batch, 1, n_mels, frames)`, power dB floored at `FLOOR_DB`, and draw
from the given `torch.Generator` only. They run on the training side, never in the model.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from kelly_core.sound.windows import FLOOR_DB
from kelly_emotion.config import AugmentConfig

NOISE_DB = (-70.0, -45.0)
"""Range of the level of added noise, dB per band."""
MASK_BANDS, MASK_FRAMES = 4, 8
"""Widest SpecAugment masks."""


def augment(
    mel: Tensor, targets: Tensor, config: AugmentConfig, frames: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Everything the configuration switches on.

    Args:
        mel: `(batch, 1, n_mels, frames_in)`, dB; `frames_in >= frames`.
        targets: `(batch, classes)`, probabilities, possibly weighted.
        config: What is on and how strong.
        frames: frames to return.
        generator: source of randomness, on the CPU.

    Returns:
        `mel`: `(batch, 1, n_mels, frames)`, dB, and `targets`, blended where mixup is on.
    """
    if config.time_stretch or config.pitch_shift or config.formant_shift:
        warps = (config.time_stretch, config.pitch_shift, config.formant_shift)
        mel = random_warp(mel, frames, *warps, generator)
    elif mel.shape[3] != frames:
        start = (mel.shape[3] - frames) // 2
        mel = mel[..., start : start + frames]
    if config.noise:
        mel = random_noise(mel, *NOISE_DB, config.noise, generator)
    if config.gain_db:
        mel = random_gain(mel, config.gain_db, generator)
    mel, targets = mixup(mel, targets, config.mixup, generator)
    if config.spec_augment:
        mel = spec_augment(mel, config.spec_augment, MASK_BANDS, MASK_FRAMES, generator)
    return mel, targets


def _uniform(
    shape: tuple[int, ...], low: float, high: float, generator: torch.Generator, mel: Tensor
) -> Tensor:
    """Draws on the CPU, so that every device sees the same numbers, and moves them to where `mel` is."""
    return (torch.rand(shape, generator=generator) * (high - low) + low).to(mel.device)


def random_gain(mel: Tensor, max_db: float, generator: torch.Generator) -> Tensor:
    """Shift the level of each window by a value in ±`max_db`.

    Bins at the floor (digital silence, padding) stay there, as they would in amplified audio.

    Args:
        mel: `(batch, 1, n_mels, frames)`, dB.
        max_db: largest gain and attenuation, dB.
        generator: source of randomness.

    Returns:
        `(batch, 1, n_mels, frames)`, dB.
    """
    gain = _uniform((mel.shape[0], 1, 1, 1), -max_db, max_db, generator, mel)
    return torch.where(mel > FLOOR_DB, (mel + gain).clamp_min(FLOOR_DB), mel)


def random_warp(
    mel: Tensor,
    frames: int,
    stretch: float,
    shift_bins: float,
    scale: float,
    generator: torch.Generator,
) -> Tensor:
    """Time stretch, pitch shift and vocal-tract scaling by one bilinear resampling of the window.

    Args:
        mel: `(batch, 1, n_mels, frames_in)`, dB. Give more frames than wanted; the middle is used.
        frames: frames to return.
        stretch: tempo factor in `1 ± stretch`.
        shift_bins: shift along the mel axis in `± shift_bins`, mel bands.
        scale: factor of the mel axis in `1 ± scale`, about its low end.
        generator: source of randomness.

    Returns:
        `(batch, 1, n_mels, frames)`, dB.
    """
    batch, _, n_mels, frames_in = mel.shape
    tempo = _uniform((batch, 1), 1 - stretch, 1 + stretch, generator, mel)
    shift = _uniform((batch, 1), -shift_bins, shift_bins, generator, mel)
    factor = _uniform((batch, 1), 1 - scale, 1 + scale, generator, mel)
    t = torch.arange(frames, dtype=mel.dtype, device=mel.device) - (frames - 1) / 2
    f = torch.arange(n_mels, dtype=mel.dtype, device=mel.device)
    x = t[None] * tempo * (2.0 / (frames_in - 1))  # (batch, frames) in -1..1
    y = (f[None] * factor + shift) * (2.0 / (n_mels - 1)) - 1.0  # (batch, n_mels)
    grid = torch.stack(
        (x[:, None, :].expand(batch, n_mels, frames), y[:, :, None].expand(batch, n_mels, frames)), dim=-1
    )
    return F.grid_sample(mel, grid, mode="bilinear", padding_mode="border", align_corners=True)


def random_noise(
    mel: Tensor, low_db: float, high_db: float, probability: float, generator: torch.Generator
) -> Tensor:
    """Add stationary noise of a random level and spectral tilt, in the power domain.

    Args:
        mel: `(batch, 1, n_mels, frames)`, dB.
        low_db: lowest noise level per band, dB.
        high_db: highest noise level per band, dB.
        probability: share of the windows that get noise.
        generator: source of randomness.

    Returns:
        `(batch, 1, n_mels, frames)`, dB.
    """
    batch, _, n_mels, _ = mel.shape
    level = _uniform((batch, 1, 1, 1), low_db, high_db, generator, mel)
    tilt = (
        _uniform((batch, 1, 1, 1), -10.0, 10.0, generator, mel)
        * torch.linspace(-0.5, 0.5, n_mels, device=mel.device)[:, None]
    )
    used = _uniform((batch, 1, 1, 1), 0.0, 1.0, generator, mel) < probability
    # a chi-squared draw with two degrees of freedom: the power of one noise bin
    power = -torch.log(_uniform(tuple(mel.shape), 0.0, 1.0, generator, mel).clamp_min(1e-6))
    noise = torch.where(used, level + tilt, torch.full_like(level, -200.0)) + 10.0 * torch.log10(power)
    return torch.logaddexp(mel * 0.2302585, noise * 0.2302585) / 0.2302585


def spec_augment(
    mel: Tensor, masks: int, max_bands: int, max_frames: int, generator: torch.Generator
) -> Tensor:
    """Replace random bands and frames by the window's mean (SpecAugment, Park et al. 2019).

    Args:
        mel: `(batch, 1, n_mels, frames)`, dB.
        masks: masks along each axis.
        max_bands: widest frequency mask, mel bands.
        max_frames: widest time mask, frames.
        generator: source of randomness.

    Returns:
        `(batch, 1, n_mels, frames)`, dB.
    """
    batch, _, n_mels, frames = mel.shape
    masked = torch.zeros((batch, 1, n_mels, frames), dtype=torch.bool, device=mel.device)
    for _ in range(masks):
        for size, widest, axis in ((n_mels, max_bands, 2), (frames, max_frames, 3)):
            width = _uniform((batch, 1), 0.0, widest + 1.0, generator, mel).floor()
            start = (_uniform((batch, 1), 0.0, 1.0, generator, mel) * (size - width + 1)).floor()
            at = torch.arange(size, device=mel.device)[None]
            hit = (at >= start) & (at < start + width)  # (batch, size)
            masked |= hit[:, None, :, None] if axis == 2 else hit[:, None, None, :]
    return torch.where(masked, mel.mean(dim=(2, 3), keepdim=True), mel)


def mixup(mel: Tensor, targets: Tensor, alpha: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Blend each window with another of the batch (Zhang et al. 2018), in dB.

    Args:
        mel: `(batch, 1, n_mels, frames)`, dB.
        targets: `(batch, classes)`, probabilities.
        alpha: both parameters of the Beta distribution of the weight; 0 leaves the batch as it is.
        generator: source of randomness.

    Returns:
        Blended `mel` and `targets`.
    """
    if alpha <= 0:
        return mel, targets
    weight = _beta(mel.shape[0], alpha, generator).to(mel.device)
    weight = torch.maximum(weight, 1 - weight)
    order = torch.randperm(mel.shape[0], generator=generator).to(mel.device)
    w_mel, w_target = weight[:, None, None, None], weight[:, None]
    return w_mel * mel + (1 - w_mel) * mel[order], w_target * targets + (1 - w_target) * targets[order]


def _beta(count: int, alpha: float, generator: torch.Generator) -> Tensor:
    """Draws from a symmetric Beta distribution; torch's own sampler takes no generator, so NumPy draws."""
    seed = int(torch.randint(2**31, (), generator=generator))
    return torch.from_numpy(np.random.default_rng(seed).beta(alpha, alpha, count).astype(np.float32))
