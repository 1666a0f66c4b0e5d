"""Files that take sound: the log-mel front end in front of the network. Needs torch."""

from __future__ import annotations

import math
from collections.abc import Callable
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

if TYPE_CHECKING:
    from kelly_core.task import Source

Place = Callable[["Source", int], tuple[str, int]]
"""`place(source, example)`: an example's file, and the middle frame of what sounds in it."""


class Hearing(nn.Module):
    """The network behind its front end.

    Args:
        config: Of the front end.
        network: Takes log-mels of (batch, 1, n_mels, frames), dB.
        margin: Frames left out at both ends.
    """

    def __init__(self, config: MelConfig, network: nn.Module, margin: int = 0) -> None:
        super().__init__()
        self.mel, self.network, self.margin = LogMelModule(config), network, margin

    def forward(self, waveform: Tensor) -> Tensor:
        """(batch, samples), -1 to 1 -> what the network gives."""
        mel = self.mel(waveform)[:, None]
        given: Tensor = self.network(mel[..., self.margin : mel.shape[3] - self.margin])
        return given


class BehindFeatures:
    """What `kelly predict` computes of sound: the features in NumPy, then the network.

    Args:
        config: Of the features.
        runner: Takes them as `input`.
        margin: Frames left out at both ends.
    """

    def __init__(self, config: MelConfig, runner: Runner, margin: int = 0) -> None:
        self.log_mel, self.runner, self.margin = LogMel(config), runner, margin

    def run(self, inputs: Arrays) -> dict[str, NDArray[Any]]:
        """Outputs by name."""
        mel = np.stack([self.log_mel(samples) for samples in inputs["waveform"]])[:, None]
        return self.runner.run({"input": mel[..., self.margin : mel.shape[-1] - self.margin]})


def waveform_view(
    config: MelConfig, window: int, network: nn.Module, place: Place, *, fixed: bool = False
) -> View:
    """Sound in place of log-mels.

    Args:
        config: Of the log-mels.
        window: Frames that the network was trained on.
        network: As `Hearing`.
        place: Where real sound is found.
        fixed: Whether the network takes exactly `window` frames. The sound then reaches beyond the window's
            first and last frame, so that each is whole, as in the middle of a longer recording. Otherwise any
            number of samples is taken, with silence before and after.
    """
    margin = math.ceil(config.n_fft / 2 / config.hop_length) if fixed else 0
    size = (window - 1 + 2 * margin) * config.hop_length
    unit = f"amplitude at {config.sample_rate} Hz, one channel"

    def example(source: Source, batch: int) -> Arrays:
        examples = np.linspace(0, len(source) - 1, batch).astype(int)
        return {"waveform": np.stack([_middle(*place(source, int(at)), config, size) for at in examples])}

    def level(amplitude: float, samples: int) -> dict[str, NDArray[Any]]:
        wave = amplitude * np.where(np.arange(samples) % 64 < 32, 1.0, -1.0)
        return {"waveform": wave[None].astype(np.float32)}

    extremes = {"silence": level(0.0, size), "full scale": level(1.0, size)}
    if not fixed:
        extremes["four windows"] = level(0.1, 4 * size)
    shape = ["batch", size if fixed else "samples"]
    return View(
        [TensorInfo(name="waveform", shape=shape, unit=unit, low=-1.0, high=1.0)],
        [],
        {"samples": size},
        Hearing(config, network, margin),
        lambda runner: BehindFeatures(config, runner, margin),
        example,
        extremes,
    )


def _middle(path: str, middle: int, config: MelConfig, size: int) -> NDArray[np.float32]:
    """As much of a file's sound as the network takes, around the frame `middle`."""
    samples = read_audio(Path(path), config.sample_rate)
    start = max(0, min(middle * config.hop_length - size // 2, len(samples) - size))
    cut = samples[start : start + size]
    return np.pad(cut, (0, size - len(cut)))
