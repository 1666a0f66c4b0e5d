"""The settings block of a log-mel front end, as a model's configuration has it under `features`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from pydantic import model_validator

from kelly_core.config import StrictModel, setting

if TYPE_CHECKING:
    from kelly_core.features.audio import MelConfig


class FeatureConfig(StrictModel):
    """From sound to log-mel picture; part of the feature cache's key."""

    sample_rate: int = setting(16_000, "every clip is resampled to this rate", unit="Hz", ge=8_000, le=48_000)
    n_mels: int = setting(64, "mel bands", unit="bands", ge=8, le=256)
    n_fft: int = setting(1024, "length of one frame", unit="samples", ge=128, le=8192)
    hop_length: int = setting(256, "distance of two frames", unit="samples", ge=32, le=8192)
    f_min: float = setting(0.0, "lower edge of the lowest band", unit="Hz", ge=0.0, le=24_000.0)
    f_max: float = setting(8_000.0, "upper edge of the highest band", unit="Hz", gt=0.0, le=24_000.0)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.n_fft < self.hop_length:
            raise ValueError(
                f"n_fft ({self.n_fft} samples) is shorter than hop_length ({self.hop_length} samples), "
                "so samples between two frames would be skipped"
            )
        if self.f_max <= self.f_min:
            raise ValueError(f"f_max ({self.f_max:g} Hz) must be above f_min ({self.f_min:g} Hz)")
        if self.f_max > self.sample_rate / 2:
            raise ValueError(
                f"f_max ({self.f_max:g} Hz) is above half the sample_rate ({self.sample_rate} Hz), "
                "where there is no sound"
            )
        if self.n_mels > self.n_fft // 2:
            raise ValueError(
                f"n_mels ({self.n_mels} bands) is more than n_fft ({self.n_fft} samples) can resolve; "
                f"at most {self.n_fft // 2}"
            )
        return self

    def front_end(self) -> MelConfig:
        """What the front end is made from."""
        from kelly_core.features.audio import MelConfig

        return MelConfig(**self.model_dump())
