"""Files that take sound: the front end in front of the network."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from kelly_core.contract import TensorInfo
from kelly_core.data.audio_files import read_audio
from kelly_core.export import Arrays, Runner, View
from kelly_core.features.audio import LogMel, MelConfig
from kelly_core.features.audio_torch import LogMelModule
from kelly_emotion.data.source import ClipSource

if TYPE_CHECKING:
    from kelly_core.task import Source


class Hearing(nn.Module):
    """The network behind its front end.

    Args:
        config: Of the front end.
        network: Takes log-mels of (batch, 1, n_mels, frames), dB.
    """

    def __init__(self, config: MelConfig, network: nn.Module) -> None:
        super().__init__()
        self.mel, self.network = LogMelModule(config), network

    def forward(self, waveform: Tensor) -> Tensor:
        """(batch, samples), -1 to 1 -> (batch, classes) logits."""
        logits: Tensor = self.network(self.mel(waveform)[:, None])
        return logits


class BehindFeatures:
    """What `kelly predict` computes of sound: the features in NumPy, then the network.

    Args:
        config: Of the features.
        runner: Takes them as `input`.
    """

    def __init__(self, config: MelConfig, runner: Runner) -> None:
        self.log_mel, self.runner = LogMel(config), runner

    def run(self, inputs: Arrays) -> dict[str, NDArray[Any]]:
        """Outputs by name."""
        mel = np.stack([self.log_mel(samples) for samples in inputs["waveform"]])
        return self.runner.run({"input": mel[:, None]})


def waveform_view(config: MelConfig, window: int, network: nn.Module) -> View:
    """Sound in place of log-mels.

    Args:
        config: Of the log-mels.
        window: Frames that the network was trained on.
        network: As `Hearing`.
    """
    size = (window - 1) * config.hop_length
    unit = f"amplitude at {config.sample_rate} Hz, one channel"

    def example(source: Source, batch: int) -> Arrays:
        assert isinstance(source, ClipSource)
        clips = np.linspace(0, len(source) - 1, batch).astype(int)
        return {"waveform": np.stack([_middle(source, clip, config, size) for clip in clips])}

    def level(amplitude: float, samples: int) -> dict[str, NDArray[Any]]:
        wave = amplitude * np.where(np.arange(samples) % 64 < 32, 1.0, -1.0)
        return {"waveform": wave[None].astype(np.float32)}

    return View(
        [TensorInfo(name="waveform", shape=["batch", "samples"], unit=unit, low=-1.0, high=1.0)],
        [],
        {"samples": size},
        Hearing(config, network),
        lambda runner: BehindFeatures(config, runner),
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
