"""The front end that a file can begin with: sound in, log-mel windows for the network out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from kelly_core.contract import TensorInfo
from kelly_core.data.audio_files import read_audio
from kelly_core.export import Arrays, FrontEnd
from kelly_core.features.audio import LogMel, MelConfig
from kelly_core.features.audio_torch import LogMelModule
from kelly_emotion.data.source import ClipSource

if TYPE_CHECKING:
    from kelly_core.task import Source


class MelWindows(nn.Module):
    """Sound to what the network takes.

    Args:
        config: Of the front end.
    """

    def __init__(self, config: MelConfig) -> None:
        super().__init__()
        self.mel = LogMelModule(config)

    def forward(self, waveform: Tensor) -> Tensor:
        """(batch, samples) -> (batch, 1, n_mels, frames), dB."""
        mel: Tensor = self.mel(waveform)
        return mel[:, None]


def front_end(config: MelConfig, window: int) -> FrontEnd:
    """The front end, with real sound to try it on.

    Args:
        config: Of the log-mels.
        window: Frames that the network was trained on.
    """
    size = (window - 1) * config.hop_length
    log_mel = LogMel(config)
    unit = f"amplitude at {config.sample_rate} Hz, one channel"

    def features(inputs: Arrays) -> Arrays:
        return {"input": np.stack([log_mel(samples) for samples in inputs["waveform"]])[:, None]}

    def example(source: Source, batch: int) -> Arrays:
        assert isinstance(source, ClipSource)
        clips = np.linspace(0, len(source) - 1, batch).astype(int)
        return {"waveform": np.stack([_middle(source, clip, config, size) for clip in clips])}

    def level(amplitude: float, samples: int) -> dict[str, NDArray[Any]]:
        wave = amplitude * np.where(np.arange(samples) % 64 < 32, 1.0, -1.0)
        return {"waveform": wave[None].astype(np.float32)}

    return FrontEnd(
        [TensorInfo(name="waveform", shape=["batch", "samples"], unit=unit, low=-1.0, high=1.0)],
        {"samples": size},
        MelWindows(config),
        features,
        example,
        {"silence": level(0.0, size), "full scale": level(1.0, size), "four windows": level(0.1, 4 * size)},
    )


def _middle(source: ClipSource, clip: int, config: MelConfig, size: int) -> NDArray[np.float32]:
    """As much of a clip's sound as the network takes, around the middle of its speech."""
    samples = read_audio(Path(source.paths[clip]), config.sample_rate)
    middle = sum(source.store.regions[clip]) // 2 * config.hop_length
    start = max(0, min(middle - size // 2, len(samples) - size))
    cut = samples[start : start + size]
    return np.pad(cut, (0, size - len(cut)))
