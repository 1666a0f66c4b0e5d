"""Pictures of log-mels."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


def draw_mels(mels: Mapping[str, NDArray[np.float32]], path: Path, seconds_per_frame: float) -> Path:
    """Draw log-mels one below the other.

    Args:
        mels: Heading -> (n_mels, frames), dB.
        path: PNG to write.
        seconds_per_frame: For the time axis.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 3.2 * len(mels)), layout="constrained")
    for axes, (title, mel) in zip(np.atleast_1d(figure.subplots(len(mels))), mels.items(), strict=True):
        extent = (0.0, mel.shape[1] * seconds_per_frame, 0.0, float(mel.shape[0]))
        image = axes.imshow(mel, origin="lower", aspect="auto", extent=extent, cmap="magma", vmin=-90)
        axes.set(xlabel="time (s)", ylabel="mel band", title=title)
        figure.colorbar(image, label="dB")
    figure.savefig(path, dpi=100)
    return path
